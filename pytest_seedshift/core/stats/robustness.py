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
from functools import cached_property, lru_cache
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
    curve: Curve | Prepared,
    *,
    certainty: float | None = CERTAINTY,
    reach: float = REACH,
    top: float | None = None,
) -> Share | None:
    """The share of the control's score that a model keeps, on average over the magnitudes.

    Args:
        curve: scores of 0 or more.
        certainty: of the interval; None for none.
        reach: the largest |η| that counts.
        top: the largest value that the score can have; None: the largest that the curve has.

    Returns:
        None where no magnitude up to `reach` was measured, or where the control scores 0: then there is no share.

    Raises:
        InvalidValueError: a score that is not finite or negative, or a certainty outside its range.
    """
    return _share([_prepared(curve, reach)], (1.0,), certainty, top)


def gap(
    one: Curve | Prepared,
    other: Curve | Prepared,
    *,
    certainty: float | None = CERTAINTY,
    reach: float = REACH,
    top: float | None = None,
) -> Share | None:
    """The robustness of one model less that of another, over the magnitudes and pairs that both have.

    Args:
        one: scores of 0 or more.
        other: of the other model.
        certainty: of the interval; None for none.
        reach: the largest |η| that counts.
        top: the largest value that the score can have; None: the largest that a curve has.

    Returns:
        Positive where the first retains more. None where they share no magnitude up to `reach`, or no pair at one of
        these, or where a control scores 0.

    Raises:
        InvalidValueError: see `robustness`.
    """
    both = [_prepared(each, reach) for each in (one, other)]
    if both[0].places != both[1].places:
        both = [_restricted(*both), _restricted(*reversed(both))]
    return _share(both, (1.0, -1.0), certainty, top)


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


class Prepared:
    """A curve, with what is computed of it alone: once, however many curves it is compared with."""

    def __init__(self, curve: Curve, reach: float = REACH) -> None:
        self.curve = _within(curve, reach)
        self.magnitudes = tuple(sorted(self.curve))
        self.pairs_at = [frozenset(self.curve[at]) for at in self.magnitudes]
        self.pairs = sorted(frozenset().union(*self.pairs_at))
        self._hidden: dict[tuple[float, float], tuple[Array, Array]] = {}

    @property
    def places(self) -> tuple[tuple[float, ...], list[frozenset[Pair]]]:
        """The magnitudes and pairs that count: curves of the same ones share their draws."""
        return self.magnitudes, self.pairs_at

    @cached_property
    def columns(self) -> list[Columns]:
        """By magnitude, the scores and the control's."""
        return [self._columns(place) for place in range(len(self.magnitudes))]

    @cached_property
    def whole(self) -> Array:
        """(1,): the robustness over all pairs."""
        return np.asarray(_kept(np.ones((1, len(self.pairs))), self.columns)[0])

    @cached_property
    def drawn(self) -> Array:
        """(draws, 1): that of each draw; the draws are the same for equal pairs, whatever their scores."""
        counts = Counter(label for label, _ in self.pairs)
        return _kept(draw(tuple(counts[label] for label in sorted(counts))), self.columns)  # pairs are sorted by label

    def hidden(self, certainty: float, top: float) -> tuple[Array, Array]:
        """See `_hidden`."""
        if (certainty, top) not in self._hidden:
            self._hidden[certainty, top] = _hidden(self.columns, certainty, top)
        return self._hidden[certainty, top]

    def _columns(self, place: int) -> Columns:
        """A magnitude's scores and the control's, one a pair; 0 and 0 of a pair that it lacks adds to neither sum."""
        at, present = self.magnitudes[place], self.pairs_at[place]
        scores = self.curve[at]
        rows = np.array([scores.get(pair, (0.0, 0.0)) for pair in self.pairs], np.float64)
        if not np.isfinite(rows).all() or (rows < 0).any():
            raise InvalidValueError(f"at the magnitude {at:+g}: a score is negative or not a finite number")
        return Columns(rows[:, :1], rows[:, 1:], len(present))


