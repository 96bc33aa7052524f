"""Which seed vectors are typical: all that is known of a draw of N(0, 1) holds of them.

Each statistic has a range, and a typical vector lies within all of them. The ranges hold together: of vectors that are
drawn, a share of `LEVEL` is typical. They are found by simulation, with keyed draws, so they are the same everywhere.
Of one half of the draws each statistic gets its median and, on either side, the distance of its quantile at 95 %; a
vector's distance is that of its most extreme statistic, in these units. The other half gives the largest distance that
is typical, by its order statistic of rank ⌈(n + 1)·level⌉. So of vectors that are drawn later a share of at least
`level` is typical, whatever the statistics' distributions and however they hang together (split conformal prediction;
Lei et al. 2018, Journal of the American Statistical Association 113).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.pairs import digest
from pytest_seedshift.models import repairs

LEVEL = 0.99
"""The share of drawn vectors that is typical."""

DRAWS = 2000
"""Of how many drawn vectors the ranges are found."""

_CHUNK = 1 << 22
"""About so many numbers are looked at at once."""

_LEAST = 4
"""Rows and columns of a seed vector."""

_SIDE = 0.975
"""The quantile whose distance from the median is the unit of a statistic's distance, on its side."""


@dataclass(frozen=True, slots=True)
class Typical:
    """The typical set of seed vectors of one shape.

    Attributes:
        shape: (channels, height, width).
        level: the share of drawn vectors that is in it.
        names: of the statistics.
        low: the lower end of each range, float32, (statistics,).
        high: the upper end.
        median: of each statistic.
    """

    shape: tuple[int, ...]
    level: float
    names: tuple[str, ...]
    low: Tensor
    high: Tensor
    median: Tensor

    def within(self, z: Tensor) -> Tensor:
        """Whether seed vectors, (batch, channels, height, width), are typical; booleans, (batch,)."""
        return (self.reach(statistics(z)[1]) <= 1).all(1)

    def reach(self, values: Tensor) -> Tensor:
        """How far statistics, (batch, statistics), are on the way from the median, 0, to the end of their range, 1."""
        away = values - self.median
        return torch.where(away < 0, away / (self.low - self.median), away / (self.high - self.median))


