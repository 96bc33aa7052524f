"""Bets on a mean: how to know it early, and to be right whenever one looks. See `sequential` for what they decide.

Values come in an order that was drawn at random, and after each one a gambler bets that the mean is not what a
hypothesis says. Where the hypothesis holds each bet is fair at best, so the wealth ever passes 1/α with a probability
of at most α (Ville's inequality). The machinery is that of Waudby-Smith and Ramdas, *Confidence sequences for sampling
without replacement* (2020, arXiv 2006.04347) and *Estimating means of bounded random variables by betting* (2024,
JRSS B 86(1), arXiv 2010.09686).

Here the wealth comes of all values at once; `wealth` carries it from look to look, and decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Sums of floats may miss a bound by their last bits: 0.7 asked, 7 of 10 right.
SLACK = 1e-9
"""How far a mean may miss what is asked of it."""

# The parts of their wealth that the gamblers stake, all at once with equal shares; a mixture needs no guess of which is
# right. Most are the quadrature nodes of the arcsine distribution, dense at both ends: near 0 for means close to the
# bound, near 1 for scores that are nearly all 0 or nearly all 1. A quarter goes nearly all in, as good models are like
# that: a bound of 0.8 is met after 24 right answers in a row instead of 26.
_NODES, _ALL_IN = 24, 8
STAKES = np.concatenate([np.sin((np.arange(_NODES) + 0.5) * np.pi / (2 * _NODES)) ** 2, np.full(_ALL_IN, 0.999)])


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a bound holds, and after how many images that was known; None and None while it is not."""

    at: int | None
    holds: bool | None


UNDECIDED = Decision(None, None)


def reaches(total: NDArray[np.float64] | float, least: NDArray[np.float64] | float, size: int) -> NDArray[np.bool_]:
    """Whether a sum of `size` values is that of a mean of at least `least`, but for rounding."""
    return np.asarray(total >= size * (least - SLACK))


def log_wealth(goodness: NDArray[np.float64], most: float, size: float) -> NDArray[np.float64]:
    """After each value, the log of the wealth of who bets against "the mean of all `size` values is at most `most`".

    If the mean is `most`, what is left has the mean m = (N·most − sum so far) / (N − number so far), and the stake
    λ = θ/m makes 1 + λ·(value − m) of each unit: it never becomes negative, and on average no more than it was. The
    wealth is the mean over the θ of `STAKES`. `size` may be infinite: then m does not move.
    """
    before = np.concatenate(([0.0], np.cumsum(goodness)[:-1]))
    seen = np.arange(goodness.size)
    mean = np.full(goodness.size, most) if math.isinf(size) else (size * most - before) / (size - seen)
    # Where m is not above 0 the sum has reached N·most, and the caller knows without a bet.
    payoff = np.where(mean > SLACK, goodness / np.maximum(mean, SLACK) - 1, 0.0)
    logs = np.cumsum(np.log1p(STAKES[:, np.newaxis] * payoff), axis=1)
    peak = logs.max(axis=0)
    return np.asarray(peak + np.log(np.exp(logs - peak).mean(axis=0)), dtype=np.float64)


def evidence(losses: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """After each value, the log of the most that bets on "more than `most`" have had so far.

    Args:
        losses: 0 or more each, one after the other.
        most: what their own mean, not only that of those seen, is at most if the hypothesis holds; above 0. Then the
            wealth passes 1/p with a probability of at most p, whenever one looks.
    """
    wealth = log_wealth(losses, most, math.inf)
    return np.maximum.accumulate(np.append(0.0, wealth))[1:]


def lowest(goodness: NDArray[np.float64], certainty: float) -> float:
    """The largest m for which "the mean is at most m" was given up at some time, by bisection: wealth falls with m."""
    needed = math.log(2 / (1 - certainty))
    low, high = 0.0, float(goodness.mean())
    while high - low > 1e-4:
        middle = (low + high) / 2
        if log_wealth(goodness, middle, math.inf).max() >= needed:
            low = middle
        else:
            high = middle
    return low


def interval(goodness: NDArray[np.float64], certainty: float) -> tuple[float, float]:
    """Where the mean of all values like these lies, whenever one looks: both ends in [0, 1]. See `lowest`.

    Args:
        goodness: at least one value, in [0, 1], in the order in which they were drawn.
        certainty: of both ends together.
    """
    return lowest(goodness, certainty), 1 - lowest(1 - goodness, certainty)
