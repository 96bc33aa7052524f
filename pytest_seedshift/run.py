"""A run folder, read back into plain data: all that a report knows of a run comes through here.

Whatever is missing or cannot be read is left out and told in `Run.notes`; nothing is written, no model is loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift import costs, facts, pairs, seeduse, store
from pytest_seedshift.cases import Case
from pytest_seedshift.folder import RunFolder, VerdictsError
from pytest_seedshift.scores import SCORES, Change, Estimate, Finding
from pytest_seedshift.store import Contents, StoreError

if TYPE_CHECKING:
    from pytest_seedshift.regression import Comparison
    from pytest_seedshift.seeduse import SeedUse

VERSIONS = (1,)
"""The versions of verdicts.json that are read."""

UNFINISHED = "unfinished"
"""The verdict of a case whose samples exist but which no verdict speaks of."""

_VERDICTS = ("pass", "fail", "error")

_MOST = 100
"""How many cases without a verdict are named."""


class RunError(Exception):
    """A run folder of which nothing can be told; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a case: its pair, its scores, and its picture if it was kept and is there."""

    label: str
    seed: int
    scores: Mapping[str, float]
    picture: Path | None = None
    lost: bool = False
    """Whether a picture was kept but is not there."""

    @property
    def pair(self) -> tuple[str, int]:
        """The label and the seed index."""
        return self.label, self.seed

    @property
    def right(self) -> bool | None:
        """Whether top-1 is right; None where it was not measured."""
        return bool(self.scores["top1"]) if "top1" in self.scores else None


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case and what came of it."""

    case: Case
    verdict: str
    reason: str
    scores: Mapping[str, Estimate]
    findings: tuple[Finding, ...]
    images: int
    design: int
    certainty: float | None
    generated: int
    """How many images were made for it in this run, in `seconds`; 0 where that is not known."""
    seconds: float
    device: str | None
    dtype: str | None
    test: str
    samples: tuple[Sample, ...] = ()
    """Those that the verdict rests on, in the order of the design; without a store those whose pictures were kept."""
    control: Mapping[tuple[str, int], Sample] = field(default_factory=dict)
    """The control's samples of the same pairs, as far as they exist."""
    null: bool = False
    """Whether it is a null control, which tells of the harness and not of the model."""
    complete: bool = False
    """Whether `samples` are all that the verdict rests on."""

    @property
    def id(self) -> str:
        """The case's id."""
        return self.case.id

    @property
    def failed(self) -> bool:
        """Whether it has a verdict and that is not "pass"."""
        return self.verdict in ("fail", "error")

    def breaks(self, score: str) -> bool:
        """Whether a score breaks one of its bounds."""
        return any(each.holds is False for each in self.findings if each.score == score)

    def minimum(self, score: str) -> float | None:
        """The least that is asked of a score."""
        return next((each.bound for each in self.findings if (each.score, each.kind) == (score, "min")), None)

    @property
    def control_means(self) -> dict[str, float]:
        """The control's mean by score, on the pairs that both have; empty for the control itself."""
        both = [] if self.case.is_control else list(self.paired())
        values = {name: [before.scores[name] for before, _ in both if name in before.scores] for name in self.scores}
        return {name: math.fsum(row) / len(row) for name, row in values.items() if row}

    def paired(self) -> Iterator[tuple[Sample, Sample]]:
        """The control's sample and the case's, for every pair that both have."""
        for sample in self.samples:
            before = self.control.get(sample.pair)
            if before is not None:
                yield before, sample


@dataclass(frozen=True, slots=True)
class Run:
    """What a run folder tells."""

    path: Path
    cases: tuple[CaseRun, ...]
    facts: tuple[facts.Facts, ...]
    """Of each session that the folder holds; of one, unless several were merged."""
    notes: tuple[str, ...]
    """What is missing, in words."""
    nulls: tuple[CaseRun, ...] = ()
    """Null controls. They are not among the cases, unless there are no others."""
    seed_uses: Mapping[str, SeedUse] = field(default_factory=dict)
    """By model, how much it looks at its seed vector, as far as that is known."""
    comparison: Comparison | None = None
    """With another run, where one was asked for; that with the run's own baseline is found in its folder."""

    @property
    def models(self) -> list[str]:
        """The models, in their order."""
        return list(dict.fromkeys(each.case.model for each in self.cases))

    @property
    def shifts(self) -> list[str]:
        """The shifts, in their order, without the control's "none"."""
        return list(dict.fromkeys(each.case.shift for each in self.cases if not each.case.is_control))

    @property
    def scores(self) -> list[str]:
        """The scores that were measured, in the order of `SCORES`."""
        return [score for score in SCORES if any(score in each.scores for each in self.cases)]

    def of(self, model: str) -> list[CaseRun]:
        """A model's cases."""
        return [each for each in self.cases if each.case.model == model]

    def control(self, model: str) -> CaseRun | None:
        """A model's control."""
        return next((each for each in self.cases if each.case.model == model and each.case.is_control), None)

    def magnitudes(self, model: str | None = None) -> list[float]:
        """The magnitudes of shifted cases, ascending."""
        found = {each.case.magnitude for each in self.cases if not each.case.is_control}
        if model is not None:
            found = {each.case.magnitude for each in self.of(model) if not each.case.is_control}
        return sorted(found)


