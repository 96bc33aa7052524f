"""Seed sensitivity in numbers: how much of an image hangs on its seed vector, by block, with intervals. Pure numbers.

How it is measured is described in `studies.sensitivity`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import unseen_changes

IGNORED = 0.1
"""Of what another label changes: a model whose images another seed vector changes by less does not use it.

The limit is this project's choice. That is reported where the interval's upper end lies below it, by both distances.
"""


KINDS: Mapping[str, str] = {"clip": "CLIP", "pixel": "pixels"}
"""The distances, with their titles."""


class SensitivityError(ModelError):
    """A seed sensitivity cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Share:
    """A spread over the spread by label, with its interval; all three are exactly 0 where no image differs."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Distances:
    """The mean distances of each block, by what differs; 0 or more."""

    vector: tuple[float, ...]
    later: tuple[float, ...]
    label: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What came of the images.

    Attributes:
        model: its name.
        distances: by kind of distance, see `KINDS`.
        images: how many were generated.
        seconds: how long that took.
        certainty: of the intervals.
    """

    model: str
    distances: Mapping[str, Distances]
    images: int
    seconds: float
    certainty: float = CERTAINTY

    def vector(self, kind: str) -> Share:
        """How much another seed vector changes an image, by a kind of distance."""
        return share(self.distances[kind].vector, self.distances[kind].label, self.certainty)

    def later(self, kind: str) -> Share:
        """How much other later noise changes an image."""
        return share(self.distances[kind].later, self.distances[kind].label, self.certainty)

    @property
    def blocks(self) -> int:
        """How many blocks were measured."""
        return min(len(each.label) for each in self.distances.values())

    @property
    def unseen(self) -> float:
        """The largest share of blocks that may look at the seed vector though none of these does."""
        return unseen_changes.most(self.blocks, certainty=self.certainty)

    def joined(self, more: Sensitivity) -> Sensitivity:
        """With further blocks, of the same model."""
        distances = {
            kind: Distances(*(getattr(each, name) + getattr(more.distances[kind], name) for name in _PARTS))
            for kind, each in self.distances.items()
        }
        images, seconds = self.images + more.images, self.seconds + more.seconds
        return Sensitivity(self.model, distances, images, seconds, self.certainty)

    @property
    def deterministic(self) -> bool:
        """Whether no image differs by its later noise: the seed vector and the label alone decide."""
        return not any(value for each in self.distances.values() for value in each.later)

    @property
    def ignores_vector(self) -> bool:
        """Whether the model is known not to look at its seed vector: see `IGNORED`."""
        return all(self.vector(kind).high < IGNORED for kind in self.distances)


_PARTS = ("vector", "later", "label")


def share(values: Sequence[float], unit: Sequence[float], certainty: float = CERTAINTY) -> Share:
    """The sum of some blocks' values over the sum of their units, with an interval.

    The interval is Student's, of the logarithm of the ratio by the jackknife that leaves out a block at a time (Tukey
    1958; Mosteller and Tukey 1977): the blocks are independent, and the ratio is positive and skewed.

    Args:
        values: one a block, at least two, 0 or more.
        unit: likewise, with a positive sum.
        certainty: of the interval, between 0.5 and 1.
    """
    import numpy as np
    from scipy.stats import t

    above, below = np.asarray(values, dtype=float), np.asarray(unit, dtype=float)
    count, ratio = above.size, float(above.sum() / below.sum())
    if not ratio:
        return Share(0.0, 0.0, 0.0)
    without = (above.sum() - above) / (below.sum() - below)
    if not (without > 0).all():  # one block alone differs: of how often that happens, little is known
        return Share(ratio, 0.0, math.inf)
    pseudo = count * math.log(ratio) - (count - 1) * np.log(without)
    width = float(t.ppf((1 + certainty) / 2, count - 1) * pseudo.std(ddof=1) / math.sqrt(count))
    return Share(ratio, ratio * math.exp(-width), ratio * math.exp(width))
