"""Paired accuracies: whether a drop is larger than one that is allowed, exactly, whatever share of the pairs turns.

Of `pairs` pairs `lost` turned from right to wrong and `won` the other way. The hypothesis is that the probability of
the first is at most `allowed` above that of the second. How many pairs turn at all is not known, and no condition on it
rids the test of it where `allowed` is not 0. So the test is unconditional: outcomes are ordered by the score statistic
(Tango 1998, Statistics in Medicine 17), and the p-value is the largest probability, over all shares that may turn, of
an outcome that is at least as extreme (Hsueh, Liu and Chen 2001, Biometrics 57). The statistic rises with each pair
lost and falls with each pair won, so the largest is found where the drop is exactly `allowed`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SLACK = 1e-9

MOST_PAIRS = 5000
"""Beyond so many the statistic's normal limit is used: its error is below a hundredth of the level there."""

_COARSE, _FINE = 64, 9
"""Of the shares that may turn, how many are tried, and how many around the best of them."""


def score(
    lost: NDArray[np.float64] | float, won: NDArray[np.float64] | float, pairs: int, allowed: float
) -> NDArray[np.float64]:
    """Tango's statistic: about normal where the drop is `allowed`, above 0 where it is seen to be larger.

    Args:
        lost: how many pairs turned wrong, any number of designs.
        won: how many turned right, likewise.
        pairs: of a design.
        allowed: the drop of the hypothesis, above −1 and below 1.
    """
    lost, won = np.asarray(lost, dtype=np.float64), np.asarray(won, dtype=np.float64)
    b = -(lost + won) + (2 * pairs - lost + won) * allowed
    c = -won * allowed * (1 - allowed)
    share = (np.sqrt(np.maximum(b * b - 8 * pairs * c, 0.0)) - b) / (4 * pairs)
    spread = np.sqrt(np.maximum(pairs * (2 * share + allowed * (1 - allowed)), 0.0))
    over = lost - won - pairs * allowed
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > _SLACK, over / spread, np.where(np.abs(over) <= _SLACK, 0.0, np.sign(over) * np.inf))


@lru_cache(maxsize=4096)
def p_value(lost: int, won: int, pairs: int, allowed: float) -> float:
    """The probability of such a drop or a more extreme one, where the true one is at most `allowed`.

    Args:
        lost: how many pairs turned wrong.
        won: how many turned right.
        pairs: of the design; their number was fixed beforehand.
        allowed: above −1 and below 1; below 0 it is a gain that is asked for.

    Returns:
        From 0 to 1; 1 where the drop that is seen is no larger than what is allowed.
    """
    if lost - won <= pairs * allowed + _SLACK:
        return 1.0
    at = float(score(lost, won, pairs, allowed))
    return _beyond(at, pairs, allowed)


@lru_cache(maxsize=64)
def critical(pairs: int, allowed: float, level: float) -> float:
    """The statistic from which on a p-value is at most `level`, but for a thousandth."""
    from scipy.stats import norm

    low = high = float(norm.isf(level))
    while _beyond(high, pairs, allowed) > level:
        low, high = high, high + 0.1
        if high > 60:
            return math.inf
    while low > 0 and _beyond(low, pairs, allowed) <= level:
        low, high = max(low - 0.1, 0.0), low
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if _beyond(middle, pairs, allowed) <= level else (middle, high)
    return high


def least_lost(won: int, pairs: int, allowed: float, level: float) -> int | None:
    """How many pairs have to turn wrong, `won` turning right, for the drop to be found; None: all would not do."""
    edge = critical(pairs, allowed, level)
    lost = np.arange(won, pairs - won + 1, dtype=np.float64)
    found = np.flatnonzero(score(lost, won, pairs, allowed) >= edge)
    return int(lost[found[0]]) if found.size else None


def most(lost: int, won: int, pairs: int, certainty: float) -> float:
    """The upper end of a one-sided confidence interval of the drop, by the score statistic, to a ten-thousandth.

    The interval is that of Tango; see benchmarks/figures_gate.py for how often it holds the true drop.
    """
    from scipy.stats import norm

    edge = float(norm.isf(1 - certainty))
    low, high = (lost - won) / pairs, 1.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        # "The drop is at least `middle`" is "the gain is at most −middle": lost and won change places.
        below = float(score(won, lost, pairs, -middle)) >= edge
        low, high = (low, middle) if below else (middle, high)
    return high


def _edges(at: float, pairs: int, allowed: float) -> NDArray[np.int64]:
    """For each number of pairs won, the smallest number lost whose statistic is at least `at`; pairs + 1: none."""
    won = np.arange(pairs + 1)
    low, high = (
        np.full(pairs + 1, -1),
        pairs - won + 1,
    )  # the statistic at `low` is below, at `high` not, or there is none
    while (open_ := high - low > 1).any():
        middle = np.where(open_, (low + high) // 2, high)
        reached = score(middle.astype(float), won.astype(float), pairs, allowed) >= at - _SLACK
        low, high = np.where(open_ & ~reached, middle, low), np.where(open_ & reached, middle, high)
    return high


def _beyond(at: float, pairs: int, allowed: float) -> float:
    """The largest probability, over all shares that may turn, of a statistic of at least `at`."""
    from scipy.stats import norm

    if pairs > MOST_PAIRS:
        return float(norm.sf(at))
    edges = _edges(at, pairs, allowed)
    # What is rare matters most: shares of a few pairs lie dense, those of many sparse.
    least, most = max(0.0, -allowed), (1 - allowed) / 2  # a gain needs as many pairs that are won
    shares = least + (most - least) * np.linspace(0, 1, _COARSE) ** 2
    shares = np.unique(np.concatenate([shares, np.minimum(least + np.arange(0, 8, 0.5) / pairs, most)]))
    found = _probabilities(shares, edges, pairs, allowed)
    best = int(found.argmax())
    around = np.linspace(shares[max(best - 1, 0)], shares[min(best + 1, shares.size - 1)], _FINE)
    return float(min(1.0, max(found.max(), _probabilities(around, edges, pairs, allowed).max())))


def _probabilities(
    shares: NDArray[np.float64], edges: NDArray[np.int64], pairs: int, allowed: float
) -> NDArray[np.float64]:
    """The probability of lost ≥ edges[won], by the probability that a pair is won; of a loss it is `allowed` more."""
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    spread = 8 * np.sqrt(pairs * shares * (1 - shares)) + 12  # what lies further off has a probability below 1e-14
    first = np.maximum(np.floor(pairs * shares - spread), 0).astype(np.int64)
    last = np.minimum(np.ceil(pairs * shares + spread), pairs).astype(np.int64)
    sizes = last - first + 1
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    won = np.arange(sizes.sum()) - np.repeat(starts - first, sizes)
    share, rest, edge = np.repeat(shares, sizes), (pairs - won).astype(float), edges[won]
    log = gammaln(np.arange(pairs + 1) + 1.0)
    weight = np.exp(log[pairs] - log[won] - log[pairs - won] + xlogy(won, share) + xlog1py(rest, -share))
    lost = np.clip((share + allowed) / np.maximum(1 - share, _SLACK), 0, 1)
    tail = np.where(edge > rest, 0.0, 1.0)
    inside = (edge > 0) & (edge <= rest) & (weight > 1e-16)
    tail[inside] = betainc(edge[inside], rest[inside] - edge[inside] + 1, lost[inside])
    return np.asarray(np.add.reduceat(weight * tail, starts))
