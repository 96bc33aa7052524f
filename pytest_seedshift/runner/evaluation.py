"""The cases of one model judged in this process, without pytest: what the plugin's items are, as a plain loop.

Settings become requests, requests jobs (see `job_resolution`), jobs records, and these a run folder's files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import cases as grids
from pytest_seedshift.core import limits, locks, threshold_warnings, thresholds_parser
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.errors import DataError, HarnessError, SeedshiftError
from pytest_seedshift.core.scores import check_certainty
from pytest_seedshift.core.seed_use_bounds import REGRESSION
from pytest_seedshift.models.needed_scorers import CLIP, Needed, without_others
from pytest_seedshift.results import (
    baseline,
    baseline_sources,
    environments,
    metadata,
    run_settings,
    sample_store,
    seed_use_verdicts,
)
from pytest_seedshift.runner import (
    environment,
    manifest,
    model_facts,
    model_notes,
    records,
    sequential,
    verdict_messages,
)
from pytest_seedshift.runner.job import Request
from pytest_seedshift.runner.job_resolution import Jobs, Terms
from pytest_seedshift.runner.references import References
from pytest_seedshift.runner.regression_gate import Against
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.seed_use_bounds import SeedUseBound
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.results.baseline import Baseline
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.schema import Head, Record, SeedUse
    from pytest_seedshift.runner.given_models import GivenModel
    from pytest_seedshift.runner.job import Job

_NO_BASELINE = (
    'is asked for, and no baseline is given: add baseline=PATH, or [baseline] path = "PATH" to the thresholds. The run '
    "folder of the version to compare with is one, best of a run with exact=True"
)

_NO_PICTURES = (
    "is asked for, and no baseline is given: add baseline=FOLDER. The run folder of the version to compare with is one "
    "where it has all its pictures; pytest --seedshift-exact --seedshift-save-baseline=FOLDER makes one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is evaluated; all values were checked one by one.

    Attributes:
        shifts: names of shifts.
        magnitudes: signed; 0 is the control, which is always there.
        thresholds: a file, tables as it has them, or None for thresholds.toml in `root`, else the shipped ones.
        root: the folder that paths of the thresholds are relative to.
        images: of a design; None for the default.
        exact: whether the whole design is visited.
        certainty: of verdicts; None for that of the thresholds.
        design_seed: None for that of the thresholds.
        batch_size: None for one that suits the model.
        baseline: a file or a run folder to hold against; None for that of the thresholds.
        no_limits: whether numbers may lie above their limits.
    """

    shifts: tuple[str, ...]
    magnitudes: tuple[float, ...]
    thresholds: Path | Mapping[Any, Any] | None
    root: Path
    images: int | None = None
    exact: bool = False
    certainty: float | None = None
    design_seed: int | None = None
    batch_size: int | None = None
    baseline: Path | None = None
    no_limits: bool = False