def load(path: Path) -> Run:
    """Read a run folder.

    Raises:
        RunError: there is no such folder, nothing of a run is in it, or a newer version wrote it.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        raise RunError(f"{path} is not a folder: give a run folder, such as .seedshift")
    notes: list[str] = []
    document = _document(folder, notes)
    records = _records(document, folder, notes)
    known = _with_head(facts.read(folder, notes), document)
    contents = None
    try:
        contents = store.read(folder.samples_file, {each.case.model for each in records} if records else None)
    except StoreError as error:
        if not records:
            raise RunError(
                f"{path} holds no run that can be read: {'; '.join([*notes, str(error)])}. Give the folder that a run "
                "wrote to (--seedshift-dir, by default .seedshift), or run pytest --seedshift-model=NAME first"
            ) from None
        notes.append(f"{error}: tables by class, drops and changed pairs are left out where they need it")
    if contents is not None:
        if contents.broken:
            notes.append(f"{contents.broken} rows of {folder.samples_file.name} are damaged and left out")
        if not records:
            records = _unfinished(contents)
        if not records:
            raise RunError(f"{path} holds no run: no verdict and no sample was written to it. Run pytest first")
        records = _with_samples(records, contents, known, folder, notes)
    lost = sum(each.lost for case in records for each in case.samples)
    if lost:
        notes.append(f"{lost} pictures that the run kept are not in the folder: their places say so")
    ordered = _sorted(records)
    nulls = tuple(each for each in ordered if each.null)
    cases = tuple(each for each in ordered if not each.null) or nulls
    versions: dict[str, list[str]] = {each.case.model: [] for each in cases}
    for model in (model for each in known for model in each.models if model.name in versions and model.fingerprint):
        versions[model.name].append(model.fingerprint)
    uses = seeduse.read(folder, versions, notes)
    return Run(path, cases, known, tuple(notes), nulls, uses)


def head(path: Path) -> dict[str, Any]:
    """What verdicts.json says besides its cases; nothing where it cannot be read, of which `load` tells."""
    try:
        return {key: value for key, value in RunFolder(path).read_document().items() if key != "cases"}
    except VerdictsError:
        return {}


# verdicts.json ---------------------------------------------------------------------------------------------------


def _document(folder: RunFolder, notes: list[str]) -> dict[str, Any]:
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


def _records(document: Mapping[str, Any], folder: RunFolder, notes: list[str]) -> list[CaseRun]:
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
    planned = [str(each.get("id")) for each in grid if isinstance(each, dict)] if isinstance(grid, list) else []
    without = [each for each in dict.fromkeys(planned) if each not in found]
    if found and without:
        told = _some(without, most=_MOST)
        notes.append(f"{len(without)} of the {len(set(planned))} cases of the grid have no verdict: {told}")
    return list(found.values())


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _with_head(known: tuple[facts.Facts, ...], document: Mapping[str, Any]) -> tuple[facts.Facts, ...]:
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
        after.append(Sample(label, seed, {"top1": float(each["right"])}, *_picture(each.get("picture"), folder)))
        known = {"top1": float(each["control_right"])}
        before[label, seed] = Sample(label, seed, known, *_picture(each.get("control"), folder))
    return tuple(after), before


def _picture(name: object, folder: Path) -> tuple[Path | None, bool]:
    """The picture's path, if it is there and in the folder; and whether it is missing."""
    if not isinstance(name, str) or not name:
        return None, False
    path = folder / name
    inside = path.resolve().is_relative_to(folder.resolve())  # a folder from elsewhere must not name files out of it
    return (path, False) if inside and path.is_file() else (None, True)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


# samples.sqlite --------------------------------------------------------------------------------------------------


def _with_samples(
    records: Sequence[CaseRun],
    contents: Contents,
    known: Sequence[facts.Facts],
    folder: RunFolder,
    notes: list[str],
) -> list[CaseRun]:
    """Give each case its samples.

    The store holds samples of every version of a model. Which of them a verdict rests on is told by run.json, and
    held against the means in any case: samples with other means are not those of the verdict.
    """
    archive = _Archive(contents, known, folder.path)
    made, without = [], []
    for record in records:
        found = archive.find(record)
        if found is None:
            made.append(record)
            without += [record.id] if record.verdict != "error" else []
        else:
            samples, control = found
            made.append(_replace(record, samples, control))
    if without:
        notes.append(
            f"{folder.samples_file.name} does not hold the samples that these verdicts rest on: {_some(without)}. What "
            "the page tells by class, of drops and of changed pairs is without them"
        )
    return made


def _replace(record: CaseRun, samples: tuple[Sample, ...], control: Mapping[tuple[str, int], Sample]) -> CaseRun:
    import dataclasses

    return dataclasses.replace(record, samples=samples, control=control, complete=True)


