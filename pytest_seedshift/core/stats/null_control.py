"""The null control: a case in which nothing can change but by chance, so that a change is an error of the harness.

A random permutation of a seed vector that does not look at its values leaves N(0, I) as it is, and more than that: z
and its permutation are exchangeable, as each is a permutation of the other, drawn without regard to it. So whatever the
model, its sampler and the scorers are, the two scores of a pair could as well have come the other way round, and the
difference of each pair had either sign with the same chance. That is a test without any assumption (Fisher 1935): the
mean difference is compared with those that come of signs drawn at random. For accuracies it is McNemar's exact test.

That nothing is found excludes only what could have been found: with a finding stands the smallest change that half of
all designs would show, and that nine of ten would; see `power`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.core.scores import CERTAINTY, NULL, Constraint, Finding, check_certainty
from pytest_seedshift.core.stats import power
from pytest_seedshift.core.stats.chances import Chances
from pytest_seedshift.core.stats.course import Forecast, Judgement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.stats.course import Values

_DRAWS = 9999
"""Of signs, at least: a drop that is as large in 33 of them lies at the bound of 1 in 300, give or take 6."""

_CHUNK = 1000

_SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class NullTest:
    """Decides about one null control, on its whole design, in the form of a `sequential.SequentialTest`.

    A sound harness is accused wrongly with a probability of at most 1 − certainty, all scores together: each has its
    part of it (Bonferroni). The test is two-sided, as a gain that cannot be is as much an error as a loss.

    Args:
        size: the number of pairs of the design.
        certainty: between 0.5 and 1.
        scores: those that its samples have, by name.
    """

    size: int
    certainty: float = CERTAINTY
    scores: Mapping[str, ScoreKind] = field(default=SHIPPED, hash=False)

    def __post_init__(self) -> None:
        check_certainty(self.certainty)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """All scores that are measured, of which nothing is asked but that they do not change."""
        return tuple(Constraint(name, own_kind=kind) for name, kind in self.scores.items())

    @property
    def exact(self) -> bool:
        """The whole design is visited."""
        return True

    @property
    def compares(self) -> bool:
        """The control's scores are needed."""
        return True

    def begin(self) -> NullCourse:
        """A course of which nothing was seen, for who looks often; see `sequential.SequentialTest.begin`."""
        return NullCourse(self)

    def judge(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> Judgement:
        """Judge a design's scores against the control's; see `sequential.SequentialTest.judge`."""
        return self._judged(_drops(self.scores, scores, control or {}))

    def _judged(self, drops: Mapping[str, NDArray[np.float64]]) -> Judgement:
        seen = min(each.size for each in drops.values())
        if seen < self.size:
            return Judgement((), seen, decided=False)
        alpha = (1 - self.certainty) / len(drops)
        return Judgement(
            tuple(_finding(name, self.scores[name], each, alpha) for name, each in drops.items()), seen, decided=True
        )

    def forecast(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> Forecast:
        """The whole design; see `sequential.SequentialTest.forecast`."""
        return self._forecast(_drops(self.scores, scores, control or {}))

    def _forecast(self, drops: Mapping[str, NDArray[np.float64]]) -> Forecast:
        name, drop = next(iter(drops.items()))
        measured = math.fsum(drop) / drop.size if drop.size else math.nan
        leading = Finding(name, NULL, 0.0, measured, None, own_kind=self.scores[name])
        return Forecast(self.size, self.size, leading)

    def about(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> int:
        """The whole design; see `sequential.SequentialTest.about`."""
        return self.size

    def soonest(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> int:
        """The whole design; see `sequential.SequentialTest.soonest`."""
        return self.size


class NullCourse:
    """A null control on its way, in the form of a `course.Course`: it is judged when the whole design was seen."""

    def __init__(self, test: NullTest) -> None:
        self._test, self._judgement = test, Judgement((), 0, decided=False)
        self._drops: dict[str, list[NDArray[np.float64]]] = {name: [] for name in test.scores}

    @property
    def seen(self) -> int:
        """How many samples were added."""
        return self._judgement.images

    @property
    def stop(self) -> int | None:
        """The whole design, once it was seen."""
        return self.seen if self.seen == self._test.size else None

    def add(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> None:
        """Go on by further samples; see `course.Course.add`."""
        further, size = _drops(self._test.scores, scores, control or {}), self._test.size
        seen = self.seen + min(each.size for each in further.values())
        if seen > size:
            raise InvalidValueError(f"the scores have {seen} values for a design of {size} pairs")
        for name, drops in further.items():
            self._drops[name].append(drops)
        self._judgement = Judgement((), seen, decided=False)

    def judgement(self) -> Judgement:
        """What is known."""
        if self.stop is not None and not self._judgement.decided:
            self._judgement = self._test._judged(self._joined())
        return self._judgement

    def forecast(self) -> Forecast:
        """The whole design."""
        return self._test._forecast(self._joined())

    def about(self) -> int:
        """The whole design."""
        return self._test.size

    def soonest(self) -> int:
        """The whole design."""
        return self._test.size

    def chances(self) -> Chances:
        """The whole design is needed."""
        size = self._test.size
        return Chances(size, np.array([size, size]), np.zeros(2))

    def _joined(self) -> dict[str, NDArray[np.float64]]:
        return {name: np.concatenate((np.empty(0), *drops)) for name, drops in self._drops.items()}


def chance(drops: Sequence[float] | NDArray[np.float64], alpha: float) -> float:
    """The largest mean drop, of either sign, that is not beyond chance.

    Args:
        drops: of each pair, the control's score less the null's.
        alpha: the probability with which a mean drop may lie beyond it where the sign of each is a matter of chance.

    Returns:
        0 or more, the same for the same drops.
    """
    values = np.asarray(drops, dtype=np.float64)
    draws = max(_DRAWS, math.ceil(10 / alpha) - 1)
    generator = np.random.default_rng(0)
    means = np.concatenate(
        [
            np.abs((2.0 * generator.integers(0, 2, (min(_CHUNK, draws - start), values.size), np.int8) - 1) @ values)
            for start in range(0, draws, _CHUNK)
        ]
    )
    # With the drop itself it is one of draws + 1; it lies beyond chance if at most a part alpha is as large.
    return float(np.sort(means)[-math.floor(alpha * (draws + 1))]) / values.size


def _drops(
    kinds: Mapping[str, ScoreKind], scores: Mapping[str, Values], control: Mapping[str, Values]
) -> dict[str, NDArray[np.float64]]:
    drops = {}
    for name, kind in kinds.items():
        after, before = (np.asarray(each.get(name, ()), dtype=np.float64) for each in (scores, control))
        if before.size < after.size:
            raise InvalidValueError(f"{kind.title}: the control has {before.size} values for {after.size} pairs")
        if not (np.isfinite(after).all() and np.isfinite(before).all()):
            raise InvalidValueError(f"{kind.title} has values that are not finite")
        low, top = kind.low, kind.top
        drops[name] = before[: after.size].clip(low, top) - after.clip(low, top)
    return drops


def _finding(score: str, kind: ScoreKind, drops: NDArray[np.float64], alpha: float) -> Finding:
    drop, bound = math.fsum(drops) / drops.size, chance(drops, alpha)
    least, least_90 = (power.detectable(kind, drops, alpha, share) for share in power.SHARES)
    holds = abs(drop) <= bound + _SLACK
    return Finding(score, NULL, bound, drop, holds, least=least, least_90=least_90, own_kind=kind)
