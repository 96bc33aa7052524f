"""What each model retains at each level of a factor, averaged over all other factors: what the picture shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.studies.sampler_ablation import effects
from pytest_seedshift.studies.sampler_ablation.differences import MODEL

if TYPE_CHECKING:
    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed


@dataclass(frozen=True, slots=True)
class Marginal:
    """A model's mean retained score over all arms at a level of a factor.

    Attributes:
        model: as the user writes it.
        factor: which.
        level: of the factor.
        score: its name.
        retained: the mean, with an interval that holds for it alone.
    """

    model: str
    factor: str
    level: str
    score: str
    retained: effects.Mean


def marginals(
    crossed: Crossed,
    by_arm: Mapping[str, Mapping[str, effects.Retained | None]],
    labels: Sequence[Any],
    certainty: float = CERTAINTY,
) -> tuple[Marginal, ...]:
    """All of them; see `effects.effects`. The factor model has none: its levels are in each of the others."""
    found = []
    models = dict.fromkeys(arm.level(MODEL) for arm in crossed.arms)
    for score, column in effects.columns_of(by_arm).items():
        most = max(each.most for each in column.values())
        for factor, levels in crossed.factors.items():
            for model, level in ((model, level) for model in models for level in levels if factor != MODEL):
                arms = [arm for arm in crossed.arms if (arm.level(MODEL), arm.level(factor)) == (model, level)]
                values = np.mean([column[arm.name].by_pair for arm in arms], axis=0)
                mean = effects.mean(values, labels, (0.0, most), certainty)
                found.append(Marginal(model, factor, level, score, mean))
    return tuple(found)
