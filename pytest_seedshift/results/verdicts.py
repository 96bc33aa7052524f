"""verdicts.json, read back: its cases and its breaking points, as far as they can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files, tags
from pytest_seedshift.core.errors import DataError, SeedshiftError
from pytest_seedshift.core.likeness import measure_of
from pytest_seedshift.core.messages import some
from pytest_seedshift.core.score_registry import ScoreRegistry, recorded
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.results import costs, grids, metadata, run_settings
from pytest_seedshift.results.data import CaseRun, Likeness, RunError, Sample, TagScores
from pytest_seedshift.results.statuses import rank

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results import schema
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import Search, SeedUse

VERSIONS = (1,)
"""The versions of verdicts.json that are read."""

_MOST = 8
"""How many cases without a verdict are named."""


def document(folder: RunFolder, notes: list[str]) -> dict[str, Any]:
    """verdicts.json; empty where there is none that can be read."""
    file = folder.verdicts_file
    try:
        document = files.read_json(file, within=folder.path)
        with files.foreign(file):
            version, document = document["version"], dict(document)
    except files.MissingFileError:
        notes.append(f"{file.name} is not there: the run was interrupted, or it judged nothing")
        return {}
    except files.FileError as error:
        notes.append(f"{file.name} {error.reason}")
        return {}
    if version not in VERSIONS:
        newer = isinstance(version, int) and version > max(VERSIONS)
        raise RunError(
            f"{file}: its version is {version!r}, this version of seedshift reads {' and '.join(map(str, VERSIONS))}"
            + (": upgrade pytest-seedshift" if newer else "")
        )
    return document


def records(document: Mapping[str, Any], folder: RunFolder, notes: list[str]) -> list[CaseRun]:
    """The cases that have a verdict, with what they cost; what cannot be read is reported in `notes`."""
    file, entries = folder.verdicts_file, document.get("cases", [])
    if not isinstance(entries, list):
        notes.append(f"{file.name} has no list of cases")
        return []
    known, kinds = costs.read(folder.path, notes) if entries else {}, recorded(document)
    found: dict[str, CaseRun] = {}
    for place, entry in enumerate(entries):
        try:
            if not isinstance(entry, dict):
                raise DataError("it is not an object")
            record = _record(entry, known.get(str(entry.get("test")), costs.UNKNOWN), folder.path, kinds)
            _ = record.id  # a magnitude that cannot be written
        except SeedshiftError as error:
            notes.append(f"case {place + 1} of {file.name} cannot be read: {error}")
        else:
            before = found.get(record.id)  # two tests may judge one case: the worst counts
            if before is None or rank(record.status) <= rank(before.status):
                found[record.id] = record
    planned = {each.id: each for each in grids.cases(document.get("grid"))}
    without = [each for each in planned if each not in found]
    if found and without:
        several = len({each.model for each in planned.values()}) > 1
        told = some((_called(planned[name], several) for name in without), most=_MOST)
        notes.append(f"{len(without)} of the {len(planned)} cases of the grid have no verdict: {told}")
    return list(found.values())


def _called(entry: schema.Planned, several: bool) -> str:
    """A case of the grid in words, `random -0.10`, behind its model where there are `several`."""
    if entry.case is None:
        return entry.id
    told = "null control" if entry.is_null else entry.case.describe()
    return f"{entry.model} {told}" if several else told


def missing(document: Mapping[str, Any], records: Iterable[CaseRun]) -> list[Case]:
    """The cases of the grid that no verdict speaks of; none where there is no verdict at all, which is reported."""
    judged = {each.id for each in records}
    return grids.without_verdict(document.get("grid"), judged) if judged else []


def searches(document: Mapping[str, Any], folder: RunFolder, notes: list[str]) -> tuple[Search, ...]:
    """The records of searches for breaking points; what cannot be read is reported in `notes`."""
    # pydantic, not where tests are collected, which is quicker without it
    from pytest_seedshift.results import schema

    entries, file = document.get("breaking", []), folder.verdicts_file
    if not isinstance(entries, list):
        notes.append(f"{file.name} has no list of breaking points")
        return ()
    unread: list[str] = []  # told with the cases
    known = costs.read(folder.path, unread) if entries else {}
    found: dict[str, Search] = {}
    for place, entry in enumerate(entries):
        try:
            if not isinstance(entry, dict):
                raise DataError("it is not an object")
            record = {**entry, **known.get(str(entry.get("test")), costs.UNKNOWN)}
            search = schema.read(schema.Search, record)
        except SeedshiftError as error:
            notes.append(f"breaking point {place + 1} of {file.name} cannot be read: {error}")
        else:
            before = found.get(search.id)  # as of cases
            if before is None or rank(search.status) <= rank(before.status):
                found[search.id] = search
    planned = dict.fromkeys(each.id for each in grids.planned(document.get("grid")) if each.kind is not None)
    without = [each for each in planned if each not in found]
    if without:
        notes.append(f"{len(without)} of the {len(planned)} breaking points have no verdict: {some(without)}")
    return tuple(found.values())


def seed_use(document: Mapping[str, Any]) -> tuple[float, tuple[SeedUse, ...]]:
    """The certainty of a run's bounds on the use of the seed vector, and what came of these."""
    from pytest_seedshift.results import schema

    known = document.get("certainty")
    certainty = known if isinstance(known, float) and 0.5 < known < 1 else CERTAINTY
    return certainty, tuple(schema.readable(schema.SeedUse, document.get("seed_use")))


