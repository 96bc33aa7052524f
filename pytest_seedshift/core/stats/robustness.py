"""How much of a score a model keeps under a shift, and the gap between two models. Pure numbers.

The robustness of a model under a shift is one number a score,

    R = mean over the magnitudes η with |η| ≤ 0.5 of  mean score(η) / mean score(0),

both means over the same pairs: 1 is "as good as without the shift", 0 "nothing is left". The gap of two models is the
difference of their R over the magnitudes and the pairs that both have.

The intervals are those of a percentile bootstrap (Efron 1979) in two stages, since pairs of one label are alike:
labels are drawn with replacement, and for each label drawn its seed indices (Davison and Hinkley, *Bootstrap Methods
and their Application*, 1997, section 3.8; drawing at both stages makes them rather too wide than too narrow). All
magnitudes, the control and both models share each draw, so that what is paired stays paired. They hold for
cases whose whole design was visited; one that was decided early has ended on a streak, and is no sample.

A bootstrap knows only of pairs that were seen: where no pair has changed it would say "1.00, without a doubt" of 16
pairs as of 400. So it has a half of the error that is allowed, and the other half is for pairs that chance has hidden:
there may be as many as `unseen_changes.most` says, in which one of the models loses all that a pair can lose, or wins
all. The interval holds both. Of fewer than `LEAST` pairs so little is known that there is none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.scores import CERTAINTY, check_certainty
from pytest_seedshift.core.stats import unseen_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

REACH = 0.5
"""The largest |η| that counts."""

LEAST = 16
"""The fewest pairs that an interval rests on."""

_DRAWS = 4000

Pair: TypeAlias = tuple[str, int]
"""A label and a seed index."""

Curve: TypeAlias = Mapping[float, Mapping[Pair, tuple[float, float]]]
"""By magnitude and pair: the score under the shift, and the control's of the same pair."""


@dataclass(frozen=True, slots=True)
class Share:
    """A robustness, or the difference of two, with its interval; `low` and `high` are NaN where there is none."""

    value: float
    low: float
    high: float
    magnitudes: tuple[float, ...]
    """Those that it is the mean over."""
    pairs: int
    """How many pairs the magnitude with the fewest has."""

    @property
    def has_interval(self) -> bool:
        """Whether there are enough pairs for an interval: see `LEAST`."""
        return not math.isnan(self.low)


def robustness(
    curve: Curve, *, certainty: float = CERTAINTY, reach: float = REACH, top: float | None = None
) -> Share | None:
    """The share of the control's score that a model keeps, on average over the magnitudes.

    Args:
        curve: scores of 0 or more.
        certainty: of the interval.
        reach: the largest |η| that counts.
        top: the largest value that the score can have; None: the largest that the curve has.

    Returns:
        None where no magnitude up to `reach` was measured, or where the control scores 0: then there is no share.

    Raises:
        InvalidValueError: a score that is not finite or negative, or a certainty outside its range.
    """
    draws = _Draws(_within(curve, reach))
    return draws.share([curve], (1.0,), certainty, top)


def gap(
    one: Curve, other: Curve, *, certainty: float = CERTAINTY, reach: float = REACH, top: float | None = None
) -> Share | None:
    """The robustness of one model less that of another, over the magnitudes and pairs that both have.

    Args:
        one: scores of 0 or more.
        other: of the other model.
        certainty: of the interval.
        reach: the largest |η| that counts.
        top: the largest value that the score can have; None: the largest that a curve has.

    Returns:
        Positive where the first retains more. None where they share no magnitude up to `reach`, or no pair at one of
        these, or where a control scores 0.

    Raises:
        InvalidValueError: see `robustness`.
    """
    shared = {
        at: {pair: one[at][pair] for pair in one[at] if pair in other[at]} for at in _within(one, reach) if at in other
    }
    draws = _Draws(shared)
    return draws.share([one, other], (1.0, -1.0), certainty, top)


@dataclass(frozen=True, slots=True)
class Columns:
    """A model's scores at one magnitude, of as many samples as there are columns.

    Attributes:
        shifted: (pairs, samples), 0 or more; 0 of a pair that is not there at this magnitude.
        before: the unshifted ones, likewise.
        pairs: how many of the pairs are there.
    """

    shifted: Array
    before: Array
    pairs: int


def _within(curve: Curve, reach: float) -> dict[float, Mapping[Pair, tuple[float, float]]]:
    return {at: pairs for at, pairs in curve.items() if abs(at) <= reach + 1e-9}


