"""Whether some seed indices are worse than others over all labels, beyond chance. Pure numbers.

A score's values of one label differ by its seeds. Where the index says nothing across labels, the values of each label
are exchangeable over its indices. So each label's values are permuted among its own indices, each by itself,
and of each the lowest standardised sum over all indices is noted. An index's p-value is how often that is as
low as the index's own: the error is held over all indices together, exactly (the single-step procedure of Westfall and
Young, *Resampling-based multiple testing*, 1993; with the draw itself counted, as Phipson and Smyth 2010 ask).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.errors import InvalidValueError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 9999
"""How many permutations are drawn."""

_CHUNK = 2_000_000
"""About how many numbers are permuted at once."""

_SLACK = 1e-9

_NOTHING = "no seed index has values of two labels that have several indices each: nothing can be compared"


@dataclass(frozen=True, slots=True)
class SeedEffect:
    """One seed index over all labels.

    Attributes:
        seed: the index.
        labels: of how many labels there is a value.
        mean: of the score over these.
        effect: the mean of what these lie above their labels' means; below 0 where the index is worse.
        p: how probable so low an index, or a lower one, is among all of them by chance.
    """

    seed: int
    labels: int
    mean: float
    effect: float
    p: float


def effects(
    values: Mapping[tuple[str, int], float], *, only: Collection[int] | None = None, draws: int = DRAWS
) -> list[SeedEffect]:
    """Test each seed index.

    Args:
        values: of a score, by label and seed index; finite.
        only: the indices that are tested, so that the error is over these alone; None for all.
        draws: how many permutations. They are keyed: the same values give the same p-values.

    Returns:
        The worst first; indices of fewer than two labels are left out, as are labels of fewer than two indices.

    Raises:
        InvalidValueError: no index is left.
    """
    seeds, rows = _rows(values)
    if not seeds:
        raise InvalidValueError(_NOTHING)
    asked = [place for place, seed in enumerate(seeds) if only is None or seed in only]
    found = ~np.isnan(rows)
    counts = found.sum(axis=0)
    asked = [place for place in asked if counts[place] >= 2]
    if not asked:
        raise InvalidValueError(_NOTHING)
    centred = rows - np.nanmean(rows, axis=1, keepdims=True)
    spread = np.where(found, np.nanvar(rows, axis=1)[:, np.newaxis], 0.0).sum(axis=0)
    scale = np.sqrt(np.where(spread > 0, spread, 1.0))
    sums = np.nansum(centred, axis=0)
    own = (sums / scale)[asked]
    lowest = _lowest(np.where(found, centred, np.nan), scale, asked, draws)
    p = (1 + (lowest[:, np.newaxis] <= own + _SLACK).sum(axis=0)) / (draws + 1)
    made = [
        SeedEffect(
            seeds[place],
            int(counts[place]),
            float(np.nanmean(rows[:, place])),
            float(sums[place] / counts[place]),
            float(p[at]),
        )
        for at, place in enumerate(asked)
    ]
    return sorted(made, key=lambda each: (each.p, each.effect, each.seed))


def _rows(values: Mapping[tuple[str, int], float]) -> tuple[list[int], NDArray[np.float64]]:
    """The seed indices, and a row a label with each one's value; NaN where there is none."""
    if not all(math.isfinite(each) for each in values.values()):
        raise InvalidValueError("a value is not finite")
    by_label: dict[str, dict[int, float]] = {}
    for (label, seed), value in values.items():
        by_label.setdefault(label, {})[seed] = value
    kept = [each for _, each in sorted(by_label.items()) if len(each) > 1]
    seeds = sorted({seed for each in kept for seed in each})
    return seeds, np.array([[each.get(seed, math.nan) for seed in seeds] for each in kept]).reshape(
        len(kept), len(seeds)
    )


def _lowest(
    centred: NDArray[np.float64], scale: NDArray[np.float64], asked: list[int], draws: int
) -> NDArray[np.float64]:
    """Of each permutation the lowest standardised sum over the indices that are tested."""
    rng = np.random.default_rng(0)
    step, made = max(1, _CHUNK // max(1, centred.size)), []
    for start in range(0, draws, step):
        number = min(step, draws - start)
        sums = np.zeros((number, centred.shape[1]))
        for row in centred:
            here = np.flatnonzero(~np.isnan(row))
            sums[:, here] += rng.permuted(np.broadcast_to(row[here], (number, here.size)), axis=1)
        made.append((sums / scale)[:, asked].min(axis=1))
    return np.concatenate(made)
