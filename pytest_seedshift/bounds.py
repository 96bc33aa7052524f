"""The bounds of a case in the one form that is decided, and a drop against a baseline held against chance.

Pure numbers, as `verdict`, which decides about a case by its bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift import bets
from pytest_seedshift.gate import significance
from pytest_seedshift.scores import SCORES, Change, Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound in the one form that is decided: the mean of `goodness`, values in [0, 1], is at least `least`."""

    score: str
    kind: str
    bound: float
    goodness: NDArray[np.float64]
    least: float
    size: int
    """How many values there are in all."""

    @property
    def complete(self) -> bool:
        """Whether all values were seen."""
        return self.goodness.size == self.size

    def decide(self, *, holds: float, breaks: float) -> bets.Decision:
        """See the function of that name."""
        return bets.decide(self.goodness, self.least, self.size, holds=holds, breaks=breaks)

    def measured(self, images: int) -> float:
        """The mean, or the mean drop, of the first images, in the score's own units; NaN of none."""
        images = min(images, self.goodness.size)
        if not images:
            return math.nan
        top = SCORES[self.score].top
        mean = math.fsum(self.goodness[:images]) / images
        return top * mean if self.kind == "min" else top - 2 * top * mean

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say."""
        return Finding(self.score, self.kind, self.bound, self.measured(images), holds)

    @property
    def can_break(self) -> bool:
        """Whether any values could break it."""
        return not bets.reaches(0.0, self.least, self.size)

    def with_interval(self, finding: Finding, images: int, certainty: float) -> Finding:
        """What the first images say of a drop, with the interval of the model's own; of a mean it stands elsewhere."""
        seen = self.goodness[:images]
        if self.kind == "min" or not seen.size:
            return finding
        low, high = drop_interval(self.score, seen, certainty)
        return replace(finding, low=min(low, finding.measured), high=max(high, finding.measured))

    def holds(self, size: int) -> bool:
        """Whether the bound holds on all values of a design."""
        return bool(bets.reaches(self.goodness.sum(), self.least, size))

    def repeated(self) -> Bound:
        """As if what follows were like what was seen."""
        pattern = np.append(self.goodness, (1 + self.least) / 2)
        return self._with(np.resize(np.roll(pattern, 1), self.size - self.goodness.size))

    def followed_by(self, value: float) -> Bound:
        """As if all that follows had one value."""
        return self._with(np.full(self.size - self.goodness.size, value))

    def _with(self, rest: NDArray[np.float64]) -> Bound:
        return replace(self, goodness=np.append(self.goodness, rest))


def drop_interval(score: str, goodness: NDArray[np.float64], certainty: float) -> tuple[float, float]:
    """Where the model's own mean drop lies, in the score's units: a confidence sequence, which holds at every stop.

    Args:
        score: a key of `SCORES`.
        goodness: of each pair, in [0, 1]: ½ less half of the drop over the score's range.
        certainty: of the interval.
    """
    top = SCORES[score].top
    low, high = bets.interval(goodness, certainty)
    return top - 2 * top * high, top - 2 * top * low


@dataclass(frozen=True, slots=True)
class Chance:
    """How a drop is held against chance.

    `test` tells what decided how many pairs there are: "exact" nothing, "looks" nothing but an early stop of this case,
    "stopped" the baseline's own early verdict. With `asked` false a drop above its bound need not be beyond chance.
    """

    level: float
    test: str
    asked: bool


