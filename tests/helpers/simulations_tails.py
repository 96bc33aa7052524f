"""How often bounds of a tail are decided wrongly: by the package, and by a rule that takes each look or label alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from pytest_seedshift.core import pairs, tails
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.core.tails import ALL_OF, ANY_OF, AT_LEAST, MIN_CLASS, Tail

ALPHA = 0.05
"""A low certainty: here a rule that does not share its errors shows."""

LABELS = [Label(f"l{index}", index) for index in range(20)]
SEEDS = 24
Array = np.ndarray


@dataclass(frozen=True)
class Rates:
    """In which share of designs the verdict is false: by a rule that takes each look or label alone, and by ours."""

    naive: float
    ours: float
    passes: float = 0.0
    """In which share one that lies below its bound, by one group or picture, passes by ours."""


def _asked(kind: str, minimum: float, value: float = 0, score: str = "top1") -> Constraint:
    tail = Tail(score, kind, value)
    return Constraint(tail.name, minimum, own_kind=tail.described(BUILT_IN[score]))


def _judged(constraint: Constraint, design: Sequence[pairs.Pair], values: Array) -> bool:
    test = SequentialTest((constraint,), len(design), 1 - ALPHA, labels=tails.by_label(design))
    return test.judge({constraint.score: values}).passed


def _looks(groups: Array, least: float) -> bool:
    """Whether a test of fixed size, done after each of the groups from the tenth on, says that the mean is below."""
    seen = np.arange(10, groups.size + 1)
    right = np.cumsum(groups)[seen - 1]
    return bool((binom.cdf(right, seen, least) <= ALPHA).any())


def worst_label(designs: int, seed: int) -> Rates:
    """A model of which each label's own accuracy just meets the bound: how often a label is said to be below."""
    rng, least = np.random.default_rng(seed), 0.6
    ours = naive = 0
    for draw in range(designs):
        design = pairs.design(LABELS, len(LABELS) * SEEDS, seed=draw)
        values = (rng.random(len(design)) < least).astype(float)
        ours += not _judged(_asked(MIN_CLASS, least), design, values)
        right = [values[list(each)].sum() for each in tails.by_label(design).values()]
        naive += bool(min(binom.cdf(right, SEEDS, least)) <= ALPHA)
    return Rates(naive / designs, ours / designs)


def _of_groups(kind: str, k: int, chances: tuple[float, float]) -> Callable[[int, int], Rates]:
    def simulated(designs: int, seed: int) -> Rates:
        """Designs of which just so many groups are right as are asked, in labels that are unlike."""
        rng, ours, naive, passes = np.random.default_rng(seed), 0, 0, 0
        for draw in range(designs):
            design = pairs.design(LABELS, len(LABELS) * SEEDS, seed=draw)
            values, groups = np.zeros(len(design)), []
            for each, chance in zip(tails.by_label(design).values(), np.linspace(*chances, len(LABELS)), strict=True):
                values[list(each)] = rng.random(SEEDS) < chance
                groups += [each[start : start + k] for start in range(0, SEEDS, k)]
            together = np.any if kind == ANY_OF else np.all
            found = np.array([together(values[list(each)]) for each in groups])
            ours += not _judged(_asked(kind, float(found.mean()), k), design, values)
            passes += _judged(_asked(kind, float(found.sum() + 1) / found.size, k), design, values)
            order = np.argsort([max(each) for each in groups])
            naive += _looks(found[order], float(found.mean()))
        return Rates(naive / designs, ours / designs, passes / designs)

    return simulated


def quantile(designs: int, seed: int) -> Rates:
    """Designs of which just so many pictures reach a value as are asked."""
    rng, ours, naive, passes, floor = np.random.default_rng(seed), 0, 0, 0, 20.0
    for draw in range(designs):
        design = pairs.design(LABELS, len(LABELS) * SEEDS, seed=draw)
        values = rng.normal(24.0, 3.0, len(design))
        reached = (values >= floor).astype(float)
        just, above = (_asked(AT_LEAST, float(reached.sum() + more) / values.size, floor, "clip") for more in (0, 1))
        counted = np.array([tails.value(just.score, each) for each in values])
        ours += not _judged(just, design, counted)
        passes += _judged(above, design, counted)
        naive += _looks(reached, float(reached.mean()))
    return Rates(naive / designs, ours / designs, passes / designs)


TAILS: Mapping[str, Callable[[int, int], Rates]] = {
    MIN_CLASS: worst_label,
    ANY_OF: _of_groups(ANY_OF, 4, (0.02, 0.4)),
    ALL_OF: _of_groups(ALL_OF, 2, (0.2, 0.95)),
    tails.QUANTILE: quantile,
}
