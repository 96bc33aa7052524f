"""Runs of shards, held against each other and joined: pure documents, no files.

A run's document is its verdicts.json: see `plugin.manifest` for its head and `runner.records` for its cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints, model_validator

from pytest_seedshift.core import tags
from pytest_seedshift.core.errors import DataError, InvalidValueError
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.results import run_settings, schema
from pytest_seedshift.results.run_folder import VERDICTS_VERSION
from pytest_seedshift.results.schema import Baseline, Entry, Kind, Record, Search, SeedUse, Verdicts
from pytest_seedshift.results.statuses import SKIPPED, rank

_MOST = 5
"""How many differences are reported; more help nobody."""

_SAME = 1e-3
"""Relative: scores of one sample can differ in their last digits between batch sizes and machines."""


class MergeError(DataError):
    """Runs that cannot be joined; the message names the difference."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run's name, as the user wrote it, and its document."""

    name: str
    document: Verdicts


@dataclass(frozen=True, slots=True)
class Merged:
    """What runs say together."""

    document: Verdicts
    missing: tuple[Entry, ...]
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
    if not differences and len({run.document.thresholds for run in runs}) > 1:
        differences = [f"thresholds: {_by_value(runs, 'thresholds')} (of other cases than those that both have)"]
    grid = {entry.test: entry for run in runs for entry in run.document.grid}
    records: dict[str, Record | Search] = {}
    origins: dict[str, str] = {}
    for run in runs:
        for record in run.document.records:
            test = record.test
            if test not in grid:
                differences.append(f"{run.name}: the case {record.id} is not in its grid")
            elif test not in records or _stands_above(record, records[test]):
                records[test], origins[test] = record, run.name
            elif _is_judged(record) and _is_judged(records[test]) and (said := _disagree(records[test], record)):
                differences.append(f"{record.id}: {said[0]} in {origins[test]}, {said[1]} in {run.name}")
    if differences:
        more = len(differences) - _MOST
        lines = differences[:_MOST] + ([f"and {more} more"] if more > 0 else [])
        raise MergeError("these are not parts of one run:\n" + "\n".join(f"  {line}" for line in lines))
    missing = tuple(entry for test, entry in grid.items() if test not in records)
    ordered = [records[test] for test in grid if test in records]
    return Merged(_joined(runs, list(grid.values()), ordered), missing, tuple(_notes(runs)) if missing else ())


def _joined(runs: Sequence[Run], grid: Sequence[Entry], records: Sequence[Record | Search]) -> Verdicts:
    """The document that a run of all would have written. What no run says stays unsaid."""
    first = runs[0].document
    models = {name: model for run in runs for name, model in run.document.models.items()}
    kinds = {name: kind for run in runs for name, kind in run.document.scores.items()}
    searches = [record for record in records if isinstance(record, Search)]
    same = ("certainty", "thresholds", "prompt", "libraries", "baseline", "threshold_tests")
    values: dict[str, Any] = {
        "version": VERDICTS_VERSION,
        **{name: getattr(first, name) for name in same if name in first.model_fields_set},
        "models": {name: models[name] for name in dict.fromkeys(entry.model for entry in grid) if name in models},
        "grid": list(grid),
        **({"scores": kinds} if kinds else {}),
        "cases": [record for record in records if isinstance(record, Record)],
        **({"breaking": searches} if searches else {}),
        **({"seed_use": uses} if (uses := _seed_use(runs)) else {}),
    }
    return Verdicts.model_construct(**values)


def _seed_use(runs: Sequence[Run]) -> list[SeedUse]:
    """The bounds on the use of the seed vector, each once; what came of them is to be seen where all parts are."""
    found = {(each.model, each.asked): each for run in runs for each in run.document.seed_use}
    return list(found.values())


def _is_judged(record: Record | Search) -> bool:
    return record.verdict not in ("error", SKIPPED)