@dataclass(frozen=True, slots=True)
class Regression(Bound):
    """A bound on the drop against a baseline, over the pairs that it has."""

    chance: Chance

    def decide(self, *, holds: float, breaks: float) -> bets.Decision:
        """Within the bound: as early as that is known. Above it: when it is known, and chance is ruled out too.

        A baseline that stopped early has ended on a streak, so its pairs are in no random order, and all are looked at.
        """
        if self.complete:
            return self._last(holds, breaks)
        if self.chance.test == "stopped":
            return bets.UNDECIDED
        found = bets.decide(self.goodness, self.least, self.size, holds=holds, breaks=breaks)
        return found if found.holds is not False or not self.chance.asked else self._beyond(found)

    def _last(self, holds: float, breaks: float) -> bets.Decision:
        """All pairs are known: what was decided on the way, else what they say."""
        if self.chance.test == "looks":
            found = bets.decide(self.goodness, self.least, self.size, holds=holds, breaks=breaks)
            if found.holds is False and self.chance.asked:
                found = self._beyond(found)
            if found.at is not None and found.at < self.size:
                return found
        return bets.Decision(self.size, self.holds(self.size))

    def _beyond(self, found: bets.Decision) -> bets.Decision:
        """When a drop that is known to be above its bound is found to be beyond chance, by bets alone."""
        won = bets.evidence(self.goodness) >= -math.log(self.chance.level * significance.EARLY)
        if found.at is None or not won.any():
            return bets.UNDECIDED
        return bets.Decision(max(found.at, int(won.argmax()) + 1), False)

    def holds(self, size: int) -> bool:
        """Whether the drop of all pairs is within its bound, or within chance."""
        within = bool(bets.reaches(self.goodness.sum(), self.least, size))
        return within or (self.chance.asked and not self.change(size).beyond_chance)

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say."""
        change = self.change(images) if self.goodness.size and images else None
        return Finding(self.score, self.kind, self.bound, self.measured(images), holds, change)

    def change(self, images: int) -> Change:
        """What has become of the first images' pairs."""
        top = SCORES[self.score].top
        drops = top * (1 - 2 * self.goodness[:images])
        return compare(self.score, drops, self.chance.test, self.chance.level, self.size)


def compare(score: str, drops: NDArray[np.float64], test: str, level: float, size: int) -> Change:
    """What has become of a score on pairs that two versions have.

    Args:
        score: a key of `SCORES`.
        drops: of each pair, in the order in which the design is visited; see `significance.changes`.
        test: "exact" where the number of pairs was fixed on both sides, "looks" where one side may have stopped early
            and the other has its whole design, "stopped" where any side may have decided how many there are.
        level: up to which p-value the drop is beyond chance.
        size: how many pairs there are to compare in all.
    """
    goodness = 0.5 - drops / (2 * SCORES[score].top)
    by_bets = math.exp(-float(bets.evidence(goodness).max())) if drops.size else 1.0
    name, fixed = significance.fixed_test(score), significance.p_fixed(score, drops)
    if test == "exact":
        p, by, least = fixed, name, significance.least_fixed(score, drops, level)
    elif test == "looks":
        p, by = by_bets / significance.EARLY, "bets"
        if drops.size == size:
            p, by = min((p, by), (fixed / (1 - significance.EARLY), name))
        seen = np.resize(drops, size) if drops.size else drops  # what the whole design could tell, if it goes on so
        least = significance.least_fixed(score, seen, level * (1 - significance.EARLY))
    else:
        p, by, least = by_bets, "bets", _least_of_bets(score, drops, level)
    lost, won = int((drops > 0).sum()), int((drops < 0).sum())
    return Change(drops.size, lost, won, min(1.0, p), least, by, level)


def _least_of_bets(score: str, drops: NDArray[np.float64], level: float) -> float | None:
    """As `significance.least_fixed`, for bets."""
    if not drops.size:
        return None
    needed, top = -math.log(level), SCORES[score].top
    if SCORES[score].binary:
        won = int((drops < 0).sum())
        lost = np.arange(drops.size - won + 1)[:, np.newaxis]
        logs = lost * np.log1p(bets.STAKES) + won * np.log1p(-bets.STAKES)
        found = np.flatnonzero(np.logaddexp.reduce(logs, axis=1) - math.log(bets.STAKES.size) >= needed)
        return float(found[0] - won) / drops.size if found.size else None
    low, high = -top, top
    centred = drops - drops.mean()

    def wealth(mean: float) -> float:
        return float(bets.log_wealth((0.5 + (centred + mean) / (2 * top)).clip(0, 1), 0.5, math.inf)[-1])

    if wealth(high) < needed:
        return None
    while high - low > 1e-3 * top:
        middle = (low + high) / 2
        low, high = (low, middle) if wealth(middle) >= needed else (middle, high)
    return high
