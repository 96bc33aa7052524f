"""Seed sensitivity in numbers: how much of an image hangs on its seed vector, by block, with intervals. Pure numbers.

How it is measured is described in `studies.sensitivity`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import unseen_changes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
class Squares:
    """The mean squares of each block, by what they are of; 0 or more. See `seed_variance`."""

    label: tuple[float, ...]
    vector: tuple[float, ...]
    both: tuple[float, ...]

    def joined(self, more: Squares) -> Squares:
        """With further blocks."""
        return Squares(self.label + more.label, self.vector + more.vector, self.both + more.both)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What came of the images.

    Attributes:
        model: its name.
        distances: by kind of distance, see `KINDS`.
        images: how many were generated.
        seconds: how long that took.
        certainty: of the intervals.
        variance: by quantity of pictures, see `seed_variance`; empty where an earlier version has measured it.
    """

    model: str
    distances: Mapping[str, Distances]
    images: int
    seconds: float
    certainty: float = CERTAINTY
    variance: Mapping[str, Squares] = field(default_factory=dict)

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
        variance = {
            name: each.joined(more.variance[name]) for name, each in self.variance.items() if name in more.variance
        }
        return Sensitivity(self.model, distances, images, seconds, self.certainty, variance)

    @property
    def deterministic(self) -> bool:
        """Whether no image differs by its later noise: the seed vector and the label alone decide."""
        return not any(value for each in self.distances.values() for value in each.later)

    @property
    def ignores_vector(self) -> bool:
        """Whether the model is known not to look at its seed vector: see `IGNORED`."""
        return all(self.vector(kind).high < IGNORED for kind in self.distances)

    @property
    def may_ignore_vector(self) -> bool:
        """Whether the shares are below `IGNORED`, whatever their intervals leave open: more blocks would tell."""
        return all(self.vector(kind).value < IGNORED for kind in self.distances)


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

    above, below = np.asarray(values, dtype=float), np.asarray(unit, dtype=float)
    return _interval(above.sum() / below.sum(), (above.sum() - above) / (below.sum() - below), certainty)


def left(after: Distances, before: Distances, certainty: float = CERTAINTY) -> Share:
    """What is left of a version's share by seed vector in another one, whose blocks are the same, with an interval.

    The blocks have the same labels and noise in both, so they are left out together: what a block adds to both is no
    part of the interval. See `share`.

    Args:
        after: of the version that is judged.
        before: of the one that it is held against; where one has more blocks, those that both have count.
        certainty: of the interval, between 0.5 and 1.

    Raises:
        SensitivityError: another seed vector changes nothing in `before`.
    """
    import numpy as np

    count = min(len(after.vector), len(before.vector))
    rows = [np.asarray(each[:count]) for each in (after.vector, after.label, before.vector, before.label)]
    if not rows[2].sum() or not all(rows[each].sum() for each in (1, 3)):
        raise SensitivityError("another seed vector changes nothing in the baseline's pictures")
    new, unit, old, old_unit = ((each.sum(), each.sum() - each) for each in rows)
    ratio, without = ((new[k] / unit[k]) / (old[k] / old_unit[k]) for k in (0, 1))
    return _interval(float(ratio), without, certainty)


def _interval(ratio: float, without: NDArray[np.float64], certainty: float) -> Share:
    """A ratio with its interval, by what it is without each block."""
    import numpy as np
    from scipy.stats import t

    if not ratio:
        return Share(0.0, 0.0, 0.0)
    count = without.size
    if not (without > 0).all() or not np.isfinite(without).all():
        return Share(float(ratio), 0.0, math.inf)  # one block alone differs: of how often that happens, little is known
    pseudo = count * math.log(ratio) - (count - 1) * np.log(without)
    width = float(t.ppf((1 + certainty) / 2, count - 1) * pseudo.std(ddof=1) / math.sqrt(count))
    return Share(float(ratio), float(ratio) * math.exp(-width), float(ratio) * math.exp(width))