class _Archive:
    """The store's samples by version of model and scorers, and by case."""

    def __init__(self, contents: Contents, known: Sequence[facts.Facts], folder: Path) -> None:
        self._scores = contents.scores
        self._folder = folder
        self._rows: dict[tuple[str, str, float], dict[str, list[store.Image]]] = {}
        self._labels: dict[str, set[str]] = {}
        self._pictures: dict[str, tuple[Path | None, bool]] = {}
        self._stated = [model for each in known for model in each.models]
        self._scorers = _scorers(contents)
        for image in contents.images:
            by_version = self._rows.setdefault((image.model, image.shift, image.magnitude), {})
            by_version.setdefault(image.fingerprint, []).append(image)
            self._labels.setdefault(image.model, set()).add(image.label)
        for rows in (rows for by_version in self._rows.values() for rows in by_version.values()):
            rows.sort(key=lambda image: pairs.place(image.label, image.seed))

    def find(self, record: CaseRun) -> tuple[tuple[Sample, ...], dict[tuple[str, int], Sample]] | None:
        """The samples of a case and the control's of the same pairs; None where they are not there."""
        case = record.case
        versions = self._rows.get((case.model, case.shift, case.magnitude), {})
        stated = [each for each in self._stated if each.name == case.model]
        first = {each.fingerprint for each in stated}
        trusted = {scorer for each in stated for scorer in each.scorers}
        for version in sorted(versions, key=lambda version: version not in first):
            rows = self._of_design(versions[version], case.model, record.design, stated)[: record.images or None]
            if record.images and len(rows) != record.images:
                continue
            for scorers in product(*(sorted(group, key=lambda s: (s not in trusted, s)) for group in self._scorers)):
                samples = self._samples(rows, scorers)
                if samples is not None and _has_means(samples, record.scores):
                    before = self._rows.get((case.model, case.control.shift, 0.0), {}).get(version, [])
                    wanted = {sample.pair for sample in samples}
                    same = [image for image in before if (image.label, image.seed) in wanted]
                    kept = self._samples(same, scorers, partial=True) or ()
                    return samples, {sample.pair: sample for sample in kept}
        return None

    def _of_design(
        self, rows: list[store.Image], model: str, size: int, stated: Sequence[facts.Model]
    ) -> list[store.Image]:
        """Those of a case's samples that are in a design of a size: the store may hold those of a larger one."""
        if not size:
            return rows
        for each in stated:
            if each.classes:
                place = {label: index for index, label in enumerate(each.classes)}
                count = len(each.classes)
                return [row for row in rows if row.seed * count + place.get(row.label, size) < size]
        whole = -(-size // len(self._labels[model]))
        return [row for row in rows if row.seed < whole]

    def _samples(
        self, rows: Iterable[store.Image], scorers: Sequence[str], *, partial: bool = False
    ) -> tuple[Sample, ...] | None:
        made = []
        for row in rows:
            by_scorer = self._scores.get(row.key, {})
            values = [by_scorer.get(scorer) for scorer in scorers]
            if not all(values):
                if partial:
                    continue
                return None
            merged = {name: value for each in values if each for name, value in each.items()}
            if row.key not in self._pictures:
                self._pictures[row.key] = _picture(row.picture, self._folder)
            made.append(Sample(row.label, row.seed, merged, *self._pictures[row.key]))
        return tuple(made)


def _scorers(contents: Contents) -> list[list[str]]:
    """The scorers' fingerprints, those with the same scores together: each sample has one of each group."""
    groups: dict[tuple[str, ...], dict[str, None]] = {}
    for by_scorer in contents.scores.values():
        for scorer, values in by_scorer.items():
            groups.setdefault(tuple(sorted(values)), {})[scorer] = None
    return [list(group) for group in groups.values()]


def _has_means(samples: Sequence[Sample], scores: Mapping[str, Estimate]) -> bool:
    for name, estimate in scores.items():
        top = SCORES[name].top
        values = [min(max(sample.scores.get(name, math.nan), 0.0), top) for sample in samples]
        if not values or not math.isclose(math.fsum(values) / len(values), estimate.mean, abs_tol=1e-6 * top):
            return False
    return True


def _unfinished(contents: Contents) -> list[CaseRun]:
    """Cases without a verdict, of what a run that did not end has left in the store."""
    from pytest_seedshift.verdict import estimate

    by_case: dict[Case, dict[str, list[store.Image]]] = {}
    for image in contents.images:
        case = Case(image.model, image.shift, image.magnitude)
        by_case.setdefault(case, {}).setdefault(image.fingerprint, []).append(image)
    made = []
    for case, versions in by_case.items():
        rows = max(versions.values(), key=len)
        values: dict[str, list[float]] = {}
        for row in rows:
            merged = {k: v for each in contents.scores.get(row.key, {}).values() for k, v in each.items()}
            for name in SCORES.keys() & merged.keys():
                values.setdefault(name, []).append(merged[name])
        scores = {name: estimate(name, values[name], stopped=True) for name in SCORES if values.get(name)}
        what = "the run ended before this case had a verdict"
        none = (None, 0, 0.0, None, None, "")
        made.append(CaseRun(case, UNFINISHED, what, scores, (), len(rows), 0, *none))
    return made


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
