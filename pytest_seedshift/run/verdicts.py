"""verdicts.json, read back: its cases and its breaking points, as far as they can be read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift import costs, facts
from pytest_seedshift.cases import Case
from pytest_seedshift.run.data import CaseRun, RunError, Sample
from pytest_seedshift.scores import SCORES, Change, Estimate, Finding
from pytest_seedshift.suggest import some

if TYPE_CHECKING:
    from pytest_seedshift.breaking.form import Record as Search
    from pytest_seedshift.folder import RunFolder

VERSIONS = (1,)
"""The versions of verdicts.json that are read."""

_VERDICTS = ("pass", "fail", "error")

_MOST = 100
"""How many cases without a verdict are named."""


def document(folder: RunFolder, notes: list[str]) -> dict[str, Any]:
    """verdicts.json; empty where there is none that can be read."""
    file = folder.verdicts_file
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        version = document["version"]
    except FileNotFoundError:
        notes.append(f"{file.name} is not there: the run was interrupted, or it judged nothing")
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        notes.append(f"{file.name} cannot be read ({type(error).__name__}: {error})")
        return {}
    if version not in VERSIONS:
        newer = isinstance(version, int) and version > max(VERSIONS)
        raise RunError(
            f"{file}: its version is {version!r}, this version of seedshift reads {' and '.join(map(str, VERSIONS))}"
            + (": upgrade pytest-seedshift" if newer else "")
        )
    return dict(document)


def records(document: Mapping[str, Any], folder: RunFolder, notes: list[str]) -> list[CaseRun]:
    """The cases that have a verdict, with what they cost; what cannot be read is told in `notes`."""
    file, entries = folder.verdicts_file, document.get("cases", [])
    if not isinstance(entries, list):
        notes.append(f"{file.name} has no list of cases")
        return []
    known = costs.read(folder.path, notes) if entries else {}
    found: dict[str, CaseRun] = {}
    for place, entry in enumerate(entries):
        try:
            record = _record({**entry, **known.get(str(entry.get("test")), costs.UNKNOWN)}, folder.path)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            notes.append(f"case {place + 1} of {file.name} cannot be read ({type(error).__name__}: {error})")
        else:
            found[record.id] = record  # two tests may judge one case: the last word counts
    grid = document.get("grid")
    entries = [each for each in grid if isinstance(each, dict)] if isinstance(grid, list) else []
    planned = [str(each.get("id")) for each in entries if each.get("kind") is None]
    without = [each for each in dict.fromkeys(planned) if each not in found]
    if found and without:
        told = some(without, most=_MOST)
        notes.append(f"{len(without)} of the {len(set(planned))} cases of the grid have no verdict: {told}")
    return list(found.values())


def searches(document: Mapping[str, Any], folder: RunFolder, notes: list[str]) -> tuple[Search, ...]:
    """The records of searches for breaking points; what cannot be read is told in `notes`."""
    from pydantic import ValidationError  # not where tests are collected, which is quicker without it

    from pytest_seedshift.breaking import form

    entries, file = document.get("breaking", []), folder.verdicts_file
    if not isinstance(entries, list):
        notes.append(f"{file.name} has no list of breaking points")
        return ()
    unread: list[str] = []  # told with the cases
    known = costs.read(folder.path, unread) if entries else {}
    found: dict[str, Search] = {}
    for place, entry in enumerate(entries):
        try:
            search = form.Record.model_validate({**entry, **known.get(str(entry.get("test")), costs.UNKNOWN)})
        except (ValidationError, TypeError, AttributeError) as error:
            said = str(error).replace("\n", " ")
            notes.append(f"breaking point {place + 1} of {file.name} cannot be read ({type(error).__name__}: {said})")
        else:
            found[search.id] = search
    grid = document.get("grid")
    entries = [each for each in grid if isinstance(each, dict)] if isinstance(grid, list) else []
    planned = {str(each.get("id")): None for each in entries if each.get("kind") == "breaking"}
    without = [each for each in planned if each not in found]
    if without:
        notes.append(f"{len(without)} of the {len(planned)} breaking points have no verdict: {some(without)}")
    return tuple(found.values())


def with_head(known: tuple[facts.Facts, ...], document: Mapping[str, Any]) -> tuple[facts.Facts, ...]:
    """The facts, with the fingerprints of those models that only the head of verdicts.json names."""
    head = document.get("models")
    named = {model.name for each in known for model in each.models}
    more = [
        facts.Model(
            name=str(name),
            fingerprint=str(each.get("fingerprint") or ""),
            scorers=tuple(
                str(fingerprint)
                for fingerprint in (each.get("classifier"), each.get("clip"), *dict(each.get("own") or {}).values())
                if fingerprint
            ),
        )
        for name, each in (head.items() if isinstance(head, dict) else ())
        if name not in named and isinstance(each, dict)
    ]
    return (*known, facts.Facts(models=tuple(more))) if more else known


def _record(entry: Mapping[str, Any], folder: Path) -> CaseRun:
    case = Case(str(entry["model"]), str(entry["shift"]), float(entry["magnitude"]))
    if not math.isfinite(case.magnitude):
        raise ValueError(f"magnitude {case.magnitude}")
    if entry["verdict"] not in _VERDICTS:
        raise ValueError(f"verdict {entry['verdict']!r}")
    samples, control = _shown(entry.get("pictures") or (), folder)
    return CaseRun(
        case=case,
        verdict=str(entry["verdict"]),
        reason=str(entry.get("reason") or ""),
        scores={
            name: Estimate(
                float(found["mean"]), float(found["low"]), float(found["high"]), int(found.get("clipped") or 0)
            )
            for name, found in (entry.get("scores") or {}).items()
            if name in SCORES
        },
        findings=tuple(
            Finding(
                each["score"],
                each["kind"],
                float(each["bound"]),
                float(each["measured"]),
                each["holds"],
                Change(**each["change"]) if each.get("change") else None,
            )
            for each in entry.get("constraints") or ()
            if each["score"] in SCORES
        ),
        images=int(entry.get("images") or 0),
        design=int(entry.get("design") or 0),
        certainty=None if entry.get("certainty") is None else float(entry["certainty"]),
        generated=int(entry["generated"]),
        seconds=float(entry["seconds"]),
        device=_text(entry.get("device")),
        dtype=_text(entry.get("dtype")),
        test=str(entry.get("test") or ""),
        samples=samples,
        control=control,
        null=entry.get("null") is True,
    )


def _shown(
    entries: Iterable[Mapping[str, Any]], folder: Path
) -> tuple[tuple[Sample, ...], dict[tuple[str, int], Sample]]:
    """The samples of which verdicts.json names pictures: what there is where the store is lost."""
    after, before = [], {}
    for each in entries:
        label, seed = str(each["label"]), int(each["seed"])
        after.append(Sample(label, seed, {"top1": float(each["right"])}, *picture(each.get("picture"), folder)))
        known = {"top1": float(each["control_right"])}
        before[label, seed] = Sample(label, seed, known, *picture(each.get("control"), folder))
    return tuple(after), before


def picture(name: object, folder: Path) -> tuple[Path | None, bool]:
    """The picture's path, if it is there and in the folder; and whether it is missing."""
    if not isinstance(name, str) or not name:
        return None, False
    path = folder / name
    inside = path.resolve().is_relative_to(folder.resolve())  # a folder from elsewhere must not name files out of it
    return (path, False) if inside and path.is_file() else (None, True)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
