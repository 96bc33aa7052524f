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
and the exact test speaks: see `significance`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift import significance
from pytest_seedshift.scores import CERTAINTY, SCORES, Change, Constraint, Estimate, Finding, check_certainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values: TypeAlias = "Sequence[float]"
"""A score's values, one a pair, in the order in which the design is visited."""

# Sums of floats may miss a bound by their last bits: 0.7 asked, 7 of 10 right.
_SLACK = 1e-9

# The parts of their wealth that the gamblers stake, all at once with equal shares; a mixture needs no guess of which is
# right. Most are the quadrature nodes of the arcsine distribution, dense at both ends: near 0 for means close to the
# bound, near 1 for scores that are nearly all 0 or nearly all 1. A quarter goes nearly all in, as good models are like
# that: a bound of 0.8 is met after 24 right answers in a row instead of 26.
_NODES, _ALL_IN = 24, 8
_STAKES = np.concatenate([np.sin((np.arange(_NODES) + 0.5) * np.pi / (2 * _NODES)) ** 2, np.full(_ALL_IN, 0.999)])


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a case after some images of its design.

    `decided` tells whether the verdict stands, on the first `images` of the samples; while it does not, `images` is
    their number so far.
    """

    findings: tuple[Finding, ...]
    images: int
    decided: bool

    @property
    def passed(self) -> bool:
        """Whether all constraints are known to hold."""
        return self.decided and all(finding.holds for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a case is going.

    After how many images it is decided if what follows is like what was seen, and `at_best`, if all that follows is as
    good as can be; `leading` is the finding that it waits for.
    """

    images: int
    at_best: int
    leading: Finding


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Decides about one case: its constraints, on a design of `size` pairs, wrong in one case of 1/(1 − certainty).

    α = 1 − certainty is spent where it is needed. A case that truly fails passes by mistake only if its broken bound is
    taken to hold: that is one bound, and it may have all of α. A case that truly passes fails by mistake if any of its
    bounds is taken to be broken: these share α.

    Args:
        constraints: what is asked, not empty.
        size: N, the number of pairs of the design.
        certainty: between 0.5 and 1.
        exact: judge only when the whole design was visited.
        baseline: by score, the baseline's values for the first pairs of the design, for `max_regression`; a regression
            is judged over these pairs.
        fixed: whether the baseline's number of pairs was fixed beforehand: the whole design, then.
        family: among how many tests of regressions, those of other cases too, the certainty is shared.

    Raises:
        ValueError: no constraint or one without a bound; a certainty outside its range; a baseline that does not fit.
    """

    constraints: tuple[Constraint, ...]
    size: int
    certainty: float = CERTAINTY
    exact: bool = False
    baseline: Mapping[str, Values] = field(default_factory=dict, compare=False)
    fixed: bool = True
    family: int = 1

    def __post_init__(self) -> None:
        if not self.constraints or any(
            each.minimum is each.max_drop is each.max_regression is None for each in self.constraints
        ):
            raise ValueError("no constraint: what is not checked has not passed")
        check_certainty(self.certainty)
        for constraint in self.constraints:
            pairs = len(self.baseline.get(constraint.score, ()))
            if constraint.max_regression is None:
                continue
            if not 0 < pairs <= self.size or (self.fixed and pairs != self.size):
                raise ValueError(
                    f"max_regression of {SCORES[constraint.score].title}: the baseline has {pairs} values for a design "
                    f"of {self.size} pairs"
                )

    @property
    def level(self) -> float:
        """Up to which p-value a regression counts: α, shared by the case's own tests or by those of the family."""
        own = sum(each.max_regression is not None and each.significant for each in self.constraints)
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
            ValueError: a score that is missing or not finite, more values than pairs, or a control that does not fit.
        """
        bounds = self._bounds(scores, control)
        seen = len(scores[self.constraints[0].score])
        decisions = [self._decide(bound, len(bounds)) for bound in bounds]
        stop = _stop(decisions)
        images = seen if stop is None else stop
        if images == self.size:  # all is known: a bet that went wrong on the way has no say any more
            decisions = [_Decision(images, bound.holds(bound.size)) for bound in bounds]
        findings = tuple(
            bound.finding(images, decision.holds if decision.at is not None and decision.at <= images else None)
            for bound, decision in zip(bounds, decisions, strict=True)
        )
        return Judgement(findings, images, stop is not None)

    def forecast(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> Forecast:
        """Guess how many images the case will take: see `Forecast`. It decides nothing.

        What was seen is repeated until the case is decided, after one made-up value half-way between the bound and the
        best, which is all that the guess rests on before the first image.
        """
        bounds = self._bounds(scores, control)
        seen = len(scores[self.constraints[0].score])
        decisions = [self._bet(bound.repeated(), len(bounds)) for bound in bounds]
        # A bound that breaks ends the case; otherwise it lasts as long as its slowest bound.
        broken = [row for row, decision in enumerate(decisions) if decision.holds is False]
        ends = [decision.at or self.size for decision in decisions]
        row = min(broken, key=ends.__getitem__) if broken else ends.index(max(ends))
        leading = bounds[row].finding(seen, None)
        if self.exact:
            return Forecast(self.size, self.size, leading)
        least = min(seen + 1, self.size)
        return Forecast(max(_stop(decisions) or self.size, least), max(self._stop_if(bounds, 1.0), least), leading)

    def soonest(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> int:
        """The number of images before which no verdict can stand, whatever the images to come will be."""
        if self.exact:
            return self.size
        bounds = self._bounds(scores, control)
        return min(self._stop_if(bounds, 0.0), self._stop_if(bounds, 1.0))

    def _stop_if(self, bounds: Sequence[_Bound], goodness: float) -> int:
        """After how many images the case is decided if all that follow have one goodness."""
        return _stop([self._bet(bound.followed_by(goodness), len(bounds)) for bound in bounds]) or self.size

    def _decide(self, bound: _Bound, bounds: int) -> _Decision:
        if not self.exact:
            return self._bet(bound, bounds)
        return _Decision(self.size, bound.holds(bound.size)) if bound.complete else _UNDECIDED

    def _bet(self, bound: _Bound, bounds: int) -> _Decision:
        alpha = 1 - self.certainty
        return bound.decide(holds=alpha, breaks=alpha / bounds)

    def _bounds(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None) -> list[_Bound]:
        bounds: list[_Bound] = []
        for constraint in self.constraints:
            name, top = constraint.score, SCORES[constraint.score].top
            if name not in scores:
                raise ValueError(f"{SCORES[name].title} was not measured")
            values = _checked(name, scores[name])
            if values.size > self.size:
                raise ValueError(f"{SCORES[name].title} has {values.size} values for a design of {self.size} pairs")
            if constraint.minimum is not None:
                bounds.append(_Bound(name, "min", constraint.minimum, values / top, constraint.minimum / top, self.size))
            if constraint.max_drop is not None:
                before = _checked(name, (control or {}).get(name, ()))[: values.size]
                if before.size != values.size:
                    raise ValueError(
                        f"max_drop of {SCORES[name].title}: the control has {before.size} values for the case's "
                        f"{values.size} pairs"
                    )
                # A drop lies in [-top, top]: turned round, so that more is better, and rescaled.
                goodness = (values - before + top) / (2 * top)
                least = (top - constraint.max_drop) / (2 * top)
                bounds.append(_Bound(name, "max_drop", constraint.max_drop, goodness, least, self.size))
            if constraint.max_regression is not None:
                bounds.append(self._regression(constraint, constraint.max_regression, values))
        if len({len(scores[constraint.score]) for constraint in self.constraints}) > 1:
            raise ValueError("the scores have unlike numbers of values")
        return bounds

    def _regression(self, constraint: Constraint, most: float, values: NDArray[np.float64]) -> _Regression:
        """The bound on the drop against the baseline, over the pairs that it has."""
        name, top = constraint.score, SCORES[constraint.score].top
        before = np.asarray(self.baseline[name], dtype=np.float64)
        both = min(before.size, values.size)
        goodness = 0.5 - significance.changes(name, before[:both], values[:both]) / (2 * top)
        test = "exact" if self.fixed and self.exact else "looks" if self.fixed else "stopped"
        how = _Chance(self.level, test, constraint.significant)
        return _Regression(name, "max_regression", most, goodness, (top - most) / (2 * top), before.size, how)


@dataclass(frozen=True, slots=True)
class _Bound:
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

    def decide(self, *, holds: float, breaks: float) -> _Decision:
        """See the function of that name."""
        return decide(self.goodness, self.least, self.size, holds=holds, breaks=breaks)

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

    def holds(self, size: int) -> bool:
        """Whether the bound holds on all values of a design."""
        return bool(_reaches(self.goodness.sum(), self.least, size))

    def repeated(self) -> _Bound:
        """As if what follows were like what was seen."""
        pattern = np.append(self.goodness, (1 + self.least) / 2)
        return self._with(np.resize(np.roll(pattern, 1), self.size - self.goodness.size))

    def followed_by(self, value: float) -> _Bound:
        """As if all that follows had one value."""
        return self._with(np.full(self.size - self.goodness.size, value))

    def _with(self, rest: NDArray[np.float64]) -> _Bound:
        return replace(self, goodness=np.append(self.goodness, rest))


@dataclass(frozen=True, slots=True)
class _Chance:
    """How a drop is held against chance.

    `test` tells what decided how many pairs there are: "exact" nothing, "looks" nothing but an early stop of this case,
    "stopped" the baseline's own early verdict. With `asked` false a drop above its bound need not be beyond chance.
    """

    level: float
    test: str
    asked: bool


@dataclass(frozen=True, slots=True)
class _Regression(_Bound):
    """A bound on the drop against a baseline, over the pairs that it has."""

    chance: _Chance

    def decide(self, *, holds: float, breaks: float) -> _Decision:
        """Within the bound: as early as that is known. Above it: when it is known, and chance is ruled out too.

        A baseline that stopped early has ended on a streak, so its pairs are in no random order, and all are looked at.
        """
        if self.complete:
            return self._last(holds, breaks)
        if self.chance.test == "stopped":
            return _UNDECIDED
        found = decide(self.goodness, self.least, self.size, holds=holds, breaks=breaks)
        return found if found.holds is not False or not self.chance.asked else self._beyond(found)

    def _last(self, holds: float, breaks: float) -> _Decision:
        """All pairs are known: what was decided on the way, else what they say."""
        if self.chance.test == "looks":
            found = decide(self.goodness, self.least, self.size, holds=holds, breaks=breaks)
            if found.holds is False and self.chance.asked:
                found = self._beyond(found)
            if found.at is not None and found.at < self.size:
                return found
        return _Decision(self.size, self.holds(self.size))

    def _beyond(self, found: _Decision) -> _Decision:
        """When a drop that is known to be above its bound is found to be beyond chance, by bets alone."""
        won = evidence(self.goodness) >= -math.log(self.chance.level * significance.EARLY)
        if found.at is None or not won.any():
            return _UNDECIDED
        return _Decision(max(found.at, int(won.argmax()) + 1), False)

    def holds(self, size: int) -> bool:
        """Whether the drop of all pairs is within its bound, or within chance."""
        within = bool(_reaches(self.goodness.sum(), self.least, size))
        return within or (self.chance.asked and not self.change(size).beyond_chance)

    def finding(self, images: int, holds: bool | None) -> Finding:
        """What the first images say."""
        change = self.change(images) if self.goodness.size and images else None
        return Finding(self.score, self.kind, self.bound, self.measured(images), holds, change)

    def change(self, images: int) -> Change:
        """What has become of the first images' pairs."""
        top = SCORES[self.score].top
        drops = top * (1 - 2 * self.goodness[:images])
        return compare(self.score, drops, self.chance.test, self.chance.level, whole=drops.size == self.size)