def _prepared(curve: Curve | Prepared, reach: float) -> Prepared:
    return curve if isinstance(curve, Prepared) else Prepared(curve, reach)


def _restricted(one: Prepared, other: Prepared) -> Prepared:
    """The first curve, at the magnitudes and pairs that the other has too."""
    shared = [at for at in one.magnitudes if at in other.curve]
    return Prepared(
        {at: {pair: both for pair, both in one.curve[at].items() if pair in other.curve[at]} for at in shared}, math.inf
    )


def _share(
    curves: Sequence[Prepared], signs: Sequence[float], certainty: float | None, top: float | None
) -> Share | None:
    """The sum of the curves' robustness with their signs, of curves at the same places; see `robustness`."""
    if certainty is not None:
        check_certainty(certainty)
    places = curves[0]
    if not places.magnitudes or not all(places.pairs_at):
        return None
    scores = [each.columns for each in curves]
    value = sum(sign * float(each.whole[0]) for sign, each in zip(signs, curves, strict=True))
    if math.isnan(value):
        return None
    fewest = min(map(len, places.pairs_at))
    if fewest < LEAST or certainty is None:
        return Share(value, math.nan, math.nan, places.magnitudes, fewest)
    if top is None:
        top = max(float(max(each.shifted.max(), each.before.max())) for columns in scores for each in columns)
    alpha = (1 - certainty) / 2
    drawn = np.sum([sign * each.drawn for sign, each in zip(signs, curves, strict=True)], axis=0)
    hidden = [each.hidden(1 - alpha, top) for each in curves]
    low, high = (float(end[0]) for end in _ends(drawn, [each.whole for each in curves], hidden, signs, alpha))
    return Share(value, min(low, value), max(high, value), places.magnitudes, fewest)


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
    drawn = np.sum([sign * _kept(draws, each) for sign, each in zip(signs, scores, strict=True)], axis=0)
    whole = [_kept(np.ones((1, len(each[0].before))), each)[0] for each in scores]
    return _ends(drawn, whole, [_hidden(each, 1 - alpha, top) for each in scores], signs, alpha)


def _ends(
    drawn: Array,
    whole: Sequence[Array],
    hidden: Sequence[tuple[Array, Array]],
    signs: Sequence[float],
    alpha: float,
) -> tuple[Array, Array]:
    """The ends: of what was drawn, and of the sum were the most pairs hidden that chance could hide of one model."""
    quantile = np.nanquantile if np.isnan(drawn).any() else np.quantile
    low, high = quantile(drawn, [alpha / 2, 1 - alpha / 2], axis=0)
    values = [sign * each for sign, each in zip(signs, whole, strict=True)]
    of_all, least, most = np.sum(values, axis=0), [], []
    for sign, value, each in zip(signs, values, hidden, strict=True):
        ends = sorted((sign * end for end in each), key=lambda end: float(end.sum()))
        least.append(of_all - value + ends[0])
        most.append(of_all - value + ends[1])
    return np.minimum(low, np.min(least, axis=0)), np.maximum(high, np.max(most, axis=0))


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
    first, alike = scores[0].before, [np.array_equal(each.before, scores[0].before) for each in scores]
    columns = [first, *(each.before for each, same in zip(scores, alike, strict=True) if not same)]
    # One product of all columns reads the draws once: of twenty products each waits for memory.
    products = iter(
        np.hsplit(weights @ np.hstack([*columns, *(each.shifted for each in scores)]), _ends_of(columns, scores))
    )
    below = [next(products) for _ in columns]
    others = iter(below[1:])
    ratios = []
    for same in alike:
        under = below[0] if same else next(others)
        ratios.append(np.divide(next(products), under, out=np.full(under.shape, np.nan), where=under > 0))
    return np.asarray(np.mean(ratios, axis=0))


def _ends_of(columns: Sequence[Array], scores: Sequence[Columns]) -> list[int]:
    """Where each array's columns end, but for the last."""
    widths = [each.shape[1] for each in (*columns, *(each.shifted for each in scores))]
    return list(np.cumsum(widths)[:-1])