class _Draws:
    """The magnitudes and pairs that count, and draws of the pairs as how often each is in it."""

    def __init__(self, places: Curve) -> None:
        self._magnitudes = tuple(sorted(places))
        self._pairs_at = [frozenset(places[at]) for at in self._magnitudes]
        self._pairs = sorted(frozenset().union(*self._pairs_at))

    def share(
        self, curves: Sequence[Curve], signs: Sequence[float], certainty: float, top: float | None
    ) -> Share | None:
        """The sum of the curves' robustness with their signs; see `robustness`."""
        check_certainty(certainty)
        if not self._magnitudes or not all(self._pairs_at):
            return None
        scores = [[self._columns(curve, at) for at in range(len(self._magnitudes))] for curve in curves]
        whole = np.ones((1, len(self._pairs)))
        value = sum(sign * float(_kept(whole, each)[0, 0]) for sign, each in zip(signs, scores, strict=True))
        if math.isnan(value):
            return None
        fewest = min(map(len, self._pairs_at))
        if fewest < LEAST:
            return Share(value, math.nan, math.nan, self._magnitudes, fewest)
        largest = max(float(max(each.shifted.max(), each.before.max())) for columns in scores for each in columns)
        ends = interval(self.draws(), scores, signs, certainty, largest if top is None else top)
        low, high = (float(end[0]) for end in ends)
        return Share(value, min(low, value), max(high, value), self._magnitudes, fewest)

    def _columns(self, curve: Curve, place: int) -> Columns:
        """A magnitude's scores and the control's, one a pair; 0 and 0 of a pair that it lacks adds to neither sum."""
        at, present = self._magnitudes[place], self._pairs_at[place]
        rows = np.array([curve[at][pair] if pair in present else (0.0, 0.0) for pair in self._pairs], np.float64)
        if not np.isfinite(rows).all() or (rows < 0).any():
            raise InvalidValueError(f"at the magnitude {at:+g}: a score is negative or not a finite number")
        return Columns(rows[:, :1], rows[:, 1:], len(present))

    def draws(self) -> Array:
        """(draws, pairs): how often each pair is in a draw; the same for equal pairs, whatever their scores."""
        counts = Counter(label for label, _ in self._pairs)
        return draw(tuple(counts[label] for label in sorted(counts)))  # the pairs are sorted by label


@lru_cache(maxsize=2)
def draw(seeds: tuple[int, ...]) -> Array:
    """Draws of labels, and of the seeds of each label drawn.

    Args:
        seeds: how many pairs each label has.

    Returns:
        (draws, pairs), how often each pair is in a draw, label by label; the same for the same numbers.
    """
    rng = np.random.default_rng(0)
    labels = len(seeds)
    drawn = rng.multinomial(labels, np.full(labels, 1 / labels), _DRAWS)
    parts = [rng.multinomial(drawn[:, place] * of, np.full(of, 1 / of)) for place, of in enumerate(seeds)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def interval(
    draws: Array, scores: Sequence[Sequence[Columns]], signs: Sequence[float], certainty: float, top: float
) -> tuple[Array, Array]:
    """The ends of the interval of a sum of robustness with signs, for many samples of the same pairs at once.

    Args:
        draws: (draws, pairs), how often each pair is in a draw.
        scores: by model and magnitude, the scores of all samples.
        signs: one a model.
        certainty: a half of the error is the bootstrap's, a half that of what was not seen.
        top: the largest value that a score can have.

    Returns:
        Two arrays, (samples,).
    """
    alpha = (1 - certainty) / 2
    drawn = sum(sign * _kept(draws, each) for sign, each in zip(signs, scores, strict=True))
    quantile = np.nanquantile if np.isnan(drawn).any() else np.quantile
    low, high = quantile(drawn, [alpha / 2, 1 - alpha / 2], axis=0)
    least, most = _with_hidden(scores, signs, 1 - alpha, top)
    return np.minimum(low, least), np.maximum(high, most)


def _with_hidden(
    scores: Sequence[Sequence[Columns]], signs: Sequence[float], certainty: float, top: float
) -> tuple[Array, Array]:
    """The ends of the sum, were the most pairs that chance could hide of a kind that changes one of the models."""
    values = [
        sign * _kept(np.ones((1, len(each[0].before))), each)[0] for sign, each in zip(signs, scores, strict=True)
    ]
    whole, low, high = np.sum(values, axis=0), [], []
    for sign, value, each in zip(signs, values, scores, strict=True):
        ends = sorted((sign * end for end in _hidden(each, certainty, top)), key=lambda end: float(end.sum()))
        low.append(whole - value + ends[0])
        high.append(whole - value + ends[1])
    return np.min(low, axis=0), np.max(high, axis=0)


def _hidden(scores: Sequence[Columns], certainty: float, top: float) -> tuple[Array, Array]:
    """The least and the largest robustness, were the most pairs that chance could hide all lost, or all won."""
    ends = []
    for each in scores:
        part = unseen_changes.most(each.pairs, certainty=certainty)
        after, unshifted = ((1 - part) * values.sum(axis=0) / each.pairs for values in (each.shifted, each.before))
        with np.errstate(divide="ignore", invalid="ignore"):
            ends.append((after / (unshifted + part * top), (after + part * top) / unshifted))
    low, high = (np.mean(each, axis=0) for each in zip(*ends, strict=True))
    return low, high


def _kept(weights: Array, scores: Sequence[Columns]) -> Array:
    """(draws, samples): the mean over the magnitudes of shifted over unshifted; NaN where that is over 0."""
    ratios = []
    for each in scores:
        below = weights @ each.before
        ratios.append(np.divide(weights @ each.shifted, below, out=np.full(below.shape, np.nan), where=below > 0))
    return np.asarray(np.mean(ratios, axis=0))