def _stands_above(record: Record | Search, before: Record | Search) -> bool:
    """Whether a record is to stand in place of another of the same test."""
    if _is_judged(record) != _is_judged(before):
        return _is_judged(record)
    one, other = rank(record.status), rank(before.status)
    if not _is_judged(record):
        return one <= other
    return one < other and _disagree(record, before) is None


def _heads(runs: Sequence[Run]) -> Iterator[str]:
    if len({run.document.certainty for run in runs}) > 1:
        yield f"certainty: {_by_value(runs, 'certainty')}"
    baselines = {run.name: _baseline(run.document.baseline) for run in runs}
    if len(set(baselines.values())) > 1:
        yield f"baseline (by checksum): {_told(baselines)}"
    kinds: dict[str, tuple[str, Kind]] = {}
    for run in runs:
        for score, kind in run.document.scores.items():
            name, before = kinds.setdefault(score, (run.name, kind))
            if before != kind:
                was, now = _plain(before.built_in()), _plain(kind.built_in())
                yield f"the score {score}: {was} in {name}, {now} in {run.name}"
    for library in runs[0].document.libraries:
        versions = {run.name: run.document.libraries.get(library) for run in runs}
        if len(set(versions.values())) > 1:
            yield f"version of {library}: {_told(versions)}"


def _baseline(entry: Baseline | None) -> str:
    return "none" if entry is None else f"{entry.name} ({entry.checksum}{', as a family' if entry.family else ''})"


def _models(runs: Sequence[Run]) -> Iterator[str]:
    what = {
        "device": "device",
        "dtype": "dtype",
        "fingerprint": "weights or settings (by fingerprint)",
        "classifier": "classifier (by fingerprint)",
        "clip": "CLIP model (by fingerprint)",
        "own": "own scorers (by fingerprint)",
    }
    for model in dict.fromkeys(model for run in runs for model in run.document.models):
        said = list(_settings(runs, model))
        yield from said
        for key, title in what.items():
            models = {run.name: run.document.models.get(model) for run in runs}
            values = {name: _plain(getattr(told, key)) for name, told in models.items() if told is not None}
            if key in ("classifier", "clip"):  # one that a run did not need is none of its
                values = {name: value for name, value in values.items() if value is not None}
            if len(set(values.values())) > 1:
                if key != "fingerprint" or not said:
                    yield f"{model}: {title}: {_told(values)}"
                break  # a fingerprint is of device and dtype too


def _settings(runs: Sequence[Run], model: str) -> Iterator[str]:
    """Differences in what a model was run with, of which a fingerprint says that there are some."""
    told = {run.name: run.document.models[model].run_with for run in runs if model in run.document.models}
    known = {name: found for name, each in told.items() if (found := run_settings.checked(each))}
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
    asked: dict[str, tuple[str, Entry]] = {}
    designs: dict[tuple[str, str], tuple[str, Entry]] = {}
    told = set()
    for run in runs:
        for entry in run.document.grid:
            name, before = asked.setdefault(entry.test, (run.name, entry))
            if before.asks != entry.asks:
                yield f"{entry.id}: asks {_asks(before)} in {name}, {_asks(entry)} in {run.name}"
            key = entry.test.partition("[")[0], entry.model
            name, before = designs.setdefault(key, (run.name, entry))
            if (key, run.name) not in told and _design(before) != _design(entry):
                told.add((key, run.name))
                yield f"design of {' about '.join(key)}: {_design(before)} in {name}, {_design(entry)} in {run.name}"
                if before.design_seed != entry.design_seed:
                    seeds = f"{before.design_seed} in {name}, {entry.design_seed} in {run.name}"
                    yield f"--seedshift-design-seed: {seeds}: they have no pair in common. Run all with the same"


def _asks(entry: Entry) -> str:
    return ", ".join(f"{name} {bound:g}" for name, bound in entry.asks.items())


