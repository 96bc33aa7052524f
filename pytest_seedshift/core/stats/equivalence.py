"""Whether two versions are equivalent: the mean of the one within so much of the other's, on either side.

"Not found to be worse" is no proof of that: few pairs find nothing. Here what is to be shown is that the version's own
mean drop, over all possible pairs, lies within ±bound. Two one-sided tests on the same pairs (Schuirmann 1987, Journal
of Pharmacokinetics and Biopharmaceutics 15), "the drop is at least the bound" and "the gain is at least the bound", and
both have to be ruled out. So a version that is not equivalent passes with a probability of at most 1 − certainty,
without any share for the two tests, nor for the bounds of a case or of a grid that all have to hold: the one that does
not hold is let pass by its own error alone. That the bound was not shown, for want of pairs, fails.

Each side is tested as a drop against the baseline is in `bounds`: by bets at each image, and of accuracies, once the
design is complete, by the exact test of `proportions`, which has nine tenths of the error. It holds as soon as its
hypothesis is ruled out, and breaks as soon as the bets on the design say that its mean lies beyond the bound, since
then no pair that is still to come can make it hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.scores import WITHIN, Change, Finding
from pytest_seedshift.core.stats import betting, paired, proportions
from pytest_seedshift.core.stats.bounds import Chance, Tested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_seedshift.core.scores import Constraint

_STEPS = 14
"""Of bisections: an end of an interval is known to a ten-thousandth of the range."""


@dataclass(frozen=True, slots=True)
class Side(Tested):
    """One of the two tests: that the mean of some drops is below the bound.

    `goodness` is ½ less half of the drop over the range, of the gain where `turned`. `chance.gain` is the most that a
    pair can drop on this side.
    """

    turned: bool = False
    """Whether gains are what must not be too large."""

    @property
    def supposed(self) -> float:
        """That nothing has changed."""
        return 0.5

    def early(self, found: betting.Decision, won: Callable[[], int | None]) -> betting.Decision:
        """What stands before all values are known: that it is shown, or that the design's mean lies beyond the bound.

        Where only the whole design counts, all pairs are looked at; see `Tested.early`.
        """
        if self.waits:
            return betting.UNDECIDED
        shown = won()
        if shown is not None and (found.holds is not False or found.at is None or shown <= found.at):
            return betting.Decision(shown, True)
        return found if found.holds is False else betting.UNDECIDED

    def lost(self, goodness: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each pair is from the most that it can drop."""
        return np.maximum(self.most_drop - self.scale.span * (1 - 2 * goodness), 0.0)  # forecasts make values up

    def holds(self, size: int) -> bool:
        """Whether it is ruled out that the mean drop is as large as the bound."""
        return self.p(size) <= self.chance.level

    def p(self, images: int) -> float:
        """How probable the first images, or smaller drops, are where the mean drop is the bound."""
        return self._p(images, self.bound)[0]

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say of this side."""
        sign = -1.0 if self.turned else 1.0
        measured = sign * self.measured(images) if images and self.goodness.size else math.nan
        found = Finding(self.score, WITHIN, self.bound, measured + 0.0, holds, own_kind=self.scale)
        if math.isnan(measured):
            return found
        drops = sign * self._drops[:images]
        p, by = self._p(images, self.bound)
        least = 0.0 if self.scale.binary else paired.unseen(self.scale) + 1e-9 * self.scale.span
        lost, won = int((drops > least).sum()), int((drops < -least).sum())
        return replace(found, change=Change(drops.size, lost, won, p, None, by, self.chance.level, self.bound))

    def with_interval(self, finding: Finding, images: int, certainty: float) -> Finding:
        """With the end of this side: the smallest bound that the first images would have shown."""
        if finding.change is None:
            return finding
        end = self.end(images)
        return replace(finding, low=-end) if self.turned else replace(finding, high=end)

    def end(self, images: int) -> float:
        """The smallest drop that the first images rule out, up to the score's range."""
        low, high = min(max(self.measured(images), -self.scale.span), self.scale.span), self.scale.span
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._p(images, middle)[0] <= self.chance.level else (middle, high)
        shown = self._p(images, self.bound)[0] <= self.chance.level
        return min(high, self.bound) if shown else high  # the last step of the search is no reason to say otherwise

    def _p(self, images: int, bound: float) -> tuple[float, str]:
        """The p-value of "the drop is at least so large", and the test that it comes from."""
        drops = self._drops[:images]
        by_bets = self._by_bets(drops, bound)
        if not self.scale.binary:
            return by_bets, "bets"
        fixed = 1.0
        if drops.size == self.size and self.chance.test != "stopped" and -1 < bound < 1:
            lost, won = int((drops > 0).sum()), int((drops < 0).sum())
            fixed = proportions.p_value(won, lost, drops.size, -float(bound))
        if self.chance.test == "exact":
            return fixed, "proportions"
        if self.chance.test == "stopped":
            return by_bets, "bets"
        early, late = min(1.0, by_bets / paired.EARLY), min(1.0, fixed / (1 - paired.EARLY))
        return (late, "proportions") if late < early else (early, "bets")

    def _by_bets(self, drops: NDArray[np.float64], bound: float) -> float:
        most = self.most_drop - bound
        if not drops.size or most <= 0:  # no pair can drop by more
            return 1.0 if not drops.size else 0.0
        return math.exp(-max(0.0, float(betting.evidence(np.maximum(self.most_drop - drops, 0.0), most)[-1])))

    @property
    def _drops(self) -> NDArray[np.float64]:
        return self.scale.span * (1 - 2 * self.goodness)

    @property
    def most_drop(self) -> float:
        """What no pair's drop is above; any larger number would do, and a mean near it could not be ruled out."""
        return min(self.scale.span, max(self.chance.gain, 2 * self.bound))

    @property
    def most_lost(self) -> float:
        """What the hypothesis allows of `lost` on average."""
        return self.most_drop - self.bound

    @property
    def _most_lost(self) -> float:
        return self.most_lost


