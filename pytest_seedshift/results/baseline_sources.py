"""Where baselines come from: a file, a folder with such a file and pictures, or a run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_seedshift.core import files, pairs, path_hints
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError, SeedshiftError
from pytest_seedshift.core.score_registry import ScoreRegistry, recorded
from pytest_seedshift.results import baseline_folder, metadata, run_settings, schema, sensitivity_files
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.baseline import (
    MOST_BYTES,
    MOST_VALUES,
    VERSION,
    WHAT,
    Baseline,
    BaselineError,
    Design,
    Samples,
    Version,
    checksum,
)
from pytest_seedshift.results.run_folder import RunFolder, VerdictsError

if TYPE_CHECKING:
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.sensitivity_files import SeedUse

_MOST_PAIRS, _PAIRS_A_SAMPLE = 500_000, 20
"""Of a run folder's designs together, which are made again: so many, and so many more for each sample that is there."""

_AGAIN = "restore it from version control, or save it again with --seedshift-save-baseline"


def load(path: Path, name: str | None = None, *, within: Path | None = None) -> Baseline:
    """Read a baseline file, or a run folder as one; `name` is what the user calls it.

    With `within`, a run folder, no link in it is followed to the file.

    Raises:
        BaselineError: it is not there, is damaged, or was changed by hand.
    """
    name = name or str(path)
    if baseline_folder.is_one(path):
        return load(baseline_folder.file_of(path), name, within=within)
    if several := baseline_folder.those_in(path):
        first, names = several[0].name, ", ".join(each.name for each in several)
        raise BaselineError(
            f"{name} is a folder of baselines, of which a run's environment chooses one: it has {names}. Name one of "
            f"them: {name}/{first}"
        )
    if path.is_dir():
        try:
            return of_run(runs.load(path), name)
        except runs.RunError as error:
            raise BaselineError(str(error)) from None
    try:
        text = files.read_text(path, within=within, most=MOST_BYTES)
    except files.MissingFileError:
        raise BaselineError(
            f"{name} is not there: make it with a run of the version to compare with, by --seedshift-exact "
            f"--seedshift-save-baseline={name}, or by --seedshift-baseline-if-missing=save"
            f"{path_hints.hint(path)}"
        ) from None
    except files.FileError as error:
        raise BaselineError(f"{name} {error.reason}") from None
    return parse(text, name, path.parent)


# Files -----------------------------------------------------------------------------------------------------------


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Version(_Form):
    fingerprint: str
    device: str
    dtype: str
    classifier: str
    clip: str
    own: dict[str, str] = {}
    run_with: dict[str, Any] = {}


class _Design(_Form):
    class_list: str
    labels: Annotated[list[str], Field(min_length=1)]
    prompt: str
    images: Annotated[int, Field(ge=1, le=10_000_000)]
    design_seed: Annotated[int, Field(ge=0, le=pairs.MOST_SEED)] = 0


class _Samples(_Form):
    model: str
    shift: str
    magnitude: Annotated[float, Field(allow_inf_nan=False)]
    design: str
    exact: bool
    pairs: Annotated[int, Field(ge=1)]
    pictures: list[Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]] | None = None
    scores: Annotated[dict[str, str | list[float]], Field(min_length=1)]


class _Environment(BaseModel):
    device: str
    hardware: str = ""
    dtype: str = ""


class _File(BaseModel):
    libraries: dict[str, str]
    environment: _Environment | None = None
    embeddings: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = {}
    models: dict[str, _Version]
    seed_use: dict[str, dict[str, Any]] = {}
    designs: dict[str, _Design]
    cases: list[_Samples]


