"""What a sequential test says, in the plainest way: every question goes through all values from the first one on.

It is what `stats.course` is held against, which carries what it knows from look to look and knows without a walk what
would come of values that are all alike.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.stats import betting
from pytest_seedshift.core.stats.betting import UNDECIDED, Decision
from pytest_seedshift.core.stats.bounds import Bound, Regression, Tested
from pytest_seedshift.core.stats.course import Forecast, Judgement
from pytest_seedshift.core.stats.equivalence import Side, merged

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.sequential import SequentialTest


class PlainTest:
    """A `SequentialTest` that remembers nothing.

    Args:
        test: what is asked.
    """

    def __init__(self, test: SequentialTest) -> None:
        self.test, self.size = test, test.size

    def judge(self, scores, control=None) -> Judgement:
        bounds = self._bounds(scores, control)
        seen = self._seen(scores)
        decisions = [self._decide(bound, bounds) for bound in bounds]
        end = stop(decisions)
        images = seen if end is None else end
        if images == self.size:
            decisions = [Decision(images, bound.holds(bound.size)) for bound in bounds]
        findings = tuple(
            bound.finding(images, decision.holds if decision.at is not None and decision.at <= images else None)
            for bound, decision in zip(bounds, decisions, strict=True)
        )
        if end is not None:
            findings = tuple(
                bound.with_interval(finding, images, self.test.certainty)
                for bound, finding in zip(bounds, findings, strict=True)
            )
        return Judgement(merged(findings), images, end is not None)

    def forecast(self, scores, control=None) -> Forecast:
        bounds = self._bounds(scores, control)
        decisions = [self._bet(followed_by(bound, bound.repeated()), bounds) for bound in bounds]
        broken = [row for row, decision in enumerate(decisions) if decision.holds is False]
        ends = [decision.at or self.size for decision in decisions]
        row = min(broken, key=ends.__getitem__) if broken else ends.index(max(ends))
        leading = bounds[row].finding(self._seen(scores), None)
        if self.test.exact:
            return Forecast(self.size, self.size, leading)
        least = min(self._seen(scores) + 1, self.size)
        return Forecast(max(stop(decisions) or self.size, least), max(self._stop_if(bounds, 1.0), least), leading)

    def about(self, scores, control=None) -> int:
        forecast = self.forecast(scores, control).images
        if self.test.exact or all(each.needs_baseline is None for each in self.test.constraints):
            return forecast
        bounds = self._bounds(scores, control)
        ends = sorted(
            stop([self._bet(self._supposed(bound, draw), bounds) for bound in bounds]) or self.size for draw in range(9)
        )
        return max(ends[4], min(self._seen(scores) + 1, self.size))

    def soonest(self, scores, control=None) -> int:
        if self.test.exact:
            return self.size
        bounds = self._bounds(scores, control)
        return min(self._stop_if(bounds, value) for value in (0.0, 1.0))

    def _seen(self, scores) -> int:
        return len(scores[self.test.constraints[0].score])

    def _bounds(self, scores, control) -> list[Bound]:
        _, goodness = self.test._read({}, scores, control, 0)
        return [bound.with_values(values) for bound, values in zip(self.test._bounds({}), goodness, strict=True)]

    def _stop_if(self, bounds, value: float) -> int:
        rest = [np.full(bound.size - bound.goodness.size, value) for bound in bounds]
        futures = [followed_by(*each) for each in zip(bounds, rest, strict=True)]
        return stop([self._bet(bound, bounds) for bound in futures]) or self.size

    def _supposed(self, bound: Bound, draw: int) -> Bound:
        rest = self.test._supposed(bound, draw)
        pairs = len(self.test.baseline.get(bound.score, ()))
        if bound.kind != "max_drop" and pairs >= bound.size:  # all but the last: nobody asks for the exact test
            rest = rest[: max(bound.size - 1 - bound.goodness.size, 0)]
        return followed_by(bound, rest)

    def _decide(self, bound: Bound, bounds) -> Decision:
        if self.test.exact:
            return Decision(self.size, bound.holds(bound.size)) if bound.complete else UNDECIDED
        return self._bet(bound, bounds)

    def _bet(self, bound: Bound, bounds) -> Decision:
        alpha = 1 - self.test.certainty
        breakable = max(1, sum(each.can_break for each in bounds))
        found = decide(bound.goodness, bound.least, bound.size, holds=alpha, breaks=alpha / breakable)
        if not isinstance(bound, Tested):
            return found
        return shown(bound, found) if isinstance(bound, Side) else tested(bound, found)


def followed_by(bound: Bound, rest: np.ndarray) -> Bound:
    return replace(bound, goodness=np.append(bound.goodness, rest))


def shown(bound: Side, found: Decision) -> Decision:
    """What stands of one side of a bound that holds only where that is shown."""
    chance = bound.chance
    if chance.test == "looks":
        won = bound.evidence() >= -math.log(chance.level * (0.1 if bound.scale.binary else 1.0))
        ends = [Decision(int(won.argmax()) + 1, True)] if won.any() else []
        ends += [found] if found.holds is False else []
        first = min(ends, key=lambda each: each.at, default=UNDECIDED)
        if not bound.complete or (first.at is not None and first.at < bound.size):
            return first
    return Decision(bound.size, bound.holds(bound.size)) if bound.complete else UNDECIDED


def tested(bound: Tested, found: Decision) -> Decision:
    """What stands of a bound that breaks only beyond chance."""
    chance = bound.chance
    if not bound.complete and chance.test == "stopped":
        return UNDECIDED
    if not bound.complete or chance.test == "looks":
        if found.holds is False and chance.asked:
            fixed = bound.scale.binary or (isinstance(bound, Regression) and chance.any_change)
            won = bound.evidence() >= -math.log(chance.level * (0.1 if fixed else 1.0))
            found = Decision(max(found.at, int(won.argmax()) + 1), False) if won.any() else UNDECIDED
        if not bound.complete or (found.at is not None and found.at < bound.size):
            return found
    return Decision(bound.size, bound.holds(bound.size))


def decide(goodness: np.ndarray, least: float, size: int, *, holds: float, breaks: float) -> Decision:
    """Whether the mean of `size` values is at least `least`, as early as the first of them tell."""
    sums, unseen = np.cumsum(goodness), size - np.arange(1, goodness.size + 1)
    above, below = betting.reaches(sums, least, size), ~betting.reaches(sums + unseen, least, size)
    certain = above | below
    above = above | ~certain & (betting.log_wealth(goodness, least, size) >= -math.log(holds))
    below = below | ~certain & (betting.log_wealth(1 - goodness, 1 - least, size) >= -math.log(breaks))
    either = above | below
    if not either.any():
        return UNDECIDED
    at = int(either.argmax())
    return Decision(at + 1, bool(above[at]))


def stop(decisions: list[Decision]) -> int | None:
    """After how many images a case was decided: when its first bound broke, or the last was found to hold."""
    broken = [each.at for each in decisions if each.holds is False]
    if broken:
        return min(broken)
    ends = [each.at for each in decisions if each.at is not None]
    return max(ends) if len(ends) == len(decisions) else None