@lru_cache(maxsize=4)
def find(shape: tuple[int, ...], *, level: float = LEVEL, draws: int = DRAWS) -> Typical:
    """The typical set of a shape.

    Args:
        shape: (channels, height, width) of a seed vector.
        level: the share of drawn vectors that is in it, above 0 and below 1.
        draws: of how many vectors it is found, two at least; one half of them shall be 1 / (1 − level) or more.

    Raises:
        InvalidValueError: seed vectors of fewer than four rows or columns, of whose order little can be said.
    """
    if min(shape[1:]) < _LEAST:
        raise InvalidValueError(
            f"seed vectors of shape {shape}: whether one is typical is known of {_LEAST} rows and columns at least"
        )
    generator = torch.Generator().manual_seed(int.from_bytes(digest("typical", *shape)[:8], "big", signed=True))
    chunk = max(1, _CHUNK // math.prod(shape))
    names: tuple[str, ...] = ()
    found = []
    for start in range(0, draws, chunk):
        names, values = statistics(torch.randn((min(chunk, draws - start), *shape), generator=generator))
        found.append(values)
    first, second = torch.cat(found).tensor_split(2)
    median = first.median(0).values
    below, above = median - first.quantile(1 - _SIDE, 0), first.quantile(_SIDE, 0) - median
    away = second - median
    distance = torch.where(away < 0, -away / below, away / above).amax(1)
    rank = min(math.ceil((len(distance) + 1) * level), len(distance))
    widest = distance.sort().values[rank - 1]
    return Typical(shape, level, names, median - widest * below, median + widest * above, median)


def statistics(z: Tensor) -> tuple[tuple[str, ...], Tensor]:
    """What is known of seed vectors: moments, distribution, spectrum, order in space, and how channels hang together.

    Args:
        z: (batch, channels, height, width).

    Returns:
        The names of the statistics, and their values, float32, (batch, statistics). Of a vector that has none of some
        statistic, such as the skewness of a constant channel, it is NaN, which is typical nowhere.
    """
    z = z.float()
    found = [*_moments(z), *_distribution(z), *_spectrum(z), *_neighbours(z), *_between(z)]
    return tuple(name for name, _ in found), torch.stack([values for _, values in found], 1)


_Found = Iterator[tuple[str, Tensor]]


def _moments(z: Tensor) -> _Found:
    flat = z.flatten(1)
    yield "norm / √n", flat.square().mean(1).sqrt()
    for name, values in _standardised(flat):
        if name != "spread":  # which the norm is, but for the mean
            yield name, values
    if z.shape[1] > 1:
        for channel, row in enumerate(z.flatten(2).unbind(1)):
            for name, values in _standardised(row):
                yield f"{name} of channel {channel}", values


def _standardised(row: Tensor) -> _Found:
    """Mean, spread, skewness and excess kurtosis of rows, (batch, n)."""
    mean = row.mean(1, keepdim=True)
    spread = (row - mean).square().mean(1, keepdim=True).sqrt()
    unit = (row - mean) / spread
    yield "mean", mean[:, 0]
    yield "spread", spread[:, 0]
    square = unit.square()
    yield "skewness", (unit * square).mean(1)
    yield "excess kurtosis", square.square().mean(1) - 3


def _distribution(z: Tensor) -> _Found:
    """The distance of Kolmogorov and Smirnov from N(0, 1), and the largest value."""
    ordered = z.flatten(1).sort(1).values
    count = ordered.shape[1]
    below = torch.special.ndtr(ordered)
    steps = torch.arange(count + 1, dtype=z.dtype, device=z.device) / count
    yield "distance from N(0, 1)", torch.maximum(steps[1:] - below, below - steps[:-1]).amax(1)
    yield "largest value", ordered[:, [0, -1]].abs().amax(1)


def _spectrum(z: Tensor) -> _Found:
    """The power of bands of spatial frequencies, each an octave wide, and how flat the spectrum is."""
    power = torch.fft.fft2(z, norm="ortho").abs().square().mean(1).flatten(1)
    ring = repairs.rings(*z.shape[-2:]).flatten()
    varying = ring > 0  # the mean has its own statistic
    low = 1
    while low <= int(ring.max()):
        band = (ring >= low) & (ring < 2 * low)
        if bool(band.any()):
            name = "1 cycle" if low == 1 else f"{low} to {2 * low - 1} cycles"
            yield f"power at {name}", power[:, band].mean(1)
        low *= 2
    yield "flatness of the spectrum", power[:, varying].log().mean(1).exp() / power[:, varying].mean(1)


def _neighbours(z: Tensor) -> _Found:
    """Spearman's correlation of values with their neighbours, the mean over channels."""
    flat = z.flatten(2)
    count = flat.shape[2]
    places = (torch.arange(count, dtype=z.dtype, device=z.device) - (count - 1) / 2) / math.sqrt((count**2 - 1) / 12)
    ranks = torch.empty_like(flat).scatter_(2, flat.argsort(2), places.expand(flat.shape)).reshape(z.shape)
    yield "neighbours to the right", (ranks[..., :-1] * ranks[..., 1:]).mean((1, 2, 3))
    yield "neighbours below", (ranks[..., :-1, :] * ranks[..., 1:, :]).mean((1, 2, 3))


def _between(z: Tensor) -> _Found:
    """How channels are correlated: the largest correlation of two, and the root mean square of all."""
    channels = z.shape[1]
    if channels < 2:
        return
    flat = z.flatten(2)
    centred = flat - flat.mean(2, keepdim=True)
    unit = centred / centred.norm(dim=2, keepdim=True)
    rows, columns = torch.triu_indices(channels, channels, 1)
    found = (unit @ unit.mT)[:, rows, columns]
    yield "largest correlation of channels", found.abs().amax(1)
    yield "correlations of channels", found.square().mean(1).sqrt()