def compare(score: str, drops: NDArray[np.float64], test: str, level: float, *, whole: bool) -> Change:
    """What has become of a score on pairs that two versions have.

    Args:
        score: a key of `SCORES`.
        drops: of each pair, in the order in which the design is visited; see `significance.changes`.
        test: "exact" where the number of pairs was fixed on both sides, "looks" where one side may have stopped early
            and the other has its whole design, "stopped" where any side may have decided how many there are.
        level: up to which p-value the drop is beyond chance.
        whole: whether these are all pairs of the design.
    """
    goodness = 0.5 - drops / (2 * SCORES[score].top)
    bets = math.exp(-float(evidence(goodness).max())) if drops.size else 1.0
    name, fixed = significance.fixed_test(score), significance.p_fixed(score, drops)
    if test == "exact":
        p, by, least = fixed, name, significance.least_fixed(score, drops, level)
    elif test == "looks" and whole:
        p, by = min((fixed / (1 - significance.EARLY), name), (bets / significance.EARLY, "bets"))
        least = significance.least_fixed(score, drops, level * (1 - significance.EARLY))
    else:
        share = significance.EARLY if test == "looks" else 1.0
        p, by, least = bets / share, "bets", _least_of_bets(score, drops, level * share)
    lost, won = int((drops > 0).sum()), int((drops < 0).sum())
    return Change(drops.size, lost, won, min(1.0, p), least, by, level)


