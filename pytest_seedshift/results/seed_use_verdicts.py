"""Bounds on the use of the seed vector, held against what a run folder knows; see `core.seed_use_bounds`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.seed_use_bounds import REGRESSION, SeedUseBound
from pytest_seedshift.results import baseline, baseline_sources, schema, sensitivity_files

if TYPE_CHECKING:
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.sensitivity_files import SeedUse

UNMEASURED = "the run was cut short, or has --seedshift-sensitivity=never"


def judge(
    asked: Mapping[str, Sequence[SeedUseBound]],
    folder: RunFolder,
    versions: Mapping[str, Sequence[str]],
    *,
    certainty: float,
    before: Mapping[str, SeedUse] | None = None,
    elsewhere: Collection[str] = (),
) -> list[schema.SeedUse]:
    """What came of the bounds of some models, all of them together with a certainty.

    Args:
        asked: by model, its bounds; also of models that this run does not judge, with which they share the error.
        folder: of the run, with what was measured.
        versions: by model that was judged, the fingerprints of its versions.
        certainty: that none of the bounds is said to break where the model keeps it.
        before: by the run's name of a model, the baseline's measurement; None where there is no baseline.
        elsewhere: models that another shard measures.

    Returns:
        A bound each, but for regressions where there is no baseline to hold them against.
    """
    number = sum(map(len, asked.values()))
    if not number:
        return []
    own = 1 - (1 - certainty) / number
    notes: list[str] = []
    known = sensitivity_files.read(folder, versions, notes, certainty=own)
    found = []
    for model in (model for model in asked if model in versions):
        use = known.get(model)
        for bound in asked[model]:
            if bound.key == REGRESSION and before is None:
                continue
            about = {"model": model, "key": bound.key, "distance": bound.kind, "bound": bound.value}
            if use is None or use.sensitivity is None:
                reason = "; ".join(notes) or (use.reason if use else "") or UNMEASURED
                is_other_s = use is None and model in elsewhere and not notes
                why = {"elsewhere": True} if is_other_s else {"reason": reason}
                found.append(schema.SeedUse.model_validate({**about, "holds": None, **why}))
                continue
            found.append(_held(about, bound, use, (before or {}).get(model), own))
    return found


def of_document(document: schema.Verdicts, folder: RunFolder) -> list[schema.SeedUse]:
    """The bounds that a document has, held anew against what a folder knows, to which parts of a run were taken over.

    Args:
        document: of all parts; of a bound, each part may say that another one measures it.
        folder: with what was measured, and with the copy of the baseline, where there is one.
    """
    asked: dict[str, dict[SeedUseBound, None]] = {}
    for each in document.seed_use:
        asked.setdefault(each.model, {})[each.asked] = None
    versions = {name: [model.fingerprint] if model.fingerprint else [] for name, model in document.models.items()}
    bounds = {model: tuple(each) for model, each in asked.items()}
    before = _of_baseline(document, folder) if asked else None
    return judge(bounds, folder, versions, certainty=document.certainty, before=before)


def _of_baseline(document: schema.Verdicts, folder: RunFolder) -> dict[str, SeedUse] | None:
    path = folder.path / baseline.FILE_NAME
    if document.baseline is None or not path.exists():
        return None
    try:
        found = baseline_sources.load(path, within=folder.path)
    except baseline.BaselineError:  # the comparison says so
        return {}
    names = {model: found.counterpart(model, document.models, document.baseline.models) for model in document.models}
    return {model: found.seed_use[name] for model, name in names.items() if name is not None and name in found.seed_use}


def _held(
    about: Mapping[str, object], bound: SeedUseBound, use: SeedUse, before: SeedUse | None, certainty: float
) -> schema.SeedUse:
    """A bound held against a measurement."""
    reason = _not_comparable(use, before) if bound.key == REGRESSION else ""
    assert use.sensitivity is not None
    old = None if before is None or before.sensitivity is None else replace(before.sensitivity, certainty=certainty)
    try:
        share = None if reason else bound.measured(use.sensitivity, old)
    except SeedshiftError as error:
        share, reason = None, str(error)
    if share is None:
        return schema.SeedUse.model_validate({**about, "holds": None, "reason": reason})
    high = "inf" if math.isinf(share.high) else share.high
    measured = {"measured": share.value, "low": share.low, "high": high}
    return schema.SeedUse.model_validate({**about, **measured, "holds": not bound.broken_by(share)})


def _not_comparable(use: SeedUse, before: SeedUse | None) -> str:
    """Why a measurement cannot be held against the baseline's; empty where it can."""
    if before is None or before.sensitivity is None:
        return "the baseline does not have it: save it again by a run with --seedshift-sensitivity=always"
    if before.embedder != use.embedder:
        return "the baseline has it by another CLIP model: save it again"
    if before.design != use.design:
        return "the baseline has it of other labels or noise: save it again"
    return ""
