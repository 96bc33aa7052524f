"""How likely a case is to need its further pairs: what may be made before the verdict has asked for it.

It decides nothing, so it may be rough; it has to be cheap, as it is asked of every open case after every look. A case
needs a pair if its verdict does not stand before. For some numbers of further pairs, and for some values that their
mean may have (given what was seen, and that a mean is known to no better than its number of pairs allows), the wealth
that the gamblers would have is computed as if the values came evenly; the share of the means with which one of them has
what is needed is the chance that the pair after these is not needed. `benchmarks/chances.py` holds it against what
happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.core.stats.betting import STAKES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = "NDArray[np.float64]"

_PICKED = np.array([2, 7, 12, 17, 21, 24])
"""Of the stakes that differ, from the smallest on: a few of them do for a guess."""

_PICKED_STAKES = np.unique(STAKES)[_PICKED][:, np.newaxis, np.newaxis, np.newaxis]

_LOG_SHARES = np.log(np.array([5, 5, 5, 5, 4, 8]) / 32)[:, np.newaxis]

_NODES = (0.2113, 0.7887)
"""Where on the way of further values what is left is looked at: Gauss and Legendre's two nodes."""

_QUANTILES = np.array([-1.383, -0.674, -0.21, 0.21, 0.674, 1.383])
"""Six means of a normal distribution that stand for a sixth each."""

_STEPS = 8
"""For how many numbers of further pairs it is computed; between them it is interpolated."""

_SAID = (0.0, 0.04, 0.08, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.93, 1.0)
_NEEDED = (0.04, 0.08, 0.14, 0.21, 0.32, 0.43, 0.53, 0.61, 0.71, 0.78, 0.87, 0.93, 0.993)
"""How often pairs of simulated cases were needed of which so much was said: no values come evenly."""

PRIOR = 1.0
"""As how many pairs what is supposed of a mean counts, before any was seen."""

SPREAD = 0.1
"""What is supposed of the standard deviation of goodness that is not 0 or 1."""


@dataclass(frozen=True, slots=True)
class Gambles:
    """Who may win next, of some bounds: one value a gambler unless it is said otherwise.

    Attributes:
        logs: the logs of their wealth by stake, of the stakes that differ: (stakes, gamblers).
        asked: what is left of the sum that they bet against.
        left: of how many values; infinite where values are drawn with replacement, and `asked` is the mean then.
        needed: the log of the wealth that they need.
        mean: of further values, as far as is known.
        spread: their standard deviation.
        binary: whether each is 0 or 1.
        known: on how many values `mean` rests.
    """

    logs: Floats
    asked: Floats
    left: Floats
    needed: Floats
    mean: Floats
    spread: Floats
    binary: NDArray[np.bool_]
    known: float

    @staticmethod
    def together(parts: Sequence[Gambles]) -> Gambles:
        """The gamblers of all parts, in their order; of one case."""
        return Gambles(
            np.concatenate([part.logs for part in parts], axis=1),
            np.concatenate([part.asked for part in parts]),
            np.concatenate([part.left for part in parts]),
            np.concatenate([part.needed for part in parts]),
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.spread for part in parts]),
            np.concatenate([part.binary for part in parts]),
            parts[0].known,
        )


