"""What the plugin knows during one pytest session."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import locks, messages, output, typed_values
from pytest_seedshift.core.test_names import MARKER
from pytest_seedshift.models import catalogue as catalogues
from pytest_seedshift.models.needed_scorers import CLIP, Needed, without_others
from pytest_seedshift.plugin import border, collection, conflicts, effects, option_resolution, output_files
from pytest_seedshift.plugin import breaking_session as asked
from pytest_seedshift.plugin.gate import Gating
from pytest_seedshift.reporting import anchors
from pytest_seedshift.results import metadata
from pytest_seedshift.results.folder_mark import FolderError
from pytest_seedshift.results.run_folder import RunFolder

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.trajectories.recorder import Recorder


@dataclass
class State:
    """Settings, thresholds and the workbench, each made when it is first needed."""

    config: pytest.Config
    settings: option_resolution.Settings
    loads: list[str] = field(default_factory=list)
    """For each time that a model was loaded, the worker that did; in the controller it is known at the end."""
    on_load: Callable[[], None] | None = None
    """Called each time that this process has loaded a model."""
    needed: Needed = field(default_factory=Needed)
    """Which scorers its tests and studies ask for."""
    gating: Gating = field(init=False)
    """What its cases are held against."""
    _catalogue: catalogues.Catalogue | None = None
    _thresholds: Thresholds | None = None
    _workbench: Workbench | None = None
    _occupied: BaseFileLock | None = None
    _store: tuple[int, int] | None = None
    """Which file the store was when the session began."""
    _recorder: Recorder | None = None

    def __post_init__(self) -> None:
        """What belongs to a session from its start."""
        self.gating = Gating(self)

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.settings.folder)

    @property
    def report(self) -> Path | None:
        """The file of the robustness report; None where none is asked for."""
        given = self.settings.report
        return None if given == "none" else given or self.settings.folder / "report.html"

    def where(self, case_id: str) -> str:
        """Where there is more to see of a case, `report: .seedshift/report.html#…`; empty where no report is made."""
        return "" if self.report is None else f"report: {anchors.link(self.report, case_id)}"

    @property
    def worker(self) -> str:
        """The name of this process among pytest-xdist's workers, such as `gw0`; empty where it is none of them."""
        return str(self.workerinput.get("workerid", ""))

    @property
    def distributes(self) -> bool:
        """Whether this process leaves the cases to workers of pytest-xdist."""
        return self.config.pluginmanager.hasplugin("dsession")

    @property
    def workers(self) -> int:
        """How many processes share the cases."""
        return len(self.config.getoption("tx", None) or ()) or 1

    @property
    def workerinput(self) -> dict[str, Any]:
        """What pytest-xdist's controller gave this worker; empty where this process is none."""
        given: dict[str, Any] = getattr(self.config, "workerinput", {})
        return given

    @property
    def catalogue(self) -> catalogues.Catalogue:
        """The models that have a name, the user's among them.

        Raises:
            pytest.UsageError: a file cannot be read, or says something invalid of a model.
        """
        if self._catalogue is None:
            with border.usage_errors():
                self._catalogue = catalogues.load(
                    self.config.rootpath, self.settings.thresholds, no_limits=self.settings.no_limits
                )
        return self._catalogue

    @property
    def thresholds(self) -> Thresholds:
        """All thresholds.

        Raises:
            pytest.UsageError: the file says something invalid.
        """
        if self._thresholds is None:
            from pytest_seedshift.core import thresholds_parser

            with border.usage_errors():
                self._thresholds = thresholds_parser.load(
                    self.settings.thresholds, self.config.rootpath, self.catalogue.find
                )
        return self._thresholds

    @property
    def workbench(self) -> Workbench:
        """Where models are held and samples are made.

        Raises:
            pytest.UsageError: the device is not there.
        """
        if self._workbench is None:
            from pytest_seedshift.runner.workbench import Workbench
            from pytest_seedshift.scorers import devices

            _ = self.thresholds  # which scores of the user's own are asked for
            with border.usage_errors("--seedshift-device: "):
                device, _ = devices.resolve(self.settings.device, self.settings.dtype)
            if device == "cpu" and self.worker:
                devices.share_cores(self.workerinput.get("workercount", 1))
            self._workbench = Workbench(
                self.folder,
                device,
                self.settings.dtype,
                catalogue=self.catalogue,
                batch_size=self.settings.batch_size,
                keep=self.settings.keep_images,
                forget=self._only_asks,
                on_load=self._count_load,
                needs=self.needs,
            )
        return self._workbench

    @property
    def recorder(self) -> Recorder:
        """What records trajectories.

        Raises:
            pytest.UsageError: the device is not there.
        """
        if self._recorder is None:
            from pytest_seedshift.studies.trajectories.recorder import Recorder

            self._recorder = Recorder(self.workbench)
        return self._recorder

    def recorded(self, item: pytest.Item, case: Case) -> tuple[Pair, ...]:
        """The pairs of which an item's case is recorded, where its trajectories are asked for."""
        from pytest_seedshift.studies.trajectories.recorder import PAIRS

        return self.design(item, case)[: self.settings.trajectories or PAIRS]

    def _count_load(self) -> None:
        self.loads.append(self.worker)
        if self.on_load is not None:
            self.on_load()

    @property
    def _only_asks(self) -> bool:
        """Whether the user asks for the plan of a fresh start: then the store that is there has no part in it."""
        return self.settings.plan and self.settings.fresh

    def close(self) -> None:
        """Let go of the store and of the model, and at last of what trajectories were compared with."""
        if self._workbench is not None:
            self._workbench.close()
        if self._occupied is not None and not self.worker:
            with suppress(OSError):
                if not self.folder.is_occupied(besides=self._occupied):  # else another session may need them
                    self.folder.forget_states()

    @property
    def samples(self) -> str:
        """Where the samples of this session lie, as the user knows it; empty where they are not there any more."""
        from pytest_seedshift.results import sample_tables

        there = sample_tables.which(self.folder.samples_file)
        kept = there is not None and self._store in (None, there)
        return messages.relative(str(self.folder.samples_file)) if kept else ""

    def leave(self) -> None:
        """Let others know that nothing more is written to the run folder."""
        if self._occupied is not None:
            locks.leave(self._occupied)
            self._occupied = None

    def request(self, item: pytest.Item) -> collection.Request:
        """What the item's test asks for."""
        return collection.read_marker(self.settings, self.catalogue, item.get_closest_marker(MARKER), item.nodeid)

    def constraints(self, item: pytest.Item, case: Case) -> tuple[Constraint, ...]:
        """What is asked of an item's case.

        Raises:
            pytest.UsageError: nothing at all; or max_regression without a baseline, or one that does not fit.
        """
        if collection.is_null(item):
            return ()
        with border.usage_errors():
            found = self.thresholds.constraints(case, self.request(item).constraints)
        return self.gating.constraints(found, item, case)

    def design(self, item: pytest.Item, case: Case) -> tuple[Pair, ...]:
        """The pairs that an item's case is defined on."""
        settings = self.request(item).settings
        return self.catalogue.design(case.model, settings.images, self.design_seed(settings))

    def design_seed(self, settings: option_resolution.Settings | None = None) -> int:
        """The seed of a design: as a test's settings say, else as those of the session, else as the thresholds do."""
        given = (settings or self.settings).design_seed
        return self.thresholds.design_seed if given is None else given

    def needs(self, model: str) -> frozenset[str]:
        """Which of the shipped scorers a model's samples are scored by: see `models.needed_scorers`.

        Raises:
            pytest.UsageError: the thresholds or the baseline cannot be used.
        """
        asked = {*self.thresholds.scores(model), *self.gating.scores(model)}
        found = self.needed.of(model, asked)
        return found | {CLIP} if self.settings.sensitivity == "always" else found

    def entry(self, model: str) -> Entry:
        """What a model's name stands for, without the sources of scorers that this session does not need."""
        return without_others(self.catalogue.find(model), self.needs(model))

    def test(self, item: pytest.Item, case: Case) -> SequentialTest | NullTest:
        """What decides about an item's case.

        Raises:
            pytest.UsageError: nothing is asked of it.
        """
        if collection.is_null(item):
            from pytest_seedshift.core.stats.null_control import NullTest

            measured = self.workbench.pool.scorers.measures(case.model)
            return NullTest(len(self.design(item, case)), self.thresholds.certainty, measured)
        from pytest_seedshift.core.stats.sequential import SequentialTest

        constraints, design = self.constraints(item, case), self.design(item, case)
        before, fixed = self.gating.columns(constraints, item, case)
        return SequentialTest(
            constraints,
            len(design),
            self.thresholds.certainty,
            self.request(item).settings.exact,
            baseline=before,
            fixed=fixed,
            family=self.gating.family,
            thresholds=self.gating.thresholds,
        )

    def facts(self, model: str) -> metadata.Model:
        """How a model is run, for run.json.

        Raises:
            CaseError: the store or the weights cannot be read.
        """
        from pytest_seedshift.core import pairs
        from pytest_seedshift.models import process_settings
        from pytest_seedshift.scorers import devices

        entry, samples = self.entry(model), self.workbench.samples(model)
        return metadata.Model(
            name=model,
            fingerprint=samples.model,
            scorers=samples.scorers,
            scorer_names=tuple(metadata.source(each) for each in (entry.classifier, entry.clip) if each),
            hardware=devices.describe(self.workbench.device),
            classes=tuple(label.name for label in pairs.class_list(entry.classes)),
            class_list=metadata.place(entry.classes),
            run_with=dict(self.workbench.service.run_with(model)),
            settings=process_settings.in_force(self.workbench.device),
        )

    def check(self, items: Iterable[pytest.Item]) -> list[str]:
        """Find every mistake of the user that can be found before anything is generated; see `check_ground`.

        Raises:
            pytest.UsageError: a case without a threshold, a plugin that does not go together with cases, or what
                `check_ground` finds.
        """
        warnings, items = self.check_ends(), list(items)
        for item in items:
            conflicts.check(self.config, item)
        self._check_folder()
        designs = self._designs(items)
        absent = self._check_models(designs)
        notes, markers = {}, {}
        for item in items:
            case = collection.case_of(item)
            if case is not None and collection.is_reliability(item):
                self.constraints(item, case)
                markers[item.nodeid.partition("[")[0]] = self.request(item).constraints
                notes[case.model] = self.thresholds.note(case.model)
            search = collection.search_of(item)
            if search is not None:
                asked.test_of(self, item, search)
                notes[search.model] = self.thresholds.note(search.model)
        self.gating.check_missing()
        warnings += [note for note in notes.values() if note is not None]
        from pytest_seedshift.core import threshold_warnings  # pydantic, which collecting shall not load without need

        for where, constraints in markers.items():
            warnings += threshold_warnings.far_off(constraints.values(), f"{where}: @pytest.mark.{MARKER}")
        return warnings + self.threshold_warnings() + self._prepare(designs, absent)

    def _designs(self, items: Iterable[pytest.Item]) -> list[tuple[str, int | None]]:
        """Of the cases and searches of some items, the models with their numbers of images, each once."""
        found: list[tuple[str, int | None]] = []
        for item in items:
            case, search = collection.case_of(item), collection.search_of(item)
            if case is not None:
                judged = collection.is_reliability(item)
                found.append((case.model, self.request(item).settings.images if judged else None))
            if search is not None:
                found.append((search.model, asked.request(self, item).base.settings.images))
        return list(dict.fromkeys(found))

    def threshold_warnings(self) -> list[str]:
        """What is to be said of the thresholds file, once the tests are collected; see `threshold_warnings`."""
        from pytest_seedshift.core import threshold_warnings

        gating = self.gating
        return threshold_warnings.found(self.thresholds, gating.asked, gating.sought, has_baseline=gating.has_baseline)

    def check_ends(self) -> list[str]:
        """Check what a run is to write at its end, and whether its options have an effect.

        Returns:
            Warnings for the user.

        Raises:
            pytest.UsageError: a file that cannot be written, or an option without an effect.
        """
        output_files.check(self.config, self.settings)
        return effects.check(self.config, self.settings, has_baseline=self.gating.has_baseline)

    def check_ground(self, designs: Iterable[tuple[str, int | None]]) -> list[str]:
        """Check what all cases stand on: models with their numbers of images, thresholds, device, run folder, store.

        Returns:
            Warnings for the user.

        Raises:
            pytest.UsageError: one that cannot be used.
        """
        self._check_folder()
        designs = list(dict.fromkeys(designs))
        return self._prepare(designs, self._check_models(designs))

    def check_model(self, model: str) -> None:
        """Check what a model's name stands for, before anything that a model without an entry has by default.

        Raises:
            pytest.UsageError: nothing that is there, or something that is no model.
        """
        with border.usage_errors(hint=typed_values.told_apart(model, self.settings.given_models)):
            self.catalogue.check_model(self.catalogue.find(model), ask_hub=not self.settings.plan)

    def _check_models(self, designs: Iterable[tuple[str, int | None]]) -> dict[str, str]:
        """Check models, then their class lists with so many images, then their scorers.

        What is wrong with a name shall not be hidden by what follows from it. Which scorers are needed depends on what
        the thresholds and the baseline have.

        Returns:
            Of a plan, the models that are not on this machine; see `_absent`.

        Raises:
            pytest.UsageError: one that cannot be used.
        """
        designs = list(designs)
        models = dict.fromkeys(model for model, _ in designs)
        for model in models:
            self.check_model(model)
        with border.usage_errors():
            for model, images in designs:
                self.catalogue.design(model, images)
            absent = self._absent(models) if self.settings.plan else {}
            for model in models:
                if model not in absent:
                    self.catalogue.check_scorers(self.entry(model))
        return absent

    def _prepare(self, designs: Iterable[tuple[str, int | None]], absent: dict[str, str]) -> list[str]:
        """What `check_ground` does once the models are known to be there."""
        _ = self.thresholds
        _ = self.gating.against
        if self.distributes:
            self._check_device()
        else:
            self.workbench.pool.plan_without(absent)
        warnings = self.prepare_folder()
        return warnings + self._fetch(dict.fromkeys(model for model, _ in designs if model not in absent))

    def _absent(self, models: Iterable[str]) -> dict[str, str]:
        """The models that a plan is made of and that are not on this machine, and where they would come from."""
        found = {model: self.catalogue.lacks(self.entry(model)) for model in models}
        return {model: lacks for model, lacks in found.items() if lacks is not None}

    def _check_device(self) -> None:
        from pytest_seedshift.scorers import devices

        with border.usage_errors("--seedshift-device: "):
            devices.check(self.settings.device)

    def _fetch(self, models: Iterable[str]) -> list[str]:
        """Download what is missing, once, before any worker of pytest-xdist needs it, and let the user see it come.

        What can only be checked when it is there is checked then.

        Returns:
            Warnings for the user, of models that a check has failed over.
        """
        warnings: list[str] = []
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            for model in models:
                try:
                    with border.usage_errors():
                        entry = self.entry(model)
                        self._foretell(entry)
                        self.catalogue.check_files(entry)
                except OSError as error:  # of a disk or of the cache; it names the file
                    raise pytest.UsageError(str(error)) from None
                except pytest.UsageError:
                    raise
                except Exception as error:  # of a library: no mistake of the user's, and the cases will meet it
                    _log.debug("%s", model, exc_info=error)
                    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
                    warnings.append(f"{model} could not be checked before its cases run ({said})")
        return warnings

    def _foretell(self, entry: Entry) -> None:
        """Say of a model that is about to be downloaded that the device has too little memory for it."""
        if entry.own is not None or entry.memory is None or self.distributes:
            return
        from pytest_seedshift.models import locate

        if locate.index_of(entry.pipeline, entry.revision) is None:
            from pytest_seedshift.models import memory

            if (said := memory.foretold(entry, self.workbench.device)) is not None:
                output.say(f"seedshift: {said}")

    def _check_folder(self) -> None:
        """See `RunFolder.check`."""
        try:
            self.folder.check()
        except FolderError as error:
            raise pytest.UsageError(f"--seedshift-dir={error}") from None
        except OSError:
            pass  # `prepare_folder` says so

    def prepare_folder(self, *, occupy: bool = True) -> list[str]:
        """Make the run folder and the store; see `check_ground`.

        Args:
            occupy: say that this session writes to it: left to the controller by a worker of pytest-xdist.
        """
        from pytest_seedshift.results import sample_store, sample_tables

        try:
            self.folder.prepare()
            if occupy and self._occupied is None:
                self._occupied = self.folder.occupy()
            if self._only_asks:
                return []
            with self.folder.lock("store"):  # two sessions that begin at once must not set each other's store aside
                warning = sample_store.prepare(self.folder.samples_file, fresh=self.settings.fresh)
                self._store = sample_tables.which(self.folder.samples_file)
                if self.settings.fresh:
                    self.folder.forget_measurements()
        except FolderError as error:
            raise pytest.UsageError(f"--seedshift-dir={error}") from None
        except locks.LockError as error:
            raise pytest.UsageError(f"--seedshift-dir={self.folder.path}: {error.strerror}") from None
        except OSError as error:
            raise pytest.UsageError(
                f"--seedshift-dir={self.folder.path}: the run folder cannot be written to: {error.strerror} "
                f"({error.filename})"
            ) from None
        except sample_tables.StoreError as error:
            raise pytest.UsageError(str(error)) from None
        return [] if warning is None else [warning]
