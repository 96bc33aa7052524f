"""One base against others, on the same pairs: likeness of pictures, faithfulness, robustness, and what each costs.

Read from run folders: of the base, and of the others, which were run on the base's pairs. No model, and nothing made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import robustness
from pytest_seedshift.studies import likeness, versus_verdicts
from pytest_seedshift.studies.sampler_ablation import effects

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.studies.likeness import Likeness
    from pytest_seedshift.studies.sampler_ablation.effects import Mean
    from pytest_seedshift.studies.speed import Speed
    from pytest_seedshift.studies.versus_verdicts import Failed

SHOWN = ("top1", "clip")
"""The scores that are compared, as far as both sides have them; those of the user's own are, too."""

NONE_LOST: Mapping[str, str] = MappingProxyType({})

MOST_CHANGED = 4
"""So many pairs are shown of each model, those whose pictures are least alike."""

_FAILING, _OF_EACH = 2, 2
"""Of so many cases that it fails so many pairs are shown besides."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model costs.

    Attributes:
        seconds: of a scored image; None where none was made.
        memory: the most bytes that its run has had, of the GPU where there is one, else of the process; None where that
            is not known, or nothing was made.
        disk: bytes of the files of its weights; None where there are none, or that is not known.
        weights: bytes that these take in memory; None where that is not known.
        speed: beside the base; None of the base, and where it was not measured.
        untimed: why it was not.
    """

    seconds: float | None = None
    memory: int | None = None
    disk: int | None = None
    weights: int | None = None
    speed: Speed | None = None
    untimed: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """A model and the run of it.

    Attributes:
        model: its name.
        run: its samples.
        cost: of the model.
        failed: its cases that are not passed.
        beside: what fails its run beside its cases, in words.
    """

    model: str
    run: Baseline
    cost: Cost = Cost()
    failed: tuple[Failed, ...] = ()
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """One score of a model beside the base's, on the pairs that all of its cases have.

    Attributes:
        name: such as `top1`.
        kind: what it is.
        controls: the mean without a shift: the base's, the model's.
        change: the second less the first, with its interval.
        retained: what is left of it under the shifts, as a part of the mean without one: the base's, the model's; None
            without shifts, or where a mean without one is 0.
        robustness: the second less the first, with its interval; None likewise.
    """

    name: str
    kind: ScoreKind
    controls: tuple[float, float]
    change: Mean
    retained: tuple[float, float] | None = None
    robustness: Mean | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A pair whose pictures differ: the base's, and the model's, in a case of the model."""

    label: str
    seed: int
    ssim: float
    before: Path
    after: Path
    case: Case


@dataclass(frozen=True, slots=True)
class Other:
    """A model beside the base.

    Attributes:
        name: of the model.
        pairs: that its scores are of; of fewer than `robustness.LEAST` there are none.
        design: how many pairs there are.
        scores: in the order of `SHOWN`.
        likeness: of its pictures without a shift to the base's; None where there are none of the same pair.
        note: why nothing is known of likeness, where there are pictures.
        least: the pairs whose pictures are least alike, the least first, without a shift and then in cases that fail;
            those that are the same are none of them.
        cost: of the model.
        failed: its cases that are not passed.
        shared: those of them that fail only as they do in the base; see `versus_verdicts`.
        beside: what fails its run beside its cases, in words.
        verdict: `pass`, `as_base` where all that fails is shared, `fail` or `error`.
    """

    name: str
    pairs: int
    design: int
    scores: tuple[Score, ...]
    likeness: Likeness | None
    note: str
    least: tuple[Changed, ...]
    cost: Cost
    failed: tuple[Failed, ...] = ()
    shared: tuple[Case, ...] = ()
    beside: tuple[str, ...] = ()
    verdict: str = "pass"

    @property
    def early(self) -> bool:
        """Whether a case was decided before its whole design was looked at: then its means lean towards the verdict."""
        return self.pairs < self.design


@dataclass(frozen=True, slots=True)
class Versus:
    """All of it.

    Attributes:
        base: the base's name.
        cost: of the base.
        shifts: names with magnitudes; empty where only what is drawn without a shift was compared.
        certainty: of each interval.
        others: in the order in which they were given.
        lost: those whose run came to no verdicts, and why.
        failed: the base's own cases that are not passed.
    """

    base: str
    cost: Cost
    shifts: tuple[tuple[str, float], ...]
    certainty: float
    others: tuple[Other, ...]
    lost: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()

    def times(self, other: Other, what: Literal["memory", "disk", "weights"]) -> float | None:
        """How many times as much of something as the base a model takes; None where that is not known of both."""
        before, after = getattr(self.cost, what), getattr(other.cost, what)
        return after / before if before and after else None


def make(
    base: Side, others: Sequence[Side], *, certainty: float = CERTAINTY, lost: Mapping[str, str] = NONE_LOST
) -> Versus:
    """Hold models against a base.

    Args:
        base: its run.
        others: theirs, in the order in which they are shown.
        certainty: of each interval.
        lost: see `Versus`.
    """
    cases = [each for each in base.run.cases if each.model == base.model and not each.is_control]
    shifts = tuple((each.shift, each.magnitude) for each in cases)
    found = tuple(_other(base, each, certainty) for each in others)
    return Versus(base.model, base.cost, shifts, certainty, found, dict(lost), base.failed)


def _other(base: Side, other: Side, certainty: float) -> Other:
    before, after = base.run, other.run
    ours = {case: replace(case, model=base.model) for case in after.cases if case.model == other.model}
    both = {case: counterpart for case, counterpart in ours.items() if counterpart in before.cases}
    control = Case(other.model)
    scores: tuple[Score, ...] = ()
    pairs = design = 0
    if control in both:
        cases = [control, *(case for case in both if case != control)]
        sides = [(before.cases[both[case]], after.cases[case]) for case in cases]
        pairs = min(min(old.pairs, new.pairs) for old, new in sides)
        design = after.designs[sides[0][1].design].images
        labels = [label for label, _ in after.designs[sides[0][1].design].places()[:pairs]]
        kinds = base.run.scores | other.run.scores
        columns = {
            score: [(old.scores[score][:pairs], new.scores[score][:pairs]) for old, new in sides]
            for score in [*SHOWN, *(each for each in kinds if each not in BUILT_IN)]
            if pairs >= robustness.LEAST and all(score in old.scores and score in new.scores for old, new in sides)
        }
        scores = tuple(_score(score, kinds[score], values, labels, certainty) for score, values in columns.items())
    alike, note = _alike(base, other)
    least = () if alike is None else tuple(_least(alike, base, other, MOST_CHANGED))
    failing = tuple(pair for each in other.failed[:_FAILING] for pair in _least_of(each.case, base, other))
    same = versus_verdicts.shared((base.model, before, base.failed), (other.model, after, other.failed), certainty)
    return Other(
        other.model,
        pairs,
        design,
        scores,
        alike,
        note,
        (*least, *failing),
        other.cost,
        other.failed,
        same,
        other.beside,
        versus_verdicts.verdict(other.failed, same, other.beside),
    )


def _alike(base: Side, other: Side, case: Case | None = None) -> tuple[Likeness | None, str]:
    """How like the pictures of a case are, without one those without a shift; or why that is not known."""
    ours = case or Case(other.model)
    pictures = likeness.of(base.run), likeness.of(other.run)
    try:
        return next(likeness.of_runs(*pictures, {ours: replace(ours, model=base.model)}), None), ""
    except DataError as error:
        return None, str(error)


def _score(
    name: str,
    kind: ScoreKind,
    columns: Sequence[tuple[Sequence[float], Sequence[float]]],
    labels: Sequence[str],
    certainty: float,
) -> Score:
    """A score's change; `columns` are the base's and the model's values a pair, first those without a shift."""
    top = kind.top
    old, new = (np.asarray(each, dtype=np.float64) for each in columns[0])
    controls = float(old.mean()), float(new.mean())
    change = effects.mean(new - old, labels, (-kind.span, kind.span), certainty)
    shifted = columns[1:]
    if not shifted or kind.low < 0:  # what is retained is a share of the score, which needs a 0 that means nothing
        return Score(name, kind, controls, change)
    one, other = (effects.retained(columns[0][side], [each[side] for each in shifted], top) for side in (0, 1))
    if one is None or other is None:
        return Score(name, kind, controls, change)
    apart = effects.mean(other.by_pair - one.by_pair, labels, (-one.most, other.most), certainty)
    return Score(name, kind, controls, change, (one.value, other.value), apart)


def _least_of(case: Case, base: Side, other: Side) -> list[Changed]:
    """The pairs of a failing case; none of the control, whose pairs are shown anyway."""
    alike = None if case.is_control else _alike(base, other, case)[0]
    return [] if alike is None else _least(alike, base, other, _OF_EACH)


def _least(alike: Likeness, base: Side, other: Side, most: int) -> list[Changed]:
    values = sorted(zip(alike.values["ssim"], alike.values["psnr"], alike.places, strict=True))
    old = replace(alike.case, model=base.model)
    return [
        Changed(*place, ssim, base.run.pictures[old, *place], other.run.pictures[alike.case, *place], alike.case)
        for ssim, psnr, place in values[:most]
        if np.isfinite(psnr)
    ]
