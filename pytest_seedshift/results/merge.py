"""Runs of shards, held against each other and joined: pure documents, no files.

A run's document is its verdicts.json: see `plugin.manifest` for its head and `runner.records` for its cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.results import run_settings, schema
from pytest_seedshift.results.breaking_schema import Record as _Search  # noqa: TC001  # pydantic reads it
from pytest_seedshift.results.run_folder import VERDICTS_VERSION, all_records
from pytest_seedshift.results.statuses import SKIPPED, rank, status_of

Document: TypeAlias = dict[str, Any]

_MOST = 5
"""How many differences are told; more help nobody."""

_SAME = 1e-3
"""Relative: scores of one sample can differ in their last digits between batch sizes and machines."""


class MergeError(DataError):
    """Runs that cannot be joined; the message names the difference."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run's name, as the user wrote it, and its document."""

    name: str
    document: Document


@dataclass(frozen=True, slots=True)
class Merged:
    """What runs say together."""

    document: Document
    missing: tuple[Mapping[str, Any], ...]
    """The entries of the grid that no run has a record of."""
    notes: tuple[str, ...]
    """Why they may be missing."""


def join(runs: Sequence[Run]) -> Merged:
    """Join the documents of runs, each of which was checked.

    The joined document is the one that one run of all cases would have written, but for the times. A verdict stands
    above an error of the same case, or a skip, which judged nothing; a failure above one that was expected there.

    Raises:
        MergeError: they do not speak of the same thing, or do not agree about a case that both have judged.
    """
    differences = [*_heads(runs), *_models(runs), *_grids(runs)]
    if not differences and len({run.document["thresholds"] for run in runs}) > 1:
        differences = [f"thresholds: {_by_value(runs, 'thresholds')} (of other cases than those that both have)"]
    grid = {entry["test"]: entry for run in runs for entry in run.document["grid"]}
    records: dict[str, Document] = {}
    origins: dict[str, str] = {}
    for run in runs:
        for record in all_records(run.document):
            test = record["test"]
            if test not in grid:
                differences.append(f"{run.name}: the case {record['id']} is not in its grid")
            elif test not in records or _stands_above(record, records[test]):
                records[test], origins[test] = dict(record), run.name
            elif _is_judged(record) and _is_judged(records[test]) and (said := _disagree(records[test], record)):
                differences.append(f"{record['id']}: {said[0]} in {origins[test]}, {said[1]} in {run.name}")
    if differences:
        more = len(differences) - _MOST
        lines = differences[:_MOST] + ([f"and {more} more"] if more > 0 else [])
        raise MergeError("these are not parts of one run:\n" + "\n".join(f"  {line}" for line in lines))
    first = runs[0].document
    models = {name: model for run in runs for name, model in run.document["models"].items()}
    own = {name: kind for run in runs for name, kind in run.document.get("scores", {}).items()}
    missing = tuple(entry for test, entry in grid.items() if test not in records)
    document: Document = {
        "version": VERDICTS_VERSION,
        **{name: first[name] for name in ("certainty", "thresholds", "prompt", "libraries") if name in first},
        "models": {
            name: models[name] for name in dict.fromkeys(entry["model"] for entry in grid.values()) if name in models
        },
        "grid": list(grid.values()),
        **{name: first[name] for name in ("baseline", "threshold_tests") if name in first},
        **({"scores": own} if own else {}),
        "cases": [records[test] for test, entry in grid.items() if test in records and entry.get("kind") is None],
    }
    searches = [records[test] for test, entry in grid.items() if test in records and entry.get("kind") == "breaking"]
    if searches:
        document["breaking"] = searches
    return Merged(document, missing, tuple(_notes(runs)) if missing else ())


def _is_judged(record: Mapping[str, Any]) -> bool:
    return record["verdict"] not in ("error", SKIPPED)


