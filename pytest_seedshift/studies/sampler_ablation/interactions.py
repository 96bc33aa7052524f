"""Whether the effect of one factor depends on the level of another one. Pure numbers.

Of two factors, each at two levels, the interaction is the effect of the first at the one level of the second less that
at the other, pair by pair, averaged over all other factors' levels. Where it is not 0, a main effect is an average of
unlike things, and may be 0 although both factors matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.studies.sampler_ablation import effects

if TYPE_CHECKING:
    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed
    from pytest_seedshift.studies.sampler_ablation.effects import Array, Mean, Retained


@dataclass(frozen=True, slots=True)
class Interaction:
    """How much the effect of a factor's level depends on another factor's level, on a retained score.

    Attributes:
        factors: the two, in the order of the design.
        levels: of each, the level.
        against: of each, the first level.
        score: its name.
        at: the effect of the first factor's level: at the second factor's first level, at its other one.
        change: the second of these less the first, with its interval.
        causes: what it can be the effect of, beside the two factors: see `Effect.causes`.
    """

    factors: tuple[str, str]
    levels: tuple[str, str]
    against: tuple[str, str]
    score: str
    at: tuple[float, float]
    change: Mean
    causes: tuple[str, ...]

    @property
    def significant(self) -> bool:
        """Whether its interval excludes 0 and neither factor goes together with something else."""
        return not self.causes and self.change.significant


def interactions(
    crossed: Crossed,
    by_arm: Mapping[str, Mapping[str, Retained | None]],
    labels: Sequence[Any],
    certainty: float = CERTAINTY,
) -> tuple[Interaction, ...]:
    """The interactions of every two factors, on each score that is above 0 without a shift in every arm.

    Args:
        crossed: the design.
        by_arm: by arm's name and score, the retained score.
        labels: of the pairs.
        certainty: of all their intervals together (Bonferroni); those of the main effects are a family of their own.
    """
    columns = effects.columns_of(by_arm)
    wanted = [(pair, score) for pair in _pairs(crossed) for score in columns]
    share = 1 - (1 - certainty) / max(len(wanted), 1)
    return tuple(_interaction(crossed, pair, score, columns[score], labels, share) for pair, score in wanted)


_Pair = tuple[tuple[str, str], tuple[str, str]]
"""A factor and its level, and another factor and its level."""


def _pairs(crossed: Crossed) -> Iterator[_Pair]:
    for one, other in combinations(crossed.factors, 2):
        for level in crossed.factors[one][1:]:
            yield from (((one, level), (other, each)) for each in crossed.factors[other][1:])


def _interaction(
    crossed: Crossed,
    pair: _Pair,
    score: str,
    column: Mapping[str, Retained],
    labels: Sequence[Any],
    certainty: float,
) -> Interaction:
    (one, level), (other, at) = pair
    against, first = crossed.factors[one][0], crossed.factors[other][0]
    before, after = (_effect(crossed, column, (one, against, level), (other, each)) for each in (first, at))
    most = 2 * max(each.most for each in column.values())
    return Interaction(
        (one, other),
        (level, at),
        (against, first),
        score,
        (float(before.mean()), float(after.mean())),
        effects.mean(after - before, labels, (-most, most), certainty),
        _causes(crossed, pair),
    )


def _effect(
    crossed: Crossed, column: Mapping[str, Retained], change: tuple[str, str, str], at: tuple[str, str]
) -> Array:
    """By pair, the effect of a factor where another one is at a level."""
    found = [
        column[after.name].by_pair - column[before.name].by_pair
        for before, after in crossed.apart(*change)
        if before.level(at[0]) == at[1]
    ]
    return np.asarray(np.mean(found, axis=0))


def _causes(crossed: Crossed, pair: _Pair) -> tuple[str, ...]:
    """All that goes together with one of the factors."""
    together = [causes for each in pair if len(causes := crossed.causes_of(*each)) > 1]
    return tuple(dict.fromkeys(name for causes in together for name in causes))
