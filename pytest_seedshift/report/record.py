"""A case's record: what verdicts.json says of it, in built-in types only, so that it survives any transport.

The format is public and stable; docs: README, "verdicts.json".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_seedshift.report import words

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.store import RunFolder
    from pytest_seedshift.workbench import CaseResult

Record: TypeAlias = dict[str, Any]


def of_result(result: CaseResult, folder: RunFolder, test: str) -> Record:
    """The record of a case that was judged. The paths of its pictures are relative to the run folder."""
    pictures = folder.shown(folder.picture_folder(result.case))
    return {
        **_head(result.case, test),
        "verdict": "pass" if result.passed else "fail",
        "reason": words.success(result) if result.passed else words.failure(result, pictures),
        "scores": {
            name: {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
            for name, estimate in result.scores.items()
        },
        "images": len(result.samples),
        "design": len(result.samples),
        "seconds": round(result.seconds, 3),
        "device": result.device,
        "dtype": result.dtype,
        "constraints": [
            {
                "score": finding.score,
                "kind": finding.kind,
                "bound": finding.bound,
                "measured": finding.measured,
                "holds": finding.holds,
            }
            for finding in result.findings
        ],
        "pictures": _pictures(result, folder),
    }


def of_error(case: Case, reason: str, test: str) -> Record:
    """The record of a case that could not be judged."""
    return {
        **_head(case, test),
        "verdict": "error",
        "reason": reason,
        "scores": {},
        "images": 0,
        "design": 0,
        "seconds": 0.0,
        "device": None,
        "dtype": None,
        "constraints": [],
        "pictures": [],
    }


def properties(record: Record) -> list[tuple[str, object]]:
    """A record's figures as JUnit's properties."""
    figures = [(f"seedshift_{name}", estimate["mean"]) for name, estimate in record["scores"].items()]
    named = ("model", "shift", "magnitude", "verdict", "images")
    return [*((f"seedshift_{name}", record[name]) for name in named), *figures]


def _head(case: Case, test: str) -> Record:
    return {"id": case.id, "test": test, "model": case.model, "shift": case.shift, "magnitude": case.magnitude}


def _pictures(result: CaseResult, folder: RunFolder) -> list[dict[str, Any]]:
    """The kept pictures, each with the control's picture of the same pair, as paths relative to the run folder."""
    control = {sample.pair: sample for sample in result.control if sample.picture is not None}
    kept = []
    for sample in result.pictures:
        before, after = control.get(sample.pair), sample.picture
        if before is None or before.picture is None or after is None:
            continue
        kept.append(
            {
                "label": sample.pair.label.name,
                "seed": sample.pair.seed,
                "right": bool(sample.scores["top1"]),
                "picture": after.relative_to(folder.path).as_posix(),
                "control": before.picture.relative_to(folder.path).as_posix(),
                "control_right": bool(before.scores["top1"]),
            }
        )
    return kept
