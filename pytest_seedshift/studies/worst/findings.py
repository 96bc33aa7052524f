"""What was found of the worst seeds, as plain data with its statistics."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.studies.worst.typical import Typical

Which = Literal["control", "null", "found"]
WHICH: tuple[Which, ...] = ("control", "null", "found")


@dataclass(frozen=True, slots=True)
class Seed:
    """A seed vector of a pair, by its pictures.

    Attributes:
        searched: the score by which it was chosen.
        score: the mean over fresh later noises; `searched` where later noise changes nothing.
        right: the share of these pictures in which the classifier sees the label; None where none was asked.
        levels: of one of the pictures, uint8, (height, width, 3).
    """

    searched: float
    score: float
    right: float | None
    levels: NDArray[np.uint8]

    @property
    def is_broken(self) -> bool:
        """Whether the classifier sees the label in fewer than half of the pictures."""
        return self.right is not None and self.right < 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a pair.

    Attributes:
        label: its name.
        seed: the pair's index.
        control: its own seed vector.
        null: the worst of the fresh seed vectors.
        found: the worst of the search.
        vector: of the search's worst, in the shape and order of axes in which the model draws it.
        extreme: the statistic of that vector which lies furthest out.
        reach: how far, from the median, 0, to the end of its typical range, 1.
        apart: degrees between that vector and the pair's own.
        discarded: candidates that were not typical.
    """

    label: str
    seed: int
    control: Seed
    null: Seed
    found: Seed
    vector: Tensor
    extreme: str
    reach: float
    apart: float
    discarded: int

    @property
    def difference(self) -> float:
        """By how much the found vector's score lies above that of the null's worst; negative where it is worse."""
        return self.found.score - self.null.score


@dataclass(frozen=True, slots=True)
class Difference:
    """Of the pairs' differences the median, its interval by order statistics, and p of the sign test.

    Attributes:
        median: of the differences.
        low: the interval's lower end, minus infinity where there are too few pairs for one.
        high: the upper end, likewise.
        p: how probable so many pairs with a lower score are where neither is more probable.
    """

    median: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Share:
    """How many pairs are broken, of how many, and the interval of Clopper and Pearson."""

    broken: int
    pairs: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Worst:
    """All of it.

    Attributes:
        model: its name.
        score: that was searched by.
        kind: what that is.
        budget: images of each pair's search, and of its null.
        confirm: fresh later noises of each vector; 0 where later noise changes nothing.
        certainty: of each interval, and of the sign test.
        typical: the typical set.
        pairs: what was found, pair by pair.
        images: that were made.
        deterministic: whether a picture depends on its prompt and its seed vector alone.
    """

    model: str
    score: str
    kind: ScoreKind
    budget: int
    confirm: int
    certainty: float
    typical: Typical
    pairs: tuple[Found, ...]
    images: int
    deterministic: bool

    @property
    def beyond(self) -> bool:
        """Whether the search finds worse than the null does, beyond chance."""
        return self.difference.p <= 1 - self.certainty

    @property
    def difference(self) -> Difference:
        """The found vectors' scores against those of the null's worst, pair by pair.

        The test is that of signs: exact, and of no assumption on how differences are distributed. Equal scores count
        against the search. The interval is that which the test goes with.
        """
        from scipy.stats import quantile_test

        values = [each.difference for each in self.pairs]
        p = float(quantile_test(values, q=0.0, p=0.5, alternative="less").pvalue)
        found = quantile_test(values, q=0.0, p=0.5).confidence_interval(self.certainty)
        low = -math.inf if math.isnan(found.low) else float(found.low)
        high = math.inf if math.isnan(found.high) else float(found.high)
        return Difference(statistics.median(values), low, high, p)

    def share(self, which: Which) -> Share | None:
        """How many pairs are broken with one of their vectors; None where no classifier was asked."""
        from scipy.stats import binomtest

        seeds = [getattr(each, which) for each in self.pairs]
        if any(seed.right is None for seed in seeds):
            return None
        broken = sum(seed.is_broken for seed in seeds)
        found = binomtest(broken, len(seeds)).proportion_ci(self.certainty, method="exact")
        return Share(broken, len(seeds), float(found.low), float(found.high))