def parse(text: str, name: str, folder: Path | None = None) -> Baseline:
    """Read the text of a baseline file, which lies in `folder`, where the pictures are that it lists; see `load`."""
    try:
        document = files.parse_json(text, name, values=MOST_VALUES)
    except files.FileError as error:
        raise BaselineError(f"{name} is damaged or cut off ({error.what}): {_AGAIN}") from None
    if not isinstance(document, dict) or document.get("what") != WHAT:
        raise BaselineError(f"{name} is not a baseline of seedshift: --seedshift-save-baseline writes one")
    if document.get("version") != VERSION:
        raise BaselineError(
            f"{name}: its format is {document.get('version')!r}, this version of seedshift reads {VERSION}: upgrade "
            "pytest-seedshift, or save it again"
        )
    if document.get("checksum") != checksum(document):
        raise BaselineError(f"{name} fails its checksum: {_AGAIN}")
    try:
        form = _File.model_validate(document)
        kinds = recorded(document)
        found = [_samples(each, form, kinds) for each in form.cases]
        uses = _seed_uses(form)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BaselineError(f"{name} is damaged: {where}: {first['msg']}: {_AGAIN}") from None
    except SeedshiftError as error:
        raise BaselineError(f"{name} is damaged: {error}: {_AGAIN}") from None
    designs = {
        design: Design(each.class_list, tuple(each.labels), each.prompt, each.images, each.design_seed)
        for design, each in form.designs.items()
    }
    digests = {} if folder is None else _digests(form, designs)
    return Baseline(
        name,
        form.libraries,
        {
            model: Version(**{**each.model_dump(), "run_with": run_settings.checked(each.run_with)})
            for model, each in form.models.items()
        },
        designs,
        {each.case: each for each in found},
        {place: baseline_folder.picture_of(folder, digest) for place, digest in digests.items() if folder is not None},
        digests=digests,
        embeddings={}
        if folder is None
        else {scorer: (baseline_folder.embeddings_of(folder, kept), kept) for scorer, kept in form.embeddings.items()},
        seed_use=uses,
        environment={} if form.environment is None else form.environment.model_dump(),
        kinds=kinds.own,
    )


def _seed_uses(form: _File) -> dict[str, SeedUse]:
    found = {}
    for model, each in form.seed_use.items():
        try:
            found[model] = sensitivity_files.parse({"seconds": 0.0, **each})
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # what a file has, of whatever form
            raise DataError(f"seed_use.{model}: {type(error).__name__}: {error}") from None
    return found


def _digests(form: _File, designs: Mapping[str, Design]) -> dict[tuple[Case, str, int], str]:
    """The digests of the pictures that a file lists."""
    return {
        (Case(each.model, each.shift, each.magnitude), *place): digest
        for each in form.cases
        if each.pictures
        for place, digest in zip(designs[each.design].places(), each.pictures, strict=False)
        if digest
    }


def _samples(entry: _Samples, form: _File, kinds: ScoreRegistry) -> Samples:
    case = Case(entry.model, entry.shift, entry.magnitude)
    if entry.model not in form.models or entry.design not in form.designs:
        raise DataError(f"{case.id}: its model or its design is not in the head")
    if entry.pairs > form.designs[entry.design].images:
        raise DataError(f"{case.id}: more pairs than its design has")
    scores = {score: _values(case, score, values, kinds) for score, values in entry.scores.items()}
    if any(len(values) != entry.pairs for values in scores.values()):
        raise DataError(f"{case.id}: not {entry.pairs} values of each score")
    if entry.pictures is not None and len(entry.pictures) != entry.pairs:
        raise DataError(f"{case.id}: not {entry.pairs} pictures")
    return Samples(case, entry.design, entry.exact, scores)


def _values(case: Case, score: str, values: str | list[float], kinds: ScoreRegistry) -> tuple[float, ...]:
    if score not in kinds:
        raise DataError(f"{case.id}: unknown score {score!r}. Known: {', '.join(kinds)}")
    if kinds[score].binary is not isinstance(values, str) or (isinstance(values, str) and set(values) - {"0", "1"}):
        raise DataError(f"{case.id}: {score} is not in the format of that score")
    found = tuple(map(float, values))
    if not all(map(math.isfinite, found)):
        raise DataError(f"{case.id}: {score} has a value that is not finite")
    return found


