"""How fast a model is beside another one: both in memory, in turns, on the same pairs.

So whatever else a machine does, and how warm it is, meets both; and what is left of it shows as the spread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.models import drawing

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import TextToImage

_TURN = 0.5
"""Seconds of a turn, where an image does not take more."""

_LONG_ENOUGH = 8.0
"""Seconds after which there are no more rounds than are needed."""

_MOST = 15
"""Rounds at most, but for certainties that need more."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How many times as many images a second a model makes as its base does.

    Attributes:
        ratio: the median over the rounds.
        low: the lower end of its interval, which supposes only that rounds do not depend on each other.
        high: the upper end.
        rounds: of one turn each.
        images: of a turn, made at once.
    """

    ratio: float
    low: float
    high: float
    rounds: int
    images: int

    @property
    def is_clear(self) -> bool:
        """Whether it is faster or slower for sure: else the spread may be all that was seen."""
        return self.low > 1 or self.high < 1


def measure(base: TextToImage, other: TextToImage, pairs: Sequence[Pair], *, certainty: float = CERTAINTY) -> Speed:
    """Let both make the images of the same pairs in turns, each round beginning with the other one.

    What is slow only once, such as compiling and encoding prompts, is done before. A turn is over when its images have
    come to the memory of the CPU, so that what a GPU has yet to do counts.

    Args:
        base: in memory.
        other: likewise.
        pairs: as many as are made at once, at least one; fewer are, where they take too long.
        certainty: of the interval.

    Raises:
        SeedshiftError: one of them cannot generate.
    """
    chosen = _few(base, other, pairs)
    ratios: list[float] = []
    least, began = rounds_for(certainty), time.perf_counter()
    for number in count():
        if number >= least and (number >= _MOST or time.perf_counter() - began > _LONG_ENOUGH):
            break
        if number % 2:
            after, before = _turn(other, chosen), _turn(base, chosen)
        else:
            before, after = _turn(base, chosen), _turn(other, chosen)
        ratios.append(before / after)
    return Speed(*spread(ratios, certainty), len(ratios), len(chosen))


def spread(ratios: Sequence[float], certainty: float) -> tuple[float, float, float]:
    """The median of some ratios and its interval: of their order alone, as by a sign test.

    Args:
        ratios: `rounds_for(certainty)` or more.
        certainty: of the interval.
    """
    ordered, of = sorted(ratios), len(ratios)
    cut = 0  # so many may lie beyond either end
    while 2 * sum(math.comb(of, each) for each in range(cut + 2)) <= (1 - certainty) * 2**of:
        cut += 1
    middle = of // 2
    median = ordered[middle] if of % 2 else math.sqrt(ordered[middle - 1] * ordered[middle])
    return median, ordered[cut], ordered[-1 - cut]


def rounds_for(certainty: float) -> int:
    """How many rounds an interval needs: with fewer, all of them may have been on one side of the median by chance."""
    return next(number for number in count(1) if (1 - certainty) * 2**number * (1 + 1e-9) >= 2)


def _few(base: TextToImage, other: TextToImage, pairs: Sequence[Pair]) -> Sequence[Pair]:
    """So many of the pairs that a turn is short, with which both models have made images before."""
    for each in (base, other):
        _turn(each, pairs)
    longest = max(_turn(base, pairs), _turn(other, pairs))
    fit = max(int(len(pairs) * _TURN / longest), 1)
    if fit >= len(pairs):
        return pairs
    for each in (base, other):
        _turn(each, pairs[:fit])  # a compiled model compiles for another batch
    return pairs[:fit]


def _turn(model: TextToImage, pairs: Sequence[Pair]) -> float:
    began = time.perf_counter()
    drawing.generate(model, pairs).cpu()
    return time.perf_counter() - began
