"""A base against others as JSON: all figures, in built-in types."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.versus import TAKEN, sentences

if TYPE_CHECKING:
    from pytest_seedshift.studies.sampler_ablation.effects import Mean
    from pytest_seedshift.studies.speed import Speed
    from pytest_seedshift.studies.versus import Cost, Other, Versus

VERSION = 1


def document(found: Versus) -> dict[str, Any]:
    """All of it, in built-in types."""
    return {
        "version": VERSION,
        "base": {
            "model": found.base,
            "verdict": "fail" if found.failed else "pass",
            "failed": {each.case.id: each.reason for each in found.failed},
            **_cost(found.cost),
        },
        "shifts": [{"shift": shift, "magnitude": magnitude} for shift, magnitude in found.shifts],
        "certainty": found.certainty,
        "others": [_document(found, each) for each in found.others],
        "lost": dict(found.lost),
        "sentences": sentences(found),
    }


def _document(found: Versus, other: Other) -> dict[str, Any]:
    return {
        "model": other.name,
        "verdict": other.verdict,
        "failed": {each.case.id: each.reason for each in other.failed},
        "failed_as_base": [case.id for case in other.shared],
        "failed_beside": list(other.beside),
        "pairs": other.pairs,
        "design": other.design,
        **_cost(other.cost),
        "speed": None if other.cost.speed is None else _speed(other.cost.speed),
        "untimed": other.cost.untimed,
        **{what: found.times(other, what) for what, _ in TAKEN},
        "likeness": None if other.likeness is None else _alike(other),
        "note": other.note,
        "scores": {
            each.name: {
                "control": {"base": each.controls[0], "model": each.controls[1]},
                "change": _mean(each.change),
                "retained": None if each.retained is None else {"base": each.retained[0], "model": each.retained[1]},
                "robustness": None if each.robustness is None else _mean(each.robustness),
            }
            for each in other.scores
        },
    }


def _alike(other: Other) -> dict[str, Any]:
    assert other.likeness is not None
    made = other.likeness.document()
    return {key: made[key] for key in ("pairs", "equal", "ssim", "psnr")}


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "seconds_per_image": cost.seconds,
        "peak_memory": cost.memory,
        "weight_bytes": cost.weights,
        "disk_bytes": cost.disk,
    }


def _speed(found: Speed) -> dict[str, Any]:
    return {**dataclasses.asdict(found), "clear": found.is_clear}


def _mean(found: Mean) -> dict[str, float]:
    return {key: float(getattr(found, key)) for key in ("value", "low", "high") if math.isfinite(getattr(found, key))}