def _design(entry: Entry) -> str:
    whole = ", visited whole," if entry.exact else ""
    seed = f" of the design seed {entry.design_seed}" if entry.design_seed else ""
    return f"{entry.images} pairs{seed}{whole} (fingerprint {entry.design})"


def _disagree(one: Record | Search, other: Record | Search) -> tuple[str, str] | None:
    """What two records say of one case, where they do not say the same."""

    def figures(record: Record | Search) -> list[float]:
        scores: Mapping[str, schema.Score | schema.ProbeScore] = record.scores
        return [score.mean for _, score in sorted(scores.items())]

    def found(record: Record | Search) -> tuple[object, ...]:
        return record.verdict, record.images, record.at if isinstance(record, Search) else None

    first, second = figures(one), figures(other)
    same = found(one) == found(other)
    same = same and len(first) == len(second)
    if same and all(math.isclose(a, b, rel_tol=_SAME, abs_tol=_SAME) for a, b in zip(first, second, strict=True)):
        return None
    before, after = (f"{each.verdict} after {each.images} images" for each in (one, other))
    return (before, after) if before != after else (f"{before} with {first}", f"{after} with {second}")


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    shards = [(run.name, run.document.shard) for run in runs if run.document.shard is not None]
    for of in sorted({shard.of for _, shard in shards}):
        here = [(name, shard) for name, shard in shards if shard.of == of]
        absent = sorted(set(range(1, of + 1)) - {shard.number for _, shard in here})
        if absent:
            yield f"not among the runs: shard {', '.join(f'{number}/{of}' for number in absent)}"
        splits = {shard.split: f"{name} by {shard.by}" for name, shard in here}
        if len(splits) > 1:
            yield f"the shards were not split alike: {'; '.join(splits.values())}"


def _by_value(runs: Sequence[Run], key: str) -> str:
    return _told({run.name: getattr(run.document, key) for run in runs})


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


class _Kept(schema.KeptPicture):
    picture: _Picture
    control: _Picture


class _Least(schema.LeastAlike):
    picture: _Picture | None
    baseline: _Picture | None


class _Likeness(schema.Likeness):
    least: _Least


class _Record(Record):
    """All that a report reads of a record: what is optional elsewhere is not where records are joined as they are."""

    id: str
    test: str
    reason: str
    scores: dict[str, schema.Score]
    constraints: list[schema.Constraint]
    images: schema.Images
    design: schema.Images
    generated: schema.Count
    seconds: schema.Seconds
    pictures: list[_Kept]  # type: ignore[assignment]
    likeness: _Likeness | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> _Record:
        of_pictures = self.likeness.scores.keys() if self.likeness is not None else ()
        lacking = {tags.plain(each.score) for each in self.constraints} - self.scores.keys() - set(of_pictures)
        if self.verdict not in ("error", "skipped") and (lacking or not self.scores):
            raise InvalidValueError(f"a verdict without the scores {', '.join(sorted(lacking) or BUILT_IN)}")
        return self


class _Document(Verdicts):
    cases: list[_Record]  # type: ignore[assignment]

    @model_validator(mode="after")
    def _knows_its_scores(self) -> _Document:
        found = {score for case in self.cases for score in case.scores}
        found |= {score for search in self.breaking for probe in search.probes for score in probe.scores}
        told = found - self.scores.keys() - BUILT_IN.keys()
        if told:
            raise InvalidValueError(f"it does not say what the score {min(told)} is")
        return self


def check(document: Mapping[str, Any]) -> Verdicts:
    """A document of this version, of a form that can be joined.

    Raises:
        MergeError: it is not as a run writes it.
    """
    if "grid" not in document:
        raise MergeError(
            "its verdicts.json does not say what it is a part of: that run ended before its cases were known, or an "
            "earlier version wrote it. Run it again"
        )
    try:
        return schema.read(_Document, document)
    except DataError as error:
        raise MergeError(f"its verdicts.json is damaged: {error}") from None
