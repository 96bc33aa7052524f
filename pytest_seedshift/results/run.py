"""A run folder, read back into plain data: all that a report knows of a run comes through here.

Whatever is missing or cannot be read is left out and reported in `Run.notes`; nothing is written, no model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_seedshift.core.score_registry import recorded
from pytest_seedshift.results import archive, metadata, sample_reading, sensitivity_files, verdicts
from pytest_seedshift.results.data import CaseRun, Run, RunError, Sample
from pytest_seedshift.results.run_folder import RunFolder, VerdictsError
from pytest_seedshift.results.sample_tables import StoreError
from pytest_seedshift.results.statuses import UNFINISHED

__all__ = ["UNFINISHED", "CaseRun", "Run", "RunError", "Sample", "head", "load"]


def load(path: Path) -> Run:
    """Read a run folder.

    Raises:
        RunError: there is no such folder, nothing of a run is in it, or a newer version wrote it.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"{path} is not a folder: give a run folder, such as .seedshift")
    notes: list[str] = []
    document = verdicts.document(folder, notes)
    kinds = recorded(document)
    records, searches = verdicts.records(document, folder, notes), verdicts.searches(document, folder, notes)
    known = verdicts.with_head(metadata.read(folder, notes), document)
    missing = tuple(verdicts.missing(document, records))
    contents = None
    try:
        models = {each.case.model for each in records} if records else None
        contents = sample_reading.read(folder.samples_file, models, archive.fingerprints(known))
    except StoreError as error:
        if not records and not searches:
            raise RunError(
                f"{path} holds no run that can be read: {'; '.join([*notes, str(error)])}. Give the folder that a run "
                "wrote to (--seedshift-dir, by default .seedshift), or run pytest --seedshift-model=NAME first"
            ) from None
        notes.append(f"{error}: tables by class, drops and changed pairs are left out where they need it")
    if contents is not None:
        if contents.broken:
            notes.append(f"{contents.broken} rows of {folder.samples_file.name} are damaged and left out")
        if not records and not searches:
            records = archive.unfinished(contents, kinds)
        if not records and not searches:
            raise RunError(f"{path} holds no run: no verdict and no sample was written to it. Run pytest first")
        records = archive.with_samples(records, contents, known, folder, notes, kinds)
    lost = sum(each.lost for case in records for each in case.samples)
    if lost:
        notes.append(f"{lost} pictures that the run kept are not in the folder: their places say so")
    ordered = _sorted(records)
    nulls = tuple(each for each in ordered if each.null)
    cases = tuple(each for each in ordered if not each.null) or nulls
    judged = dict.fromkeys([*(each.case.model for each in cases), *(search.model for search in searches)])
    versions: dict[str, list[str]] = {model: [] for model in judged}
    for model in (model for each in known for model in each.models if model.name in versions and model.fingerprint):
        versions[model.name].append(model.fingerprint)
    uses = sensitivity_files.read(folder, versions, notes)
    certainty, bounds = verdicts.seed_use(document)
    return Run(
        path,
        cases,
        known,
        tuple(notes),
        nulls,
        uses,
        breaking=searches,
        missing=missing,
        kinds=kinds,
        seed_use_bounds=bounds,
        certainty=certainty,
    )


def head(path: Path) -> dict[str, Any]:
    """What verdicts.json says besides its cases; nothing where it cannot be read, of which `load` tells."""
    try:
        return {key: value for key, value in RunFolder(path).read_document().items() if key != "cases"}
    except VerdictsError:
        return {}


def _sorted(records: Iterable[CaseRun]) -> list[CaseRun]:
    """Model by model and shift by shift in the order of their first case, the control first, magnitudes ascending."""
    records = list(records)
    models = list(dict.fromkeys(each.case.model for each in records))
    shifts = list(dict.fromkeys(each.case.shift for each in records))
    return sorted(
        records,
        key=lambda each: (
            models.index(each.case.model),
            not each.case.is_control,
            shifts.index(each.case.shift),
            each.case.magnitude,
        ),
    )
