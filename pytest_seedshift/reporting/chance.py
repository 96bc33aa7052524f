"""Many thresholds: how likely a sound model is to fail somewhere, and how many failures chance explains.

A verdict is about the design. A model whose own mean lies a little above its bound has designs whose mean lies below,
and over a grid of cases one of them is soon met.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core import messages, tails
from pytest_seedshift.core.likeness import measure_of
from pytest_seedshift.core.tags import tag_of

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint, Finding
    from pytest_seedshift.results.run import CaseRun, Run

MARGINS = (0.03, 0.05, 0.1)
"""How far above all of its bounds the plan's sound model lies."""

SURE = 0.99
"""In how many runs chance explains no more failures than the summary says."""

_KINDS = ("min", "max_drop")


def of_sound_model(asked: Iterable[tuple[Sequence[float], int]], margin: float) -> list[float]:
    """How likely each case of a model is to fail by chance, whose own accuracies lie above all minima.

    Args:
        asked: of each case its minima of accuracies, and the size of its design.
        margin: by how much they lie above.

    Returns:
        A probability a case, for whole designs; early verdicts change it by less than their certainty.
    """
    return [-math.expm1(sum(_log_of_passing(bound, size, margin) for bound in minima)) for minima, size in asked]


@lru_cache(maxsize=1024)
def _log_of_passing(bound: float, size: int, margin: float) -> float:
    """The logarithm of the chance that a design's mean meets a minimum; most cases of a run share theirs."""
    from scipy.stats import binom

    return float(binom.logsf(math.ceil(size * bound - 1e-9) - 1, size, min(1.0, bound + margin)))


def note(asked: Sequence[tuple[Sequence[Constraint], int]], certainty: float, family: int) -> str | None:
    """What the plan says of a sound model; None where no case has a minimum of an accuracy."""
    minima = [
        ([each.minimum for each in one if each.minimum and each.score_kind.binary and _is_of_all(each.score)], size)
        for one, size in asked
    ]
    return _of_grid(minima, certainty, family)


def looking_back(run: Run) -> str | None:
    """What `note` says of the cases that a run has judged: the page has it, and the plan is long gone."""
    judged = [case for case in run.cases if not case.null and case.findings and case.certainty is not None]
    certainty = min((case.certainty for case in judged if case.certainty is not None), default=1.0)
    levels = {found.level for case in judged for found in case.findings if found.level and _has_level(found)}
    return _of_grid(_minima(judged), certainty, round((1 - certainty) / min(levels)) if levels else 0)


def _of_grid(minima: Sequence[tuple[Sequence[float], int]], certainty: float, family: int) -> str | None:
    if not any(each for each, _ in minima):
        return None
    cases = messages.count(len(minima), "case")
    if family:
        return (
            f"the certainty holds over {messages.count(family, 'bound')} of {cases}: a model whose true means "
            f"meet all fails in at most {messages.percent(1 - certainty)} of runs"
        )
    chances = [1 - math.prod(1 - each for each in of_sound_model(minima, margin)) for margin in MARGINS]
    first, *others = (f"{100 * each:.0f} %" for each in chances)
    return (
        f"a model whose true accuracies lie {MARGINS[0]:g} above all minima fails at least one of {cases} by chance in "
        f"up to {first} of runs ({_by_margin(others)}). [verdict] family = true limits that to "
        f"{messages.percent(1 - certainty)}"
    )


def _by_margin(values: Iterable[object]) -> str:
    """What holds at the wider margins: `0.05 above: 2; 0.1 above: 1`."""
    return "; ".join(f"{margin:g} above: {each}" for margin, each in zip(MARGINS[1:], values, strict=True))


def explained(run: Run) -> list[str]:
    """How many of a run's failures chance explains: a line, or none where no case fails by a threshold.
    A known failure is none of them.

    Where chance explains half of the cases even at the widest margin, the design is too small for the question, and
    figures would excuse any failure: the line says so in their place.

    Told of models whose own accuracies lie above all minima, of cases that have nothing to do with each other.
    """
    judged = [case for case in run.cases if not case.null and case.status in ("pass", "fail") and case.findings]
    failed = [case for case in judged if any(map(_fails, case.findings))]
    if not failed:
        return []
    count = (
        f"{len(failed)} of {messages.count(len(judged), 'case')} {'fails' if len(failed) == 1 else 'fail'} a threshold"
    )
    if any(map(_has_level, (found for case in judged for found in case.findings))):
        return [f"{count}: chance explains none, as the certainty is held over all bounds"]
    minima = _minima(judged)
    if not any(each for each, _ in minima):
        return []
    most = [(margin, _quantile(of_sound_model(minima, margin))) for margin in MARGINS]
    if 2 * most[-1][1] >= sum(bool(each) for each, _ in minima):
        size = messages.span([case.design for case in judged])
        return [f"{count}: {size} images a case are too few to say how many are due to chance"]
    first, *others = (number for _, number in most)
    return [
        f"{count}. By chance, a model whose true accuracies lie {MARGINS[0]:g} above all minima fails up to {first} "
        f"({_by_margin(others)})"
    ]


def _minima(cases: Iterable[CaseRun]) -> list[tuple[list[float], int]]:
    """Of each case its minima of accuracies, and the size of its design."""
    return [([found.bound for found in case.findings if _is_minimum(found)], case.design) for case in cases]


def _is_of_all(score: str) -> bool:
    """Whether a score is one of all pairs of the design: not of likeness, nor of a tag's alone, nor of a tail."""
    return not measure_of(score) and tag_of(score) is None and tails.of(score) is None


def _has_level(found: Finding) -> bool:
    """Whether the certainty is held over all bounds of the run, of which this is one."""
    return found.kind in _KINDS and found.level is not None and tails.of(found.score) is None


def _fails(found: Finding) -> bool:
    return found.holds is False and found.kind in _KINDS and _is_of_all(found.score)


def _is_minimum(found: Finding) -> bool:
    return found.kind == "min" and found.bound > 0 and found.score_kind.binary and _is_of_all(found.score)


def _quantile(chances: Sequence[float]) -> int:
    """How many of independent events happen at most, in 99 of 100 runs."""
    number = np.ones(1)
    for each in chances:
        number = np.convolve(number, [1 - each, each])
    return int(np.searchsorted(np.cumsum(number), SURE))