# Run folders -----------------------------------------------------------------------------------------------------


def of_run(run: Run, name: str | None = None) -> Baseline:
    """A run as a baseline: the samples that its verdicts rest on.

    Raises:
        BaselineError: the run folder does not say what is needed to compare it.
    """
    name = name or str(run.path)
    head = _head(run, name)
    entries = {entry.test: entry for entry in head.grid}
    known = {model.name: model for each in run.facts for model in each.models if model.classes}
    models: dict[str, Version] = {}
    designs: dict[str, Design] = {}
    cases: dict[Case, Samples] = {}
    pictures: dict[tuple[Case, str, int], Path] = {}
    digests: dict[tuple[Case, str, int], str] = {}
    notes = []
    room = _MOST_PAIRS + _PAIRS_A_SAMPLE * sum(len(each.samples) for each in run.cases)
    for case in (each for each in run.cases if not each.null):
        if case.verdict not in ("pass", "fail"):
            notes.append(f"{case.id} has no verdict and is left out")
            continue
        entry, version = entries.get(case.test), _version(head.models.get(case.case.model))
        about = known.get(case.case.model)
        if entry is None or version is None or about is None:
            notes.append(f"{case.id} is left out: the folder does not say how {case.case.model} was run")
            continue
        if not case.complete or len(case.samples) != case.images or not case.scores:
            notes.append(f"{case.id} is left out: the samples that its verdict rests on are not in the folder")
            continue
        class_list, prompt = metadata.place(about.class_list), head.prompt or ""
        design = Design(class_list, about.classes, prompt, entry.images, entry.design_seed, about.tags)
        room -= 0 if design in designs.values() else design.images
        if room < 0 or len(about.classes) > design.images:
            notes.append(f"{case.id} is left out: its design of {design.images} pairs is too large, or too small")
            continue
        if [each.pair for each in case.samples] != design.places()[: case.images]:
            notes.append(f"{case.id} is left out: the samples that its verdict rests on are not in the folder")
            continue
        models[case.case.model], designs[entry.design] = version, design
        columns = _columns(case, list(run.kinds))
        cases[case.case] = Samples(case.case, entry.design, entry.exact, columns)
        for sample in (each for each in case.samples if each.picture is not None):
            pictures[case.case, sample.label, sample.seed] = Path(str(sample.picture))
            digests[case.case, sample.label, sample.seed] = sample.digest
    if not cases:
        raise BaselineError(f"{name} holds no scores to compare: {'; '.join(notes[:3]) or 'it has no case'}")
    uses = {model: each for model, each in run.seed_uses.items() if model in models and each.sensitivity is not None}
    return Baseline(
        name,
        head.libraries,
        models,
        designs,
        cases,
        pictures,
        run.kinds.own,
        tuple(notes),
        digests=digests,
        seed_use=uses,
    )


def _head(run: Run, name: str) -> schema.Head:
    try:
        document = RunFolder(run.path).read_document()
        if "grid" not in document or "prompt" not in document:
            raise BaselineError(
                f"{name}: an earlier version of seedshift made this run, or it was cut off. Run it again"
            )
        return RunFolder(run.path).read(schema.Head)
    except VerdictsError as error:
        raise BaselineError(f"{name}: {error}") from None


def _version(entry: schema.Model | None) -> Version | None:
    if entry is None or not entry.fingerprint or not entry.scorer_weights:
        return None
    classifier, clip = entry.scorer_weights
    scorers = classifier or "", clip or "", entry.own_given
    return Version(entry.fingerprint, entry.device, entry.dtype, *scorers, run_settings.checked(entry.run_with))


def _columns(case: CaseRun, scores: Sequence[str]) -> dict[str, tuple[float, ...]]:
    return {score: tuple(each.scores[score] for each in case.samples) for score in scores if score in case.scores}
