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
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.scores import CERTAINTY, check_certainty

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 0.5
"""The largest |η| that counts."""

_DRAWS = 2000

Pair: TypeAlias = tuple[str, int]
"""A label and a seed index."""

Curve: TypeAlias = Mapping[float, Mapping[Pair, tuple[float, float]]]
"""By magnitude and pair: the score under the shift, and the control's of the same pair."""


@dataclass(frozen=True, slots=True)
class Share:
    """A robustness, or the difference of two, with its interval."""

    value: float
    low: float
    high: float
    magnitudes: tuple[float, ...]
    """Those that it is the mean over."""
    pairs: int
    """How many pairs the magnitude with the fewest has."""


def robustness(curve: Curve, *, certainty: float = CERTAINTY, reach: float = REACH) -> Share | None:
    """The share of the control's score that a model keeps, on average over the magnitudes.

    Returns:
        None where no magnitude up to `reach` was measured, or where the control scores 0: then there is no share.

    Raises:
        ValueError: a score that is not finite or negative, or a certainty outside its range.
    """
    draws = _Draws(_within(curve, reach))
    return draws.share([curve], (1.0,), certainty)


def gap(one: Curve, other: Curve, *, certainty: float = CERTAINTY, reach: float = REACH) -> Share | None:
    """The robustness of one model less that of another, over the magnitudes and pairs that both have.

    Returns:
        Positive where the first keeps more. None where they share no magnitude up to `reach`, or no pair at one of
        these, or where a control scores 0.

    Raises:
        ValueError: see `robustness`.
    """
    shared = {
        at: {pair: one[at][pair] for pair in one[at] if pair in other[at]} for at in _within(one, reach) if at in other
    }
    draws = _Draws(shared)
    return draws.share([one, other], (1.0, -1.0), certainty)


def _within(curve: Curve, reach: float) -> dict[float, Mapping[Pair, tuple[float, float]]]:
    return {at: pairs for at, pairs in curve.items() if abs(at) <= reach + 1e-9}


class _Draws:
    """The magnitudes and pairs that count, and draws of the pairs as how often each is in it."""

    def __init__(self, places: Curve) -> None:
        self._magnitudes = tuple(sorted(places))
        self._pairs_at = [frozenset(places[at]) for at in self._magnitudes]
        self._pairs = sorted(frozenset().union(*self._pairs_at))

    def share(self, curves: Sequence[Curve], signs: Sequence[float], certainty: float) -> Share | None:
        """The sum of the curves' robustness with their signs; see `robustness`."""
        check_certainty(certainty)
        if not self._magnitudes or not all(self._pairs_at):
            return None
        whole, draws = np.ones((1, len(self._pairs))), self._draw()
        value, drawn = 0.0, np.zeros(len(draws))
        for curve, sign in zip(curves, signs, strict=True):
            scores = [self._columns(curve, at) for at in range(len(self._magnitudes))]
            value += sign * float(_kept(whole, scores)[0])
            drawn += sign * _kept(draws, scores)
        if math.isnan(value):
            return None
        ends = np.nanquantile(drawn, [(1 - certainty) / 2, (1 + certainty) / 2])
        fewest = min(map(len, self._pairs_at))
        return Share(value, min(float(ends[0]), value), max(float(ends[1]), value), self._magnitudes, fewest)

    def _columns(self, curve: Curve, place: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A magnitude's scores and the control's, one a pair; 0 and 0 of a pair that it lacks adds to neither sum."""
        at, present = self._magnitudes[place], self._pairs_at[place]
        rows = np.array([curve[at][pair] if pair in present else (0.0, 0.0) for pair in self._pairs], np.float64)
        if not np.isfinite(rows).all() or (rows < 0).any():
            raise ValueError(f"at the magnitude {at:+g}: a score is negative or not a finite number")
        return rows[:, 0], rows[:, 1]

    def _draw(self) -> NDArray[np.float64]:
        """(draws, pairs): how often each pair is in a draw; the same for equal pairs, whatever their scores."""
        rng = np.random.default_rng(0)
        labels = sorted({label for label, _ in self._pairs})
        drawn = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), _DRAWS)
        columns = []
        for place, label in enumerate(labels):  # the pairs are sorted by label
            seeds = sum(each == label for each, _ in self._pairs)
            columns.append(rng.multinomial(drawn[:, place] * seeds, np.full(seeds, 1 / seeds)))
        return np.concatenate(columns, axis=1).astype(np.float64)


def _kept(
    weights: NDArray[np.float64], scores: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """For each row of weights the mean over the magnitudes of shifted over unshifted; NaN where that is over 0."""
    ratios = []
    for shifted, before in scores:
        below = weights @ before
        ratios.append(np.divide(weights @ shifted, below, out=np.full(len(weights), np.nan), where=below > 0))
    return np.asarray(np.mean(ratios, axis=0))