def with_head(known: tuple[metadata.Facts, ...], document: Mapping[str, Any]) -> tuple[metadata.Facts, ...]:
    """The facts, with the fingerprints of those models that only the head of verdicts.json names."""
    from pytest_seedshift.results import schema

    head = document.get("models")
    named = {model.name for each in known for model in each.models}
    more = []
    for name, each in head.items() if isinstance(head, dict) else ():
        try:
            model = schema.read(schema.Model, each)
        except DataError:  # what needs it is left out, and that is reported
            continue
        if name not in named:
            scorers = (model.classifier, model.clip, *(model.own or {}).values())
            of = run_settings.checked(model.run_with)
            more.append(metadata.Model(name, model.fingerprint or "", tuple(filter(None, scorers)), run_with=of))
    return (*known, metadata.Facts(models=tuple(more))) if more else known


def _record(entry: Mapping[str, Any], cost: Mapping[str, int | float], folder: Path, kinds: ScoreRegistry) -> CaseRun:
    from pytest_seedshift.results import schema

    found = schema.read_record(schema.Record, entry)
    samples, control = _shown(found.pictures, folder)
    return CaseRun(
        case=found.case,
        verdict=found.verdict,
        reason=found.reason,
        scores={name: each.estimate() for name, each in found.scores.items() if name in kinds},
        findings=tuple(
            each.finding(kinds[each.score])
            for each in found.constraints
            if tags.plain(each.score) in kinds or measure_of(each.score)
        ),
        images=found.images,
        design=found.design,
        blank=found.blank,
        flat=found.flat,
        certainty=found.certainty,
        generated=int(cost["generated"]),
        seconds=float(cost["seconds"]),
        device=found.device,
        dtype=found.dtype,
        test=found.test,
        samples=samples,
        control=control,
        null=found.null,
        outcome=found.outcome,
        xfail=found.xfail,
        design_seed=found.design_seed,
        kinds=kinds,
        likeness=None if found.likeness is None else _likeness(found.likeness, folder),
        tags={
            tag: TagScores(each.pairs, {name: one.estimate() for name, one in each.scores.items() if name in kinds})
            for tag, each in (found.tags or {}).items()
        },
    )


def _likeness(found: schema.Likeness, folder: Path) -> Likeness:
    least = found.least
    values = {name: math.inf if value == "inf" else float(value) for name, value in least.values.items()}
    shown = (picture(name, folder)[0] for name in (least.picture, least.baseline))
    scores = {name: each.estimate() for name, each in found.scores.items() if measure_of(name) is not None}
    return Likeness(found.pairs, found.equal, scores, (least.label, least.seed), values, *shown)


def _shown(
    entries: Iterable[schema.KeptPicture], folder: Path
) -> tuple[tuple[Sample, ...], dict[tuple[str, int], Sample]]:
    """The samples of which verdicts.json names pictures: what there is where the store is lost."""
    after, before = [], {}
    for each in entries:
        after.append(Sample(each.label, each.seed, _top1(each.right), *picture(each.picture, folder)))
        known = Sample(each.label, each.seed, _top1(each.control_right), *picture(each.control, folder))
        before[each.label, each.seed] = known
    return tuple(after), before


def _top1(right: bool | None) -> dict[str, float]:
    return {} if right is None else {"top1": float(right)}


def picture(name: object, folder: Path) -> tuple[Path | None, bool]:
    """The picture's path, if it is there and in the folder; and whether it is missing."""
    if not isinstance(name, str) or not name:
        return None, False
    path = folder / name  # a folder from elsewhere must not name files out of it, by an absolute path, .. or a link
    return (path, False) if files.is_file(path, folder) else (None, True)