def evidence(goodness: NDArray[np.float64]) -> NDArray[np.float64]:
    """After each pair, the log of the most that bets on "worse" have had so far.

    `goodness` is ½ less half of the drop over the score's range. Where nothing has become worse its mean is ½ or more,
    and the wealth passes 1/p with a probability of at most p.
    """
    wealth = _log_wealth(1 - goodness, 0.5, math.inf)
    return np.maximum.accumulate(np.append(0.0, wealth))[1:]


def _least_of_bets(score: str, drops: NDArray[np.float64], level: float) -> float:
    """As `significance.least_fixed`, for bets."""
    if not drops.size:
        return math.nan
    needed, top = -math.log(level), SCORES[score].top
    if SCORES[score].binary:
        won = int((drops < 0).sum())
        lost = np.arange(drops.size - won + 1)[:, np.newaxis]
        logs = lost * np.log1p(_STAKES) + won * np.log1p(-_STAKES)
        found = np.flatnonzero(np.log(np.exp(logs).mean(axis=1)) >= needed)
        return float(found[0] - won) / drops.size if found.size else math.nan
    low, high = -top, top
    centred = drops - drops.mean()

    def wealth(mean: float) -> float:
        return float(_log_wealth((0.5 + (centred + mean) / (2 * top)).clip(0, 1), 0.5, math.inf)[-1])

    if wealth(high) < needed:
        return math.nan
    while high - low > 1e-3 * top:
        middle = (low + high) / 2
        low, high = (low, middle) if wealth(middle) >= needed else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class _Decision:
    """Whether a bound holds, and after how many images that was known; None and None while it is not."""

    at: int | None
    holds: bool | None


