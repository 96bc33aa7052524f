"""Simulations of thresholds that a run writes: how often another draw of a whole grid meets them all.

A grid has 31 cases whose designs are independent of each other, the worst there is for passing all of them. The control
that has to fail is the lower end of the interval less 0.02 of the score's range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from helpers.simulations import CLIP_TOP, VALUES, Array, Rates
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest, estimate
from pytest_seedshift.results import calibration

CASES = 31
CERTAINTY = 0.99


@dataclass(frozen=True)
class Written:
    """Bounds by several designs of one case: by the rule of the past, and by the package's."""

    naive: Array
    ours: Array


def another_grid(share: float, pairs: int, designs: int, seed: int = 0) -> Rates:
    """In how many grids all accuracies of whole designs are met by another draw; every grid of `designs` is drawn."""
    rng = np.random.default_rng(seed)
    bounds = [_bounds("top1", right / pairs, right, pairs, CASES) for right in range(pairs + 1)]
    seen = rng.binomial(pairs, share, (designs, CASES))
    again = rng.binomial(pairs, share, (designs, CASES)) / pairs
    naive, ours = (np.array(each)[seen] for each in zip(*bounds, strict=True))
    return Rates(float((again >= naive).all(1).mean()), float((again >= ours).all(1).mean()), designs)


def exactly(share: float, pairs: int) -> float:
    """The same of ours by arithmetic, without a simulation."""
    chances = binom.pmf(np.arange(pairs + 1), pairs, share)
    bounds = np.array([_bounds("top1", right / pairs, right, pairs, CASES)[1] for right in range(pairs + 1)])
    missed = chances @ binom.cdf(np.ceil(bounds * pairs - 1e-9) - 1, pairs, share)
    return float((1 - missed) ** CASES)


def another_grid_of_clip(name: str, pairs: int, designs: int, seed: int = 0) -> Rates:
    """The same of CLIP: each of `designs` bounds is held against each of as many other designs' means."""
    draw, _ = VALUES[name]
    rng = np.random.default_rng(seed)
    written = [_written("clip", row, pairs) for row in draw(rng, (designs, pairs)).clip(0, CLIP_TOP)]
    return _grids(written, draw(rng, (designs, pairs)).clip(0, CLIP_TOP).mean(1))


def another_grid_after_early(share: float, designs: int, size: int = 400, seed: int = 0) -> Rates:
    """The same of accuracies that were measured by early verdicts about 0.6: weak, so that they are met."""
    rng = np.random.default_rng(seed)
    test = SequentialTest((Constraint("top1", 0.6),), size, CERTAINTY)
    written = []
    for row in (rng.random((designs, size)) < share).astype(float):
        images = test.judge({"top1": row}).images
        written.append(_written("top1", row[:images], size))
    return _grids(written, rng.binomial(size, share, designs) / size)


def judged_early(share: float, designs: int, size: int = 400, seed: int = 0) -> float:
    """In which part of cases the early verdict about another draw passes a bound that a whole design has written."""
    rng = np.random.default_rng(seed)
    passed = 0
    for before, after in zip(*(rng.random((2, designs, size)) < share).astype(float), strict=True):
        bound = _written("top1", before, size)[1]
        passed += SequentialTest((Constraint("top1", bound),), size, CERTAINTY).judge({"top1": after}).passed
    return passed / designs


def found_worse(share: float, fallen: float, pairs: int, designs: int, seed: int = 0) -> float:
    """In how many grids a model that has fallen in one case of 31 breaks its bound there."""
    rng = np.random.default_rng(seed)
    bounds = np.array([_bounds("top1", right / pairs, right, pairs, CASES)[1] for right in range(pairs + 1)])
    seen, again = rng.binomial(pairs, share, designs), rng.binomial(pairs, fallen, designs) / pairs
    return float((again < bounds[seen]).mean())


def _grids(written: list[tuple[float, float]], means: Array) -> Rates:
    ordered = np.sort(means)
    rates = [
        float((1 - np.searchsorted(ordered, np.array(bounds) - 1e-9).mean() / means.size) ** CASES)
        for bounds in zip(*written, strict=True)
    ]
    return Rates(*rates, len(written))


def _written(score: str, values: Array, size: int) -> tuple[float, float]:
    found = estimate(BUILT_IN[score], values, certainty=CERTAINTY, stopped=values.size < size)
    return _both(score, {"mean": found.mean, "low": found.low, "high": found.high}, values.size, size, CASES)


def _bounds(score: str, mean: float, right: int, size: int, cases: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    low = binomtest(right, size).proportion_ci(CERTAINTY, method="wilson").low
    return _both(score, {"mean": mean, "low": float(low)}, size, size, cases)


def _both(score: str, found: dict[str, float], images: int, size: int, cases: int) -> tuple[float, float]:
    estimate = {**found, "images": images, "design": size, "certainty": CERTAINTY}
    return calibration.bound(BUILT_IN[score], found["low"], 0.02), calibration.passing(BUILT_IN[score], estimate, cases)