class CaseRunner:
    """A model's cases in a run folder."""

    def __init__(self, model: GivenModel, settings: Settings, folder: RunFolder) -> None:
        """Check all that can be checked before the first image.

        Raises:
            SeedshiftError: something cannot be used; the message says what, where, and what to do.
        """
        self._model, self._settings, self._folder = model, settings, folder
        catalogue = model.catalogue
        catalogue.check_model(catalogue.find(model.name))
        catalogue.design(model.name, settings.images)
        self.thresholds = _thresholds(settings, catalogue.find)
        self.kinds = self.thresholds.kinds
        """What its scores are."""
        self.baseline = _baseline(model, settings, self.thresholds)
        """What the cases are held against; None where no baseline is given."""
        needed = Needed().of(model.name, self._scores())
        self._scorers = needed | {CLIP} if self.thresholds.seed_use.of(model.name) else needed
        catalogue.check_scorers(self._entry)
        device, _ = devices.resolve(model.device, model.dtype)
        self._bench = Workbench(
            folder,
            device,
            model.dtype,
            catalogue=catalogue,
            batch_size=settings.batch_size,
            needs=lambda _: self._scorers,
            kinds=self.kinds,
            references=lambda: self._references,
        )
        self._terms = self._made_terms()
        self._jobs = Jobs(self._requests(), self._terms)
        self._jobs.check()
        if self._terms.against is not None:
            self._terms.against.check_missing(self.cases)
            compared = [case for case in self.cases if self.thresholds.likeness(case)]
            self._terms.against.check_pictures(compared, lambda _: None)
            self._references.check_embeddings(compared)
        self.notes = [*model.notes, *self._warnings()]
        """What the user should know of the run."""

    @property
    def cases(self) -> list[Case]:
        """The control, then the shifted cases."""
        settings = self._settings
        found = grids.grid([self._model.name], settings.shifts, settings.magnitudes)
        limits.check(len(found), limits.CASES, f"{len(found)} cases", lifted=settings.no_limits)
        return found

    def run(
        self,
        on_record: Callable[[Record], None],
        command: str,
        started: float,
        measure_seed_use: Callable[[Workbench, str], None],
    ) -> list[Record]:
        """Judge all cases, and write the run folder's files, whatever ends the work.

        Args:
            on_record: called with each case's record.
            command: what run.json says of how the run was made.
            started: when it was, in seconds since the epoch.
            measure_seed_use: keeps in the run folder how much a model looks at its seed vector; called after the cases
                where a bound asks for it.

        Raises:
            SeedshiftError: the run folder cannot be used, or the GPU does not work any more.
        """
        made: list[Record] = []
        head: Head | None = None
        with self._prepared():
            try:
                self._model.catalogue.check_files(self._entry)
                self.notes += model_notes.notes(self._bench.pool, self._model.name)
                head = manifest.make(self._jobs, self._terms, self._bench, self._named, models=[self._model.name])
                for job in self._jobs:
                    made.append(self._judged(job))
                    on_record(made[-1])
                if self._seed_use_bounds:
                    measure_seed_use(self._bench, self._model.name)
            finally:
                if made and head is not None:
                    head, uses = run_settings.refreshed(head, self._folder), self._seed_use(head)
                    self._folder.write_verdicts(made, head, seed_use=uses)
                    metadata.write(self._folder, self._facts(made, command, started))
                self._bench.close()
        return made

    # ------------------------------------------------------------------------------------------------------------------

    @property
    def _entry(self) -> Entry:
        return self._named(self._model.name)

    def _named(self, model: str) -> Entry:
        return without_others(self._model.catalogue.find(model), self._scorers)

    @property
    def _seed_use_bounds(self) -> tuple[SeedUseBound, ...]:
        """What is asked of how much it looks at its seed vector; a regression only where there is a baseline."""
        found = self.thresholds.seed_use.of(self._model.name)
        return tuple(each for each in found if self.baseline is not None or each.key != REGRESSION)

    def _seed_use(self, head: Head) -> list[SeedUse]:
        """What came of these, as far as the run folder knows."""
        name, against = self._model.name, self._terms.against
        version = head.models[name].fingerprint if name in head.models else None
        return seed_use_verdicts.judge(
            {name: self.thresholds.seed_use.of(name)},
            self._folder,
            {name: [] if version is None else [version]},
            certainty=self.thresholds.certainty,
            before=None if against is None else against.seed_use([name]),
        )

    def _scores(self) -> set[str]:
        """The scores that something is asked of, or that the baseline has of the model."""
        asked = self.thresholds.scores(self._model.name)
        if self.baseline is None:
            return asked
        name = self._model.name
        return asked | self.baseline.scores_of(name, (name,), self.thresholds.baseline.models)

    def _made_terms(self) -> Terms:
        catalogue, against = self._model.catalogue, None
        if self.baseline is not None:
            table = self.thresholds.baseline
            others = (self._model.name,)
            against = Against(
                self.baseline,
                table.models,
                table.allow_missing,
                others,
                catalogue,
                lambda score: self._bench.pool.scorers.own(score).given,
                lambda: self.kinds,
            )
        measures = self._bench.pool.scorers.measures
        beside = self._bench.pool.scorers.beside
        return Terms(self.thresholds, catalogue, measures, against, _NO_BASELINE, _NO_PICTURES, beside)

    @property
    def _references(self) -> References:
        scorers = self._bench.pool.scorers
        return References(
            self._terms.against,
            self.thresholds.likeness,
            scorers.fingerprint_of_embedder,
            self.thresholds.likeness_models,
            scorers.beside,
        )

    def _requests(self) -> Iterator[Request]:
        settings = self._settings
        for case in self.cases:
            yield Request(
                f"evaluate[{case.id}]",
                "reliability",
                case,
                settings.images,
                settings.design_seed,
                settings.exact,
                is_implicit=case.is_control and 0 not in settings.magnitudes,
            )

    def _warnings(self) -> list[str]:
        note = self.thresholds.note(self._model.name)
        found = threshold_warnings.found(self.thresholds, self.cases, (), has_baseline=self.baseline is not None)
        return [*([] if note is None else [note]), *found]

    def _judged(self, job: Job) -> Record:
        try:
            result = sequential.run(self._bench, job.case, job.test, job.design)
        except SeedshiftError as error:
            return records.of_error(job.case, str(error), job.nodeid)
        except Exception as error:  # of a library or of the user's code: his traceback, unless nothing works after it
            if not devices.is_poisoned(error):
                raise
            samples = str(self._folder.samples_file)
            raise HarnessError(verdict_messages.poisoned(job.case, error, samples)) from error
        record = records.of_result(result, self._folder, job.nodeid)
        expected = self.thresholds.expected(job.case)
        if expected is None or expected.has_ended(date.today()):
            return record
        return records.as_expected(record, expected.reason, strict=bool(expected.strict))

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """The run folder and its store, made ready and occupied."""
        folder = self._folder
        try:
            folder.prepare()
            occupied = folder.occupy()
            with folder.lock("store"):
                warning = sample_store.prepare(folder.samples_file)
            for name in (baseline.FILE_NAME, baseline.LOSSES_FILE_NAME):
                (folder.path / name).unlink(missing_ok=True)
        except locks.LockError:
            raise
        except OSError as error:
            raise DataError(
                f"{folder.path}: the run folder cannot be written to: {error.strerror} ({error.filename})"
            ) from None
        self.notes += [] if warning is None else [warning]
        try:
            yield
        finally:
            locks.leave(occupied)

    def _facts(self, made: list[Record], command: str, started: float) -> metadata.Facts:
        try:
            models = [model_facts.of(self._model.name, self._entry, self._bench)]
        except CaseError:  # each case says so
            models = []
        seeds = {record.design_seed for record in made if record.design}
        found = metadata.gather([], started, models, thresholds=self.thresholds.source, design_seeds=seeds)
        return replace(found, command=command)


def _thresholds(settings: Settings, check_model: Callable[[str], object]) -> Thresholds:
    given = settings.thresholds
    if isinstance(given, Mapping):
        found = thresholds_parser.of_tables(given, "evaluate(): thresholds", check_model)
    else:
        found = thresholds_parser.load(given, settings.root, check_model)
    if settings.certainty is None:
        return found
    check_certainty(settings.certainty)
    return replace(found, certainty=settings.certainty)


def _baseline(model: GivenModel, settings: Settings, thresholds: Thresholds) -> Baseline | None:
    place = settings.baseline
    if place is None and thresholds.baseline.path is not None:
        of_file = settings.thresholds is None or isinstance(settings.thresholds, Path)
        place = (Path(thresholds.source).parent if of_file else settings.root) / thresholds.baseline.path
    if place is None:
        return None
    if environments.is_folder(place):
        device, _ = devices.resolve(model.device, model.dtype)
        place = environments.choose(
            place, environment.of(device, devices.describe(device), model.dtype), str(place)
        ).path
    return baseline_sources.load(place, str(place))