def sides(constraint: Constraint, before: NDArray[np.float64], level: float, test: str) -> tuple[Side, Side]:
    """The two tests of a constraint's `within`, of no values yet.

    Args:
        constraint: whose margin has a value.
        before: the baseline's scores, of all pairs.
        level: of each test.
        test: what decided how many pairs there are; see `Chance`.
    """
    assert constraint.within is not None
    assert constraint.within.value is not None
    name, kind, bound = constraint.score, constraint.score_kind, constraint.within.value
    least, size = (kind.span - bound) / (2 * kind.span), before.size
    most = kind.span if kind.binary else float(before.clip(kind.low, kind.top).max()) - kind.low
    ends = ((most, False), (paired.gain(kind, before), True))
    none = np.empty(0)
    down, up = (
        Side(name, kind, WITHIN, bound, none, least, size, Chance(level, test, True, reach), turned)
        for reach, turned in ends
    )
    return down, up


def merged(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings of which the two of each score's sides, which follow each other, are one."""
    made: list[Finding] = []
    for each in findings:
        before = made[-1] if made else None
        if each.kind == WITHIN and before is not None and (before.kind, before.score) == (WITHIN, each.score):
            made[-1] = _both(before, each)
        else:
            made.append(each)
    return tuple(made)


def _both(down: Finding, up: Finding) -> Finding:
    holds = False if False in (down.holds, up.holds) else None if None in (down.holds, up.holds) else True
    made = replace(down, holds=holds)
    if down.change is not None and up.change is not None and up.change.p > down.change.p:
        made = replace(made, change=up.change)
    if down.high is None or up.low is None:
        return made
    low, high = min(up.low, down.measured), max(down.high, down.measured)
    return replace(made, low=low, high=high, half_width=(high - low) / 2)
