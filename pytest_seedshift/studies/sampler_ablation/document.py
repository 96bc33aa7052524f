"""A crossed experiment as a document in JSON, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.stats.seed_shares import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_seedshift.studies.sampler_ablation.effects import Effect, Mean
    from pytest_seedshift.studies.sampler_ablation.experiment import Found, Study
    from pytest_seedshift.studies.sampler_ablation.interactions import Interaction
    from pytest_seedshift.studies.sampler_ablation.marginals import Marginal

VERSION = 1


def document(study: Study, sentences: Sequence[str]) -> dict[str, Any]:
    """All of it in built-in types; `sentences` summarise it."""
    return {
        "version": VERSION,
        "shifts": [{"shift": shift, "magnitude": magnitude} for shift, magnitude in study.shifts],
        "images": study.images,
        "labels": study.labels,
        "certainty": study.certainty,
        "factors": {name: list(levels) for name, levels in study.crossed.factors.items()},
        "left_out": dict(study.crossed.left_out),
        "models": {
            model: {name: {"value": each.value, "kind": each.kind.value} for name, each in traits.items()}
            for model, traits in study.crossed.traits.items()
        },
        "arms": [_arm(each) for each in study.found],
        "effects": [_effect(each) for each in study.effects],
        "interactions": [_interaction(each) for each in study.interactions],
        "levels": [_marginal(each) for each in study.marginals],
        "sentences": list(sentences),
    }


def _arm(found: Found) -> dict[str, Any]:
    return {
        "name": found.arm.name,
        "levels": dict(found.arm.levels),
        "control": dict(found.control),
        "kept": {score: _mean(each) for score, each in found.retained.items()},
        "kept_by_shift": {score: [_mean(each) for each in means] for score, means in found.by_shift.items()},
        "holds": found.holds,
        "breaks": found.breaks,
        "weight": found.weight,
        "discards_seed_vector": found.discards,
        "ignores_seed_vector": None if found.sensitivity is None else found.ignores,
        "seed_vector_changes": None
        if found.sensitivity is None
        else {kind: found.sensitivity.vector(kind).value for kind in KINDS},
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "factor": effect.factor,
        "level": effect.level,
        "against": effect.against,
        "score": effect.score,
        "controls": list(effect.controls),
        "kept": list(effect.retained),
        "change": _mean(effect.change),
        "single": list(effect.single),
        "causes": list(effect.causes),
        "significant": effect.significant,
    }


def _interaction(found: Interaction) -> dict[str, Any]:
    return {
        "factors": list(found.factors),
        "levels": list(found.levels),
        "against": list(found.against),
        "score": found.score,
        "at": list(found.at),
        "change": _mean(found.change),
        "causes": list(found.causes),
        "significant": found.significant,
    }


def _marginal(found: Marginal) -> dict[str, Any]:
    return {
        "model": found.model,
        "factor": found.factor,
        "level": found.level,
        "score": found.score,
        "kept": _mean(found.retained),
    }


def _mean(mean: Mean) -> dict[str, float]:
    return {"mean": mean.value, "low": mean.low, "high": mean.high}
