"""The bounds of a case in the one form that is decided, and a drop against a baseline held against chance.

Pure numbers, as `sequential`, which decides about a case by its bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core import tails
from pytest_seedshift.core.scores import ANY, Change, Finding
from pytest_seedshift.core.stats import betting, paired
from pytest_seedshift.core.stats.wealth import Evidence

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from pytest_seedshift.core.score_kinds import ScoreKind


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound in the one form that is decided: the mean of `goodness`, values in [0, 1], is at least `least`."""

    score: str
    scale: ScoreKind
    """What the score is."""
    kind: str
    bound: float
    goodness: NDArray[np.float64]
    least: float
    size: int
    """How many values there are in all."""
    places: NDArray[np.intp] | None = field(default=None, kw_only=True, repr=False, compare=False)
    """Where in the design its pairs stand, ascending; None of a bound on the design's first pairs."""

    @property
    def complete(self) -> bool:
        """Whether all values were seen."""
        return self.goodness.size == self.size

    @property
    def supposed(self) -> float:
        """What each value is supposed to be before any was seen."""
        return (1 + self.least) / 2

    @property
    def waits(self) -> bool:
        """Whether it is decided with its last value, whatever was seen before."""
        return False

    def with_values(self, goodness: NDArray[np.float64]) -> Self:
        """The same bound, of these values."""
        return replace(self, goodness=goodness)

    def early(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """What stands before all values are known.

        Args:
            found: what the bets on the design say.
            won: after how many values chance is ruled out, where that is asked.
        """
        return found

    def decide(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """What stands; see `early`."""
        return found

    def measured(self, images: int) -> float:
        """The mean, or the mean drop, of the first images, in the score's own units; NaN of none."""
        images = min(images, self.goodness.size)
        if not images:
            return math.nan
        span = self.scale.span
        mean = math.fsum(self.goodness[:images]) / images
        return self.scale.low + span * mean if self.kind == "min" else span - 2 * span * mean

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say."""
        return self._finding(images, holds, None)

    def _finding(self, images: int, holds: bool | None, change: Change | None) -> Finding:
        measured = self.measured(images)
        return Finding(self.score, self.kind, self.bound, measured, holds, change, own_kind=self.scale)

    @property
    def can_break(self) -> bool:
        """Whether any values could break it."""
        return not betting.reaches(0.0, self.least, self.size)

    def with_interval(self, finding: Finding, images: int, certainty: float) -> Finding:
        """What the first images say, with the interval of the model's own drop or tail; a mean's stands elsewhere."""
        seen = self.goodness[:images]
        is_min = self.kind == "min"
        if (is_min and tails.of(self.score) is None) or not seen.size:
            return finding
        if is_min:
            low, high = betting.interval(seen, certainty)
            return replace(finding, low=min(low, finding.measured), high=max(high, finding.measured))
        low, high = drop_interval(self.scale, seen, certainty)
        return replace(finding, low=min(low, finding.measured), high=max(high, finding.measured))

    def holds(self, size: int) -> bool:
        """Whether the bound holds on all values of a design."""
        return bool(betting.reaches(self.goodness.sum(), self.least, size))

    def repeated(self) -> NDArray[np.float64]:
        """What follows if it is like what was seen."""
        return np.resize(np.append(self.supposed, self.goodness), self.size - self.goodness.size)


def drop_interval(kind: ScoreKind, goodness: NDArray[np.float64], certainty: float) -> tuple[float, float]:
    """Where the model's own mean drop lies, in the score's units: a confidence sequence, which holds at every stop.

    Args:
        kind: of the score.
        goodness: of each pair, in [0, 1]: ½ less half of the drop over the score's range.
        certainty: of the interval.
    """
    span = kind.span
    low, high = betting.interval(goodness, certainty)
    return span - 2 * span * high, span - 2 * span * low


@dataclass(frozen=True, slots=True)
class Part(Bound):
    """A bound on a part of the design: on the pairs of which a baseline has pictures.

    Where the baseline itself ended early, `waits` is true: its pairs are in no random order, so all are looked at.
    """

    is_whole: bool

    @property
    def waits(self) -> bool:
        """Whether it is decided with its last value, whatever was seen before."""
        return not self.is_whole

    def early(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """What the bets say, where there are any."""
        return betting.UNDECIDED if self.waits else found

    def decide(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """Once all pairs of the part are known, what they say."""
        early = self.early(found, won)
        if not self.complete or (early.at is not None and early.at < self.size):
            return early
        return betting.Decision(self.size, Bound.holds(self, self.size))


@dataclass(frozen=True, slots=True)
class Chance:
    """How a broken bound is held against chance.

    `test` tells what decided how many pairs there are: "exact" nothing, "looks" nothing but an early stop of this case,
    "stopped" the baseline's own early verdict. `significant` is as in `Constraint`; of no drop it is always true.
    `gain` is the most that a pair's score can rise, in its units.
    """

    level: float
    test: str
    significant: bool | str = True
    gain: float = 1.0

    @property
    def asked(self) -> bool:
        """Whether a bound breaks only where chance is ruled out too."""
        return self.significant is not False

    @property
    def any_change(self) -> bool:
        """Whether "nothing has changed" is to be ruled out, and not "the bound holds"."""
        return self.significant == ANY

    def allowed(self, bound: float) -> float:
        """The drop of the hypothesis that is to be ruled out."""
        return 0.0 if self.any_change else bound


@dataclass(frozen=True, slots=True)
class Tested(Bound):
    """A bound that breaks only where the model's own mean is beyond it, and not only that of the design."""

    chance: Chance

    def early(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """Within the bound: as early as that is known. Beyond it: when it is known, and chance is ruled out too.

        Where only the whole design counts, all pairs are looked at; so are those of a baseline that stopped early: it
        has ended on a streak, and its pairs are in no random order.
        """
        if self.waits:
            return betting.UNDECIDED
        if found.at is None or found.holds or not self.chance.asked:
            return found
        beyond = won()
        return betting.UNDECIDED if beyond is None else betting.Decision(max(found.at, beyond), False)

    def decide(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """Once all pairs are known: what was decided on the way, else what they say."""
        early = self.early(found, won)
        if not self.complete or (early.at is not None and early.at < self.size):
            return early
        return betting.Decision(self.size, self.holds(self.size))

    @property
    def waits(self) -> bool:
        """Whether all its pairs are looked at, whatever was seen before."""
        return self.chance.test != "looks"

    def doubt(self) -> Evidence:
        """Who bets that the model's own mean is beyond the bound, before the first value."""
        part = paired.EARLY if self._has_fixed_test else 1.0
        return Evidence(self._most_lost, -math.log(self.chance.level * part))

    def lost(self, goodness: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each value what is lost by it, in the unit of what the hypothesis allows on average; 0 or more."""
        raise NotImplementedError

    def holds(self, size: int) -> bool:
        """Whether the mean of all pairs is within its bound, or beyond it by chance."""
        within = bool(betting.reaches(self.goodness.sum(), self.least, size))
        return within or (self.chance.asked and self.p(size) > self.chance.level)

    def evidence(self) -> NDArray[np.float64]:
        """See `betting.evidence`."""
        if self._most_lost <= 0:
            return np.zeros(self.goodness.size)
        return betting.evidence(self.lost(self.goodness), self._most_lost)

    def p(self, images: int) -> float:
        """How probable the first images, or worse ones, are where the bound holds of the model itself."""
        raise NotImplementedError

    @property
    def _has_fixed_test(self) -> bool:
        return self.scale.binary

    @property
    def _most_lost(self) -> float:
        """What the hypothesis allows to be lost on average; none is tested where it is not above 0."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Threshold(Tested):
    """A minimum, or a largest drop against the control, that breaks only beyond chance; see `[verdict] family`."""

    def p(self, images: int) -> float:
        """How probable the first images, or worse ones, are where the bound holds of the model itself."""
        seen = replace(self, goodness=self.goodness[:images])
        by_bets = math.exp(-float(seen.evidence().max())) if images else 1.0
        if not self._has_fixed_test:
            return min(1.0, by_bets)
        fixed = seen._fixed() if seen.complete else 1.0
        if self.chance.test == "exact":
            return fixed
        return min(1.0, by_bets / paired.EARLY, fixed / (1 - paired.EARLY))

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say."""
        found = Bound.finding(self, images, holds)
        return replace(found, p=self.p(images), level=self.chance.level) if images and self.goodness.size else found

    def lost(self, goodness: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each value lacks of the best."""
        return 1 - goodness

    @property
    def _most_lost(self) -> float:
        return 1 - self.least

    def _fixed(self) -> float:
        if self.kind == "min":
            from scipy.stats import binom

            return float(binom.cdf(round(float(self.goodness.sum())), self.size, self.bound))
        drops = 1 - 2 * self.goodness
        found = paired.p_fixed(self.scale, drops, self.bound, self.chance.level, any_change=False)
        return 1.0 if found is None else found[0]


@dataclass(frozen=True, slots=True)
class Regression(Tested):
    """A bound on the drop against a baseline, over the pairs that it has."""

    def lost(self, goodness: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each pair is from the most that it can gain; so bets may be the bolder."""
        return np.maximum(self.scale.span * (1 - 2 * goodness) + self.chance.gain, 0.0)  # forecasts make values up

    @property
    def _most_lost(self) -> float:
        return self.chance.gain + self.chance.allowed(self.bound)

    def p(self, images: int) -> float:
        """How probable such a drop is; see `compare`."""
        return _p(self.scale, self._drops[:images], self.chance, self.bound, self.size)[0]

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say."""
        change = self.change(images) if self.goodness.size and images else None
        return self._finding(images, holds, change)

    def change(self, images: int) -> Change:
        """What has become of the first images' pairs."""
        return compare(self.scale, self._drops[:images], self.chance, self.bound, self.size)

    @property
    def supposed(self) -> float:
        """That nothing has changed."""
        return 0.5

    @property
    def _drops(self) -> NDArray[np.float64]:
        return self.scale.span * (1 - 2 * self.goodness)

    @property
    def _has_fixed_test(self) -> bool:
        return self.scale.binary or self.chance.any_change


def compare(kind: ScoreKind, drops: NDArray[np.float64], chance: Chance, bound: float, size: int) -> Change:
    """What has become of a score on pairs that two versions have.

    Args:
        kind: of the score.
        drops: of each pair, in the order in which the design is visited; see `paired.changes`.
        chance: how their significance is tested.
        bound: the drop that is allowed.
        size: how many pairs there are to compare in all.
    """
    allowed, level = chance.allowed(bound), chance.level
    p, by = _p(kind, drops, chance, bound, size)
    fixed = kind.binary or chance.any_change
    seen = drops
    if chance.test == "stopped" or not fixed:
        least = paired.least_of_bets(kind, drops, allowed, chance.gain, level)
    else:
        if chance.test == "looks":  # what the whole design could tell, if it goes on so
            level *= 1 - paired.EARLY
            seen = np.resize(drops, size) if drops.size else drops
        least = paired.least_fixed(kind, seen, allowed, level, any_change=chance.any_change)
    lost, won = int((drops > 0).sum()), int((drops < 0).sum())
    sure = paired.in_nine_of_ten(kind, seen, least)
    return Change(drops.size, lost, won, p, least, by, chance.level, allowed, sure)


def _p(kind: ScoreKind, drops: NDArray[np.float64], chance: Chance, bound: float, size: int) -> tuple[float, str]:
    """The p-value of some pairs' drops, and the test that it comes from."""
    allowed, level = chance.allowed(bound), chance.level
    fixed = None
    if chance.test == "exact" or (chance.test == "looks" and drops.size == size):
        fixed = paired.p_fixed(kind, drops, allowed, level, any_change=chance.any_change)
    if chance.test == "exact" and fixed is not None:
        return fixed
    p = paired.p_of_bets(drops, allowed, chance.gain)
    if chance.test == "looks" and (kind.binary or chance.any_change):
        p /= paired.EARLY
        if fixed is not None and fixed[0] / (1 - paired.EARLY) < p:
            p, by = fixed[0] / (1 - paired.EARLY), fixed[1]
            return min(1.0, p), by
    return min(1.0, p), "bets"
