"""Crossed experiments of made-up numbers, for tests of what is said and drawn of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.stats.seed_shares import Distances, Sensitivity
from pytest_seedshift.studies.sampler_ablation import conditions
from pytest_seedshift.studies.sampler_ablation.experiment import Study, judged, of_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PAIRS = 64
LABELS = [k % 16 for k in range(PAIRS)]


def looking(share: float) -> Sensitivity:
    """Another seed vector changes such a part of what another label changes, in every block."""
    each = Distances((share,) * 8, (0.0,) * 8, (1.0,) * 8)
    return Sensitivity("any", {"clip": each, "pixel": each}, 48, 1.0)


def study(
    breaks: Callable[[conditions.Arm], bool],
    models=("toy-latent",),
    *,
    control: Callable[[conditions.Arm], float] = lambda arm: 1.0,
    weights: Mapping[str, float] | None = None,
    share: Callable[[conditions.Arm], float] = lambda arm: 0.9,
) -> Study:
    """An experiment whose arms break as requested; `weights` are by sampler."""
    crossed = conditions.cross(models, lambda name: "it predicts the noise" if "+zsnr" in name else None)
    return study_of(crossed, breaks, control=control, weights=weights, share=share)


def study_of(
    crossed: conditions.Crossed,
    breaks: Callable[[conditions.Arm], bool],
    *,
    control: Callable[[conditions.Arm], float] = lambda arm: 1.0,
    weights: Mapping[str, float] | None = None,
    share: Callable[[conditions.Arm], float] = lambda arm: 0.9,
    shifts: Sequence[tuple[str, float]] = (("mean", 0.3),),
) -> Study:
    """The same of a design that is there; arms that break do so under the first of the shifts alone."""
    found = []
    for arm in crossed.arms:
        right = np.arange(PAIRS) < control(arm) * PAIRS
        still = right & ((np.arange(PAIRS) // 16) % 2 == 0) if breaks(arm) else right
        before, after = ({"top1": 1.0 * each, "clip": 40.0 * each} for each in (right, still))
        weight = None if weights is None else weights[arm.level("sampler")]
        under = [after, *[before] * (len(shifts) - 1)]
        found.append(of_columns(arm, before, under, LABELS, looking(share(arm)), weight))
    return judged(crossed, tuple(shifts), found, LABELS)


def by_ddim(arm: conditions.Arm) -> bool:
    return arm.level("sampler") == "ddim"