def _stands_above(record: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a record is to stand in place of another of the same test."""
    if _is_judged(record) != _is_judged(before):
        return _is_judged(record)
    one, other = (rank(status_of(each["verdict"], each.get("outcome"))) for each in (record, before))
    if not _is_judged(record):
        return one <= other
    return one < other and _disagree(record, before) is None


def _heads(runs: Sequence[Run]) -> Iterator[str]:
    if len({run.document["certainty"] for run in runs}) > 1:
        yield f"certainty: {_by_value(runs, 'certainty')}"
    baselines = {run.name: _baseline(run.document.get("baseline")) for run in runs}
    if len(set(baselines.values())) > 1:
        yield f"baseline (by checksum): {_told(baselines)}"
    kinds: dict[str, tuple[str, object]] = {}
    for run in runs:
        for score, kind in run.document.get("scores", {}).items():
            name, before = kinds.setdefault(score, (run.name, kind))
            if before != kind:
                yield f"the score {score}: {_plain(before)} in {name}, {_plain(kind)} in {run.name}"
    for library in runs[0].document["libraries"]:
        versions = {run.name: run.document["libraries"].get(library) for run in runs}
        if len(set(versions.values())) > 1:
            yield f"version of {library}: {_told(versions)}"


def _baseline(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "none"
    return f"{entry.get('name')} ({entry.get('checksum')}{', as a family' if entry.get('family') else ''})"


def _models(runs: Sequence[Run]) -> Iterator[str]:
    what = {
        "device": "device",
        "dtype": "dtype",
        "fingerprint": "weights or settings (by fingerprint)",
        "classifier": "classifier (by fingerprint)",
        "clip": "CLIP model (by fingerprint)",
        "own": "own scorers (by fingerprint)",
    }
    for model in dict.fromkeys(model for run in runs for model in run.document["models"]):
        said = list(_settings(runs, model))
        yield from said
        for key, title in what.items():
            models = {run.name: run.document["models"].get(model) for run in runs}
            values = {name: _plain(told.get(key)) for name, told in models.items() if told is not None}
            if key in ("classifier", "clip"):  # one that a run did not need is none of its
                values = {name: value for name, value in values.items() if value is not None}
            if len(set(values.values())) > 1:
                if key != "fingerprint" or not said:
                    yield f"{model}: {title}: {_told(values)}"
                break  # a fingerprint is of device and dtype too


def _settings(runs: Sequence[Run], model: str) -> Iterator[str]:
    """Differences in what a model was run with, of which a fingerprint says that there are some."""
    told = {run.name: run.document["models"].get(model) or {} for run in runs}
    known = {name: found for name, each in told.items() if (found := run_settings.checked(each.get("run_with")))}
    first = next(iter(known), None)
    for name, found in known.items():
        if first is not None and (said := run_settings.differences(known[first], found)):
            yield f"{model}: run with other settings in {first} → {name}: {'; '.join(said)}"
            return


def _plain(value: object) -> object:
    """A value that can stand in a set."""
    return ", ".join(f"{name} {each}" for name, each in sorted(value.items())) if isinstance(value, dict) else value


def _grids(runs: Sequence[Run]) -> Iterator[str]:
    """Differences in what is asked of a case, and in the design of a test's cases about one model."""
    asked: dict[str, tuple[str, Document]] = {}
    designs: dict[tuple[str, str], tuple[str, Document]] = {}
    told = set()
    for run in runs:
        for entry in run.document["grid"]:
            name, before = asked.setdefault(entry["test"], (run.name, entry))
            if before["asks"] != entry["asks"]:
                yield f"{entry['id']}: asks {_asks(before)} in {name}, {_asks(entry)} in {run.name}"
            key = entry["test"].partition("[")[0], entry["model"]
            name, before = designs.setdefault(key, (run.name, entry))
            if (key, run.name) not in told and _design(before) != _design(entry):
                told.add((key, run.name))
                yield f"design of {' about '.join(key)}: {_design(before)} in {name}, {_design(entry)} in {run.name}"
                if before.get("design_seed", 0) != entry.get("design_seed", 0):
                    seeds = f"{before.get('design_seed', 0)} in {name}, {entry.get('design_seed', 0)} in {run.name}"
                    yield f"--seedshift-design-seed: {seeds}: they have no pair in common. Run all with the same"


def _asks(entry: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {bound:g}" for name, bound in entry["asks"].items())


def _design(entry: Mapping[str, Any]) -> str:
    whole = ", visited whole," if entry["exact"] else ""
    seed = f" of the design seed {entry['design_seed']}" if entry.get("design_seed") else ""
    return f"{entry['images']} pairs{seed}{whole} (fingerprint {entry['design']})"


def _disagree(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str] | None:
    """What two records say of one case, where they do not say the same."""

    def figures(record: Mapping[str, Any]) -> list[float]:
        return [score["mean"] for _, score in sorted(record["scores"].items())]

    first, second = figures(one), figures(other)
    same = (one["verdict"], one["images"], one.get("at")) == (other["verdict"], other["images"], other.get("at"))
    same = same and len(first) == len(second)
    if same and all(math.isclose(a, b, rel_tol=_SAME, abs_tol=_SAME) for a, b in zip(first, second, strict=True)):
        return None
    said = (f"{each['verdict']} after {each['images']} images" for each in (one, other))
    before, after = said
    return (before, after) if before != after else (f"{before} with {first}", f"{after} with {second}")


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    shards = [(run.name, run.document["shard"]) for run in runs if run.document.get("shard")]
    for of in sorted({shard["of"] for _, shard in shards}):
        here = [(name, shard) for name, shard in shards if shard["of"] == of]
        absent = sorted(set(range(1, of + 1)) - {shard["number"] for _, shard in here})
        if absent:
            yield f"not among the runs: shard {', '.join(f'{number}/{of}' for number in absent)}"
        splits = {shard["split"]: f"{name} by {shard['by']}" for name, shard in here}
        if len(splits) > 1:
            yield f"the shards were not split alike: {'; '.join(splits.values())}"


def _by_value(runs: Sequence[Run], key: str) -> str:
    return _told({run.name: run.document[key] for run in runs})


def _told(values: Mapping[str, object]) -> str:
    """`0.99 in a, 0.95 in b`: each value once."""
    first: dict[object, str] = {}
    for name, value in values.items():
        first.setdefault(value, name)
    return ", ".join(f"{value} in {name}" for value, name in first.items())


# The form of a document ------------------------------------------------------------------------------------------


def _inside(path: str) -> str:
    if ".." in path.split("/") or "\\" in path:
        raise InvalidValueError("leads out of the run folder")
    return path


_Picture = Annotated[str, StringConstraints(pattern="^pictures/"), AfterValidator(_inside)]


class _Kept(schema.Kept):
    picture: _Picture
    control: _Picture


class _Record(schema.Record):
    """All that a report reads of a record: what is optional elsewhere is not where records are joined as they are."""

    id: str
    test: str
    reason: str
    scores: dict[str, schema.Score]
    constraints: list[schema.Constraint]
    images: schema.Images
    design: schema.Images
    generated: schema.Count
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    pictures: Sequence[_Kept]

    @model_validator(mode="after")
    def _is_whole(self) -> _Record:
        lacking = {each.score for each in self.constraints} - self.scores.keys()
        if self.verdict not in ("error", "skipped") and (lacking or not self.scores):
            raise InvalidValueError(f"a verdict without the scores {', '.join(sorted(lacking) or BUILT_IN)}")
        return self


class _Document(schema.Head):
    cases: list[_Record]
    breaking: Sequence[_Search] = ()

    @model_validator(mode="after")
    def _knows_its_scores(self) -> _Document:
        found = {score for case in self.cases for score in case.scores}
        found |= {score for search in self.breaking for probe in search.probes for score in probe.scores}
        told = found - self.scores.keys() - BUILT_IN.keys()
        if told:
            raise InvalidValueError(f"it does not say what the score {min(told)} is")
        return self


def check(document: Mapping[str, Any]) -> None:
    """Check the form of a document of this version.

    Raises:
        MergeError: it is not as a run writes it.
    """
    if "grid" not in document:
        raise MergeError(
            "its verdicts.json does not say what it is a part of: that run ended before its cases were known, or an "
            "earlier version wrote it. Run it anew"
        )
    try:
        schema.read(_Document, document)
    except DataError as error:
        raise MergeError(f"its verdicts.json is damaged: {error}") from None
