"""What a case's scores say: whether its constraints hold on its design, and how sure the means are.

Pure numbers: this module knows no model, no tensor and no file.

The verdict is about the design: a bound holds if the mean over all N pairs of the design (or the mean paired drop
against the control) meets it. To know that, seldom are all N needed. The pairs come in an order that was drawn at
random, and after each one two gamblers bet, one against "the mean is below the bound", one against "it is not below".
Each bet is fair at best if the gambler is wrong, so by Ville's inequality one who is wrong ever multiplies the stake by
1/α with a probability of at most α; when one has, the other's side is given up. It needs no number of images in
advance, may look after every one, and after N images it is exact. The machinery is that of Waudby-Smith and Ramdas,
*Confidence sequences for sampling without replacement* (2020, arXiv 2006.04347) and *Estimating means of bounded
random variables by betting* (2024, JRSS B 86(1), arXiv 2010.09686).

A drop against a baseline (`max_regression`) is decided likewise, and breaks its bound only where it is also beyond
chance. That the drop is within the bound ends the case early. That it is above ends it early only if bets against
"nothing has become worse", which may be looked at whenever one likes, are won too; else the whole design is visited,
and the exact test speaks: see `paired`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core import likeness, tags, tails
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.scores import CERTAINTY, Constraint, Estimate, check_certainty, mean_of
from pytest_seedshift.core.stats import betting, equivalence, paired, tail_bounds
from pytest_seedshift.core.stats.bounds import Bound, Chance, Part, Regression, Threshold, drop_interval
from pytest_seedshift.core.stats.course import Course, Forecast, Judgement, Terms, Values
from pytest_seedshift.core.stats.equivalence import Side
from pytest_seedshift.core.stats.tail_bounds import Grouped, WorstLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.score_kinds import ScoreKind

_KEPT = 0.5
"""The share of a supposed version's pairs that keep the baseline's score."""

_PRIOR = 16
"""After how many pairs those seen weigh as much as what is supposed."""

_NONE = np.empty(0)


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Decides about one case: its constraints, on a design of `size` pairs, wrong in one case of 1/(1 − certainty).

    α = 1 − certainty is spent where it is needed. A case that truly fails passes by mistake only if its broken bound is
    taken to hold: that is one bound, and it may have all of α. A case that truly passes fails by mistake if any of its
    bounds is taken to be broken: these share α. One that no values could break (a minimum of 0) takes no part of it.

    Args:
        constraints: what is asked, not empty.
        size: N, the number of pairs of the design.
        certainty: between 0.5 and 1.
        exact: judge only when the whole design was visited.
        baseline: by score, the baseline's values for the first pairs of the design, for `max_regression` and `within`;
            a regression is judged over these pairs.
        fixed: whether the baseline's number of pairs was fixed beforehand: the whole design, then.
        family: among how many tests of regressions, those of other cases too, the certainty is shared.
        pictured: of how many of the first pairs the baseline has pictures, for likeness; it is judged over these.
        thresholds: among how many bounds of "min" and "max_drop", those of other cases too, the certainty is shared;
            then such a bound breaks only where the model's own mean, and not that of the design alone, is found to be
            beyond it. 0: it is the design that counts.
        tags: by tag, where its pairs stand in the design, ascending; a bound of a tag's score is on these alone. They
            come in a random order, as all do, so it is decided as others are, and is one more to share α with.
        labels: by label, where its pairs stand in the design, in the order of their seed indices; needed for bounds of
            the worst label or of groups of a label's pictures, see `tail_bounds`.

    Raises:
        InvalidValueError: no constraint or one without a bound; a certainty outside its range; a baseline that does not
            fit.
    """

    constraints: tuple[Constraint, ...]
    size: int
    certainty: float = CERTAINTY
    exact: bool = False
    baseline: Mapping[str, Values] = field(default_factory=dict, compare=False)
    fixed: bool = True
    family: int = 1
    thresholds: int = 0
    pictured: int = 0
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict, compare=False)
    labels: Mapping[str, tuple[int, ...]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.constraints or any(each.is_empty for each in self.constraints):
            raise InvalidValueError("no constraint: what is not checked has not passed")
        check_certainty(self.certainty)
        for constraint in self.constraints:
            if likeness.measure_of(constraint.score) is not None and not 0 < self.pictured <= self.size:
                raise InvalidValueError(
                    f"{constraint.score_kind.title}: the baseline has {self.pictured} pictures for a design of "
                    f"{self.size} pairs"
                )
            if (tag := tags.tag_of(constraint.score)) is not None and not self.tags.get(tag):
                raise InvalidValueError(f"{constraint.score_kind.title}: no pair of the design has that tag")
            if tails.of(constraint.score) is not None:
                tail_bounds.check(constraint, self._labels(constraint.score), self._share)
            pairs = len(self.baseline.get(constraint.score, ()))
            if constraint.needs_baseline is None:
                continue
            if not 0 < pairs <= self.size or (self.fixed and pairs != self.size):
                raise InvalidValueError(
                    f"{constraint.needs_baseline} of {constraint.score_kind.title}: the baseline has {pairs} values "
                    f"for a design of {self.size} pairs"
                )

    @property
    def level(self) -> float:
        """Up to which p-value a regression counts: α, shared by the case's own tests or by those of the family."""
        own = sum(each.max_regression is not None and bool(each.significant) for each in self.constraints)
        return (1 - self.certainty) / max(own, self.family, 1)

    @property
    def compares(self) -> bool:
        """Whether the control's scores of the same pairs are needed."""
        return any(constraint.max_drop is not None for constraint in self.constraints)

    def judge(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> Judgement:
        """Judge what was seen so far.

        Args:
            scores: by score, one finite value for each of the first pairs of the design.
            control: the control's values for at least these pairs, in the same order; needed where `compares`.

        Raises:
            InvalidValueError: a score that is missing or not finite, more values than pairs, or a control that does not
                fit.
        """
        return self._seen(scores, control).judgement()

    def forecast(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> Forecast:
        """Guess how many images the case will take; see `Course.forecast`."""
        return self._seen(scores, control).forecast()

    def about(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> int:
        """How many images the case will take, for a person: of designs that it may turn out to have, the median.

        Only a drop against a baseline needs more than `forecast`, which takes the pairs to come for unchanged, the
        fewest images that there can be. Here the version is supposed to be as good as its baseline, and not the same:
        half of its pairs keep their score, the others have that of any pair of the baseline. Of top-1 with a mean p
        that turns a share of p·(1 − p) of the pairs, as many right as wrong: 21 % at 0.7, 5 % at 0.95. What was seen
        counts beside that, the more the more there is: a supposed pair is like any one of those seen with the chance
        n / (n + 16) after n of them. A version that is worse takes more images, up to all; one that is the same fewer.

        The draws are seeded: the same samples get the same number.
        """
        return self._seen(scores, control).about()

    def soonest(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> int:
        """The number of images before which no verdict can stand, whatever the images to come will be."""
        return self._seen(scores, control).soonest()

    def begin(self) -> Course:
        """A course of which nothing was seen: for who looks often."""
        regresses = any(each.needs_baseline is not None for each in self.constraints)
        suppose = self._supposed if regresses else None
        groups = {
            each.score: tail_bounds.grouped(each, self._labels(each.score), self.size)
            for each in self.constraints
            if (tail := tails.of(each.score)) is not None and tail.is_of_groups
        }
        read = partial(self._read, groups)
        return Course(Terms(self._bounds(groups), self.size, self.certainty, self.exact, read, suppose))

    def _seen(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None) -> Course:
        course = self.begin()
        course.add(scores, control)
        return course

    def _supposed(self, bound: Bound, draw: int) -> NDArray[np.float64]:
        """What follows in one of the designs of `about`."""
        before = np.asarray(self.baseline.get(bound.score, ()), dtype=np.float64)
        if bound.kind == "max_drop" or before.size < bound.size:  # the control is not known, or the baseline in part
            return bound.repeated()
        low, span, seen = bound.scale.low, bound.scale.span, bound.goodness.size
        rest = before[seen : bound.size].clip(low, bound.scale.top)
        rng = np.random.default_rng(draw)
        others = rng.choice(before.clip(low, bound.scale.top), rest.size)
        after = np.where(rng.random(rest.size) < _KEPT, rest, others)
        drops = paired.changes(bound.scale, rest, after) * (-1 if isinstance(bound, Side) and bound.turned else 1)
        goodness = (after - low) / span if bound.kind == "min" else 0.5 - drops / (2 * span)
        if seen:
            like_seen = rng.random(rest.size) < seen / (seen + _PRIOR)
            goodness = np.where(like_seen, rng.choice(bound.goodness, rest.size), goodness)
        return np.asarray(goodness, dtype=np.float64)

    def _bounds(self, groups: Mapping[str, Grouped]) -> tuple[Bound, ...]:
        """What is asked, of no values yet; groups by the score that they are of."""
        bounds: list[Bound] = []
        for constraint in self.constraints:
            low, span = constraint.score_kind.low, constraint.score_kind.span
            if constraint.minimum is not None:
                least, own = (constraint.minimum - low) / span, groups.get(constraint.score)
                bounds.append(self._worst(constraint) or self._bound(constraint, "min", constraint.minimum, least, own))
            if constraint.max_drop is not None:
                least = (span - constraint.max_drop) / (2 * span)
                bounds.append(self._bound(constraint, "max_drop", constraint.max_drop, least))
            if constraint.max_regression is not None:
                bounds.append(self._regression(constraint, constraint.max_regression))
            if constraint.within is not None:
                before = np.asarray(self.baseline[constraint.score], dtype=np.float64)
                bounds += equivalence.sides(constraint, before, 1 - self.certainty, self._looks)
        return tuple(bounds)

    @property
    def _share(self) -> float:
        """Of α, what a bound has alone that is shared by all labels."""
        broken = sum(bool(each.minimum) + (each.max_drop is not None) for each in self.constraints)
        compared = sum((each.max_regression is not None) + 2 * (each.within is not None) for each in self.constraints)
        return (1 - self.certainty) / (self.thresholds or max(1, broken + compared))

    def _labels(self, score: str) -> list[tuple[int, ...]]:
        return tail_bounds.labels_of(score, self.labels, self.tags)

    def _worst(self, of: Constraint) -> Bound | None:
        """The bound on the worst label; None of a constraint of another kind."""
        tail, minimum, tag = tails.of(of.score), of.minimum, tags.tag_of(of.score)
        if tail is None or minimum is None or tail.kind != tails.MIN_CLASS:
            return None
        places = None if tag is None else np.array(self.tags[tag], dtype=np.intp)
        labels = (np.sort(np.array(each, dtype=np.intp)) for each in self._labels(of.score))
        own = tuple(each if places is None else np.searchsorted(places, each) for each in labels)
        size = self.size if places is None else places.size
        given = (of.score, of.score_kind, "min", minimum, _NONE, minimum, size)
        return WorstLabel(*given, own, self._share, places=places)

    def _bound(self, of: Constraint, kind: str, bound: float, least: float, groups: Grouped | None = None) -> Bound:
        """A bound on the design, or on the model's own mean where the certainty is that of the whole grid."""
        of_pictures, tag = likeness.measure_of(of.score) is not None, tags.tag_of(of.score)
        places = None if tag is None else np.array(self.tags[tag], dtype=np.intp)
        places = places if groups is None else groups.places
        size = self.pictured if of_pictures else self.size if places is None else places.size
        if not self.thresholds:
            if of_pictures:
                return Part(of.score, of.score_kind, kind, bound, _NONE, least, size, self.fixed)
            return Bound(of.score, of.score_kind, kind, bound, _NONE, least, size, places=places)
        test = "exact" if self.exact else "stopped" if of_pictures and not self.fixed else "looks"
        chance = Chance((1 - self.certainty) / self.thresholds, test)
        return Threshold(of.score, of.score_kind, kind, bound, _NONE, least, size, chance, places=places)

    def _regression(self, constraint: Constraint, most: float) -> Regression:
        """The bound on the drop against the baseline, over the pairs that it has."""
        name, kind, span = constraint.score, constraint.score_kind, constraint.score_kind.span
        before = np.asarray(self.baseline[name], dtype=np.float64)
        how = Chance(self.level, self._looks, constraint.significant, paired.gain(kind, before))
        return Regression(name, kind, "max_regression", most, _NONE, (span - most) / (2 * span), before.size, how)

    @property
    def _looks(self) -> str:
        """What decides how many pairs are held against the baseline; see `Chance`."""
        return "exact" if self.fixed and self.exact else "looks" if self.fixed else "stopped"

    def _read(
        self,
        groups: Mapping[str, Grouped],
        scores: Mapping[str, Values],
        control: Mapping[str, Values] | None,
        seen: int,
    ) -> tuple[int, list[NDArray[np.float64]]]:
        """How many further values there are, and their goodness by bound."""
        goodness: list[NDArray[np.float64]] = []
        for constraint in self.constraints:
            name, kind, span = constraint.score, constraint.score_kind, constraint.score_kind.span
            if name not in scores:
                raise InvalidValueError(f"{kind.title} was not measured")
            values = _checked(kind, scores[name])
            if seen + values.size > self.size:
                raise InvalidValueError(
                    f"{kind.title} has {seen + values.size} values for a design of {self.size} pairs"
                )
            own = self._own(name, seen, values.size)
            if constraint.minimum is not None and name in groups:
                goodness.append(groups[name].add(values, seen))
            elif constraint.minimum is not None:
                goodness.append((values[own] - kind.low) / span)
            if constraint.max_drop is not None:
                before = _checked(kind, (control or {}).get(name, ()))[: values.size]
                if before.size != values.size:
                    raise InvalidValueError(
                        f"max_drop of {kind.title}: the control has {before.size} values for the case's "
                        f"{values.size} pairs"
                    )
                # A drop lies in [-span, span]: turned round, so that more is better, and rescaled.
                goodness.append((values - before + span)[own] / (2 * span))
            if constraint.max_regression is not None:
                old = np.asarray(self.baseline[name][seen : seen + values.size], dtype=np.float64)
                goodness.append(0.5 - paired.changes(kind, old, values[: old.size]) / (2 * span))
            if constraint.within is not None:
                old = np.asarray(self.baseline[name][seen : seen + values.size], dtype=np.float64)
                half = paired.differences(kind, old, values[: old.size]) / (2 * span)
                goodness += [0.5 - half, 0.5 + half]
        numbers = {len(scores[constraint.score]) for constraint in self.constraints}
        if len(numbers) > 1:
            raise InvalidValueError("the scores have unlike numbers of values")
        return numbers.pop(), goodness

    def _own(self, score: str, seen: int, count: int) -> slice | NDArray[np.intp]:
        """Which of so many further values count for a score: those of its tag, or of pairs with pictures."""
        if (tag := tags.tag_of(score)) is not None:
            places = np.array(self.tags[tag], dtype=np.intp)
            first, last = np.searchsorted(places, [seen, seen + count])
            return places[first:last] - seen
        return slice(max(0, self.pictured - seen) if likeness.measure_of(score) is not None else count)


def estimate(kind: ScoreKind, values: Values, *, certainty: float = CERTAINTY, stopped: bool = False) -> Estimate:
    """The mean of a score's values with the interval in which the model's own mean, over all possible pairs, lies.

    Args:
        kind: of the score.
        values: at least one.
        certainty: of the interval.
        stopped: whether the values themselves decided how many there are. Such a sample is no ordinary one (it ended
            on a streak), so its interval is the confidence sequence of the bets above, which holds at every stop. Where
            the number was fixed, Wilson's interval for accuracies (Wilson 1927; by scipy) is narrower. Other scores
            have the interval of the bets then too: it sets no bound but their range. A bootstrap, or Student's t,
            knows only of values that were seen: equal values would have no width, and a rare low one would be missed.

    Raises:
        InvalidValueError: no values, or one that is not finite. What was not measured has no mean.
    """
    array = _checked(kind, values)
    if not array.size:
        raise InvalidValueError(f"{kind.title} has no values")
    raw = np.asarray(values, dtype=np.float64)
    clipped = int((raw != array).sum())
    mean = mean_of(kind, array)
    if kind.binary and not stopped:
        from scipy.stats import binomtest

        interval = binomtest(int(array.sum()), array.size).proportion_ci(certainty, method="wilson")
        return Estimate(mean, float(interval.low), float(interval.high), clipped)
    low, high = (kind.low + kind.span * end for end in betting.interval((array - kind.low) / kind.span, certainty))
    return Estimate(mean, min(low, mean), max(high, mean), clipped)


def estimate_drop(kind: ScoreKind, values: Values, control: Values, *, certainty: float = CERTAINTY) -> Estimate:
    """The mean drop of a score against the control on the same pairs, with the interval of the model's own mean drop.

    The interval is a confidence sequence by the bets above, on the differences: it holds wherever a case has stopped.

    Args:
        kind: of the score.
        values: the case's, at least one.
        control: the control's, of the same pairs in the same order.
        certainty: of the interval.

    Returns:
        Positive where the case scores lower than the control; from −span to span of the score.

    Raises:
        InvalidValueError: no values, one that is not finite, or unlike numbers of them.
    """
    after, before = _checked(kind, values), _checked(kind, control)
    if not after.size or after.size != before.size:
        raise InvalidValueError(f"{kind.title} has {after.size} values, the control {before.size}")
    span = kind.span
    goodness = (after - before + span) / (2 * span)
    mean = span - 2 * span * math.fsum(goodness) / goodness.size
    low, high = drop_interval(kind, goodness, certainty)
    return Estimate(mean, min(low, mean), max(high, mean))


def _checked(kind: ScoreKind, values: Values) -> NDArray[np.float64]:
    """The values, all finite, each within the score's range or counted as its end."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InvalidValueError(f"{kind.title} has values that are not finite")
    return array.clip(kind.low, kind.top)