_UNDECIDED = _Decision(None, None)


def _stop(decisions: Sequence[_Decision]) -> int | None:
    """After how many images a case was decided: when its first bound broke, or the last was found to hold."""
    broken = [each.at for each in decisions if each.holds is False and each.at is not None]
    if broken:
        return min(broken)
    ends = [each.at for each in decisions if each.at is not None]
    return max(ends) if len(ends) == len(decisions) else None


def decide(goodness: NDArray[np.float64], least: float, size: int, *, holds: float, breaks: float) -> _Decision:
    """Decide as early as possible whether the mean of `size` values is at least `least`.

    Args:
        goodness: the values seen so far, in [0, 1], drawn one after the other without replacement.
        least: the bound, in [0, 1].
        size: N, how many there are in all.
        holds: the probability with which "at least" may be said wrongly.
        breaks: the probability with which "below" may be said wrongly.

    Returns:
        The decision and the number of values after which it was made. What follows has no part in it.
    """
    sums, unseen = np.cumsum(goodness), size - np.arange(1, goodness.size + 1)
    # Without a bet: what is to come cannot take away enough, or add enough. At N one of these is always so.
    above, below = _reaches(sums, least, size), ~_reaches(sums + unseen, least, size)
    certain = above | below
    above = above | ~certain & (_log_wealth(goodness, least, size) >= -math.log(holds))
    below = below | ~certain & (_log_wealth(1 - goodness, 1 - least, size) >= -math.log(breaks))
    either = above | below
    if not either.any():
        return _UNDECIDED
    at = int(either.argmax())
    return _Decision(at + 1, bool(above[at]))


def _reaches(total: NDArray[np.float64] | float, least: float, size: int) -> NDArray[np.bool_]:
    return np.asarray(total >= size * (least - _SLACK))