def won(gambles: Gambles, further: Floats) -> Floats:
    """The chance that each gambler has won after so many further values: (gamblers, numbers of values)."""
    number = further[:, np.newaxis]
    error = gambles.spread[:, np.newaxis, np.newaxis] * np.sqrt(1 / number + 1 / gambles.known)
    means = gambles.mean[:, np.newaxis, np.newaxis] + error * _QUANTILES  # gambler, number, quantile
    means = means.clip(0, None)
    binary = gambles.binary[:, np.newaxis, np.newaxis]
    spread = np.minimum(gambles.spread[:, np.newaxis, np.newaxis], means)
    low, high = np.where(binary, 0, means - spread), np.where(binary, 1, means + spread)
    share = np.where(binary, means.clip(0, 1), 0.5)
    asked, left = gambles.asked[:, np.newaxis, np.newaxis], gambles.left[:, np.newaxis, np.newaxis]
    finite = np.isfinite(left)
    logs = gambles.logs[_PICKED][:, :, np.newaxis, np.newaxis]
    for node in _NODES:
        there = node * number
        rest = np.where(finite, (asked - there * means) / np.where(finite, left - there, 1), asked)
        rest = np.maximum(rest, 1e-6)
        growth = share * np.log1p(_PICKED_STAKES * (high / rest - 1))
        growth += (1 - share) * np.log1p(_PICKED_STAKES * (low / rest - 1))
        logs = logs + number / 2 * growth
    logs = logs + _LOG_SHARES[:, :, np.newaxis, np.newaxis]
    peak = logs.max(axis=0)
    excess = peak + np.log(np.exp(logs - peak).sum(axis=0)) - gambles.needed[:, np.newaxis, np.newaxis]
    excess = np.where(finite & (asked - number * means <= 0), 50.0, excess).clip(-50, 50)
    # How far from one quantile to the next the edge lies: the chance is no stairs.
    edge = excess[:, :, 1:] / np.where(excess[:, :, 1:] == excess[:, :, :-1], 1, excess[:, :, 1:] - excess[:, :, :-1])
    inside = (excess[:, :, 1:] > 0) & (excess[:, :, :-1] <= 0)
    above = (excess > 0).sum(axis=2) + np.where(inside, edge - 0.5, 0).sum(axis=2)
    return np.asarray(np.maximum.accumulate((above / len(_QUANTILES)).clip(0, 1), axis=1))


@dataclass(frozen=True, slots=True)
class Chances:
    """How likely the pairs of a design are to be needed.

    Attributes:
        certain: so many of the first pairs are needed whatever is seen in them.
        pairs: some numbers of the first pairs, ascending, the last one that of the design.
        open: how likely the verdict is not to stand on so many; falling.
    """

    certain: int
    pairs: Floats
    open: Floats

    def of(self, pair: int) -> float:
        """How likely a pair, counted from 0, is to be needed."""
        if pair < self.certain:
            return 1.0
        return 0.0 if pair >= self.pairs[-1] else float(np.interp(pair, self.pairs, self.open))

    def among(self, start: int, stop: int) -> list[float]:
        """The same of the pairs from `start` to before `stop`."""
        said = np.interp(np.arange(start, min(stop, int(self.pairs[-1]))), self.pairs, self.open)
        said[: max(self.certain - start, 0)] = 1.0
        return [*said.tolist(), *[0.0] * (stop - start - said.size)]

    def needed(self, chance: float) -> int:
        """How many of the first pairs are needed with at least so much of a chance, above 0 and below 1."""
        enough = np.flatnonzero(self.open >= chance)
        if not enough.size or enough[-1] == self.pairs.size - 1:
            return max(self.certain, int(self.pairs[-1]) if enough.size else 0)
        at = int(enough[-1])
        share = (self.open[at] - chance) / (self.open[at] - self.open[at + 1])
        return max(self.certain, int(self.pairs[at] + share * (self.pairs[at + 1] - self.pairs[at])) + 1)


def open_after(holds: Floats, breaks: Floats) -> Floats:
    """The chance that a verdict does not stand yet.

    Args:
        holds: of each bound, the chance that it is known to hold, in the shape (bounds, numbers of pairs).
        breaks: that it is known to break.
    """
    raw = np.prod(1 - breaks, axis=0) - np.prod(holds, axis=0)
    return np.asarray(np.minimum.accumulate(np.interp(raw, _SAID, _NEEDED)))


def numbers(certain: int, seen: int, size: int) -> Floats:
    """Of how many further pairs it is asked: from the first that may not be needed up to all that are left."""
    first = max(certain - seen, 1)
    return np.unique(np.round(np.geomspace(first, max(size - seen, first), _STEPS)))