def _log_wealth(goodness: NDArray[np.float64], most: float, size: float) -> NDArray[np.float64]:
    """After each value, the log of the wealth of who bets against "the mean of all `size` values is at most `most`".

    If the mean is `most`, what is left has the mean m = (N·most − sum so far) / (N − number so far), and the stake
    λ = θ/m makes 1 + λ·(value − m) of each unit: it never becomes negative, and on average no more than it was. The
    wealth is the mean over the θ of `_STAKES`. `size` may be infinite: then m does not move.
    """
    before = np.concatenate(([0.0], np.cumsum(goodness)[:-1]))
    seen = np.arange(goodness.size)
    mean = np.full(goodness.size, most) if math.isinf(size) else (size * most - before) / (size - seen)
    # Where m is not above 0 the sum has reached N·most, and the caller knows without a bet.
    payoff = np.where(mean > _SLACK, goodness / np.maximum(mean, _SLACK) - 1, 0.0)
    logs = np.cumsum(np.log1p(_STAKES[:, np.newaxis] * payoff), axis=1)
    peak = logs.max(axis=0)
    return np.asarray(peak + np.log(np.exp(logs - peak).mean(axis=0)), dtype=np.float64)


def estimate(score: str, values: Values, *, certainty: float = CERTAINTY, stopped: bool = False) -> Estimate:
    """The mean of a score's values with the interval in which the model's own mean, over all possible pairs, lies.

    Args:
        score: a key of `SCORES`.
        values: at least one.
        certainty: of the interval.
        stopped: whether the values themselves decided how many there are. Such a sample is no ordinary one (it ended
            on a streak), so its interval is the confidence sequence of the bets above, which holds at every stop. Where
            the number was fixed, Wilson's interval for accuracies (Wilson 1927) and for other scores a percentile
            bootstrap of the mean with a fixed seed (Efron 1979) are narrower; both by scipy.

    Raises:
        ValueError: no values, or one that is not finite. What was not measured has no mean.
    """
    array = _checked(score, values)
    if not array.size:
        raise ValueError(f"{SCORES[score].title} has no values")
    raw = np.asarray(values, dtype=np.float64)
    clipped = int((raw != array).sum())
    mean, top = math.fsum(array) / array.size, SCORES[score].top
    if stopped:
        low = _lowest(array / top, certainty)
        high = 1 - _lowest(1 - array / top, certainty)
        return Estimate(mean, min(top * low, mean), max(top * high, mean), clipped)
    if SCORES[score].binary:
        from scipy.stats import binomtest

        interval = binomtest(int(array.sum()), array.size).proportion_ci(certainty, method="wilson")
        return Estimate(mean, float(interval.low), float(interval.high), clipped)
    if array.size == 1 or np.ptp(array) == 0:
        return Estimate(mean, mean, mean, clipped)
    from scipy.stats import bootstrap

    interval = bootstrap(
        (array,),
        np.mean,
        confidence_level=certainty,
        method="percentile",
        n_resamples=2000,
        batch=200,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), clipped)


def estimate_drop(score: str, values: Values, control: Values, *, certainty: float = CERTAINTY) -> Estimate:
    """The mean drop of a score against the control on the same pairs, with the interval of the model's own mean drop.

    The interval is a confidence sequence by the bets above, on the differences: it holds wherever a case has stopped.

    Args:
        score: a key of `SCORES`.
        values: the case's, at least one.
        control: the control's, of the same pairs in the same order.
        certainty: of the interval.

    Returns:
        Positive where the case scores lower than the control; from −top to top of the score.

    Raises:
        ValueError: no values, one that is not finite, or unlike numbers of them.
    """
    after, before = _checked(score, values), _checked(score, control)
    if not after.size or after.size != before.size:
        raise ValueError(f"{SCORES[score].title} has {after.size} values, the control {before.size}")
    top = SCORES[score].top
    loss = (before - after + top) / (2 * top)
    mean = float(top * (2 * loss.mean() - 1))
    low, high = (top * (2 * end - 1) for end in (_lowest(loss, certainty), 1 - _lowest(1 - loss, certainty)))
    return Estimate(mean, min(low, mean), max(high, mean))


def _lowest(goodness: NDArray[np.float64], certainty: float) -> float:
    """The largest m for which "the mean is at most m" was given up at some time, by bisection: wealth falls with m."""
    needed = math.log(2 / (1 - certainty))
    low, high = 0.0, float(goodness.mean())
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _log_wealth(goodness, middle, math.inf).max() >= needed:
            low = middle
        else:
            high = middle
    return low


def _checked(score: str, values: Values) -> NDArray[np.float64]:
    """The values, all finite, each within the score's range or counted as its end."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{SCORES[score].title} has values that are not finite")
    return array.clip(0, SCORES[score].top)
