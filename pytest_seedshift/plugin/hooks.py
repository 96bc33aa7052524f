"""The hooks of a session that has cases: collect them, run them, put their records on the reports."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_seedshift.core import messages, registry, scores, text
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.test_names import MARKER, NULL_RESULT, RESULT
from pytest_seedshift.core.working_directory import at_start, working_in
from pytest_seedshift.models import needed_scorers
from pytest_seedshift.plugin import (
    border,
    collection,
    conflicts,
    effects,
    github,
    manifest,
    option_resolution,
    options,
    plan,
    unjudged,
    waiting,
    xdist_workers,
)
from pytest_seedshift.plugin.breaking_hooks import BreakingHooks
from pytest_seedshift.plugin.grid import Grid
from pytest_seedshift.plugin.live import Board, Watcher
from pytest_seedshift.plugin.outcomes import Make, Outcomes, set_properties
from pytest_seedshift.plugin.returning import Return
from pytest_seedshift.plugin.seed_sensitivity import Sensing
from pytest_seedshift.plugin.session import State
from pytest_seedshift.plugin.session_report import RobustnessReport
from pytest_seedshift.plugin.terminal import TerminalReport
from pytest_seedshift.plugin.worker_crashes import Deaths
from pytest_seedshift.runner import records, verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.plugin.pytest_html import HtmlReport
    from pytest_seedshift.results.schema import Record
    from pytest_seedshift.runner.case_result import CaseResult, Progress
    from pytest_seedshift.scorers.base import Scorer
    from pytest_seedshift.studies.position_control import Study
    from pytest_seedshift.studies.trajectories.trajectory import Trajectory

_T = TypeVar("_T")
_RESULT = pytest.StashKey["CaseResult | None"]()


class Hooks:
    """Registered by the plugin as soon as it is known that there may be cases."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the options.

        Raises:
            pytest.UsageError: one that cannot be used.
        """
        self._state = State(config, option_resolution.resolve(config))
        self._terminal = TerminalReport(self._state)
        self._suite_arguments: list[str] = []
        self._usage_errors: list[pytest.UsageError] = []
        self._watcher: Watcher | None = None
        self._html: HtmlReport | None = None
        self._report: RobustnessReport | None = None
        folder = self._state.workerinput.get(waiting.BOARD)
        self._board = board = None if folder is None else Board(Path(folder))
        if board is not None:
            self._state.on_load = lambda: board.post_load(self._state.worker)
        self._planned = False
        self._ground_warnings: list[str] = []
        self._failed_parts: Counter[str] = Counter()
        self._grid = Grid(self._state)
        self._sensing = Sensing(self._state, self._grid, self._terminal.tick_text)
        self._models = dict.fromkeys(self._state.settings.models)
        self.breaking = BreakingHooks(self._state, self._tick, self._rest, self._collect, lambda: tuple(self._models))
        collection.Request(self._state.settings, self._state.catalogue).cases()
        collection.check_suite(config, self._state.settings)
        if not self._state.worker:
            effects.check(config, self._state.settings)

    def register_others(self) -> None:
        """Register the hooks that choose and report. A worker of pytest-xdist leaves reports to its controller."""
        config = self._state.config
        config.pluginmanager.register(Return(), "seedshift-return")
        config.pluginmanager.register(self._grid, "seedshift-grid")
        split = config.pluginmanager.unregister(name="pytestsplitplugin")
        if split is not None:  # it takes its part behind the grid, so that who merges the parts knows what is missing
            config.pluginmanager.register(split, "pytestsplitplugin")
        config.pluginmanager.register(self._sensing, "seedshift-sensing")
        config.pluginmanager.register(self.breaking, "seedshift-breaking")
        make: dict[str, Make] = {unjudged.JUDGED: self._record, unjudged.SEARCHED: self.breaking.record}
        config.pluginmanager.register(Outcomes(self._state, make), "seedshift-outcomes")
        if not self._state.worker:
            config.pluginmanager.register(self._terminal, "seedshift-terminal")
            self._report = RobustnessReport(self._state, self._terminal)
            config.pluginmanager.register(self._report, "seedshift-report")
            if github.wanted():
                config.pluginmanager.register(github.Annotations(config), "seedshift-annotations")
            if self._state.settings.write_thresholds is not None:
                from pytest_seedshift.plugin.calibrate import Calibrate

                config.pluginmanager.register(Calibrate(self._state, self._terminal), "seedshift-calibrate")
            if config.getoption("htmlpath", None):
                from pytest_seedshift.plugin.pytest_html import HtmlReport

                self._html = HtmlReport(self._state, self._terminal)
                config.pluginmanager.register(self._html, "seedshift-html")

    def take_over(self, waited: waiting.Waiting) -> None:
        """Take what was kept of the session's start until it was known that there are cases."""
        if waited.page is not None and self._html is not None:
            self._html.pytest_html_report_title(waited.page)
        if waited.folder is not None:
            self._watch(waited.folder)

    def end_loop(self) -> None:
        """Do what is done after the tests, where these hooks have come while they ran."""
        if self._report is not None:
            self._report.fail_session()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Where pytest-xdist distributes, check what can be checked before its workers start."""
        settings = self._state.settings
        if self._state.distributes:
            if options.is_named(session.config):
                conflicts.check(session.config)
            if settings.plan:
                raise pytest.UsageError("--seedshift-plan makes its plan in one process: leave -n away")
            self._warn(self._state.check_ends())
            self._warn(self._state.check_ground((model, settings.images) for model in settings.models))

    def pytest_sessionfinish(self) -> None:
        """Let go of the store and of the model."""
        if self._watcher is not None:
            self._state.loads = self._watcher.board.loads()
        self._state.close()

    def pytest_unconfigure(self) -> None:
        """Stop looking at workers, and leave the run folder to others: all reports are written."""
        self._state.leave()
        if self._watcher is not None:
            self._watcher.close()

    # Workers of pytest-xdist -------------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: Sequence[Any]) -> None:
        """Give each worker its GPU and its part of the cores before it starts."""
        if options.is_named(config):
            warning = xdist_workers.prepare(specs, self._state.settings.device)
            self._warn([warning] if warning else [])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Distribute with patience; see `xdist_scheduling`."""
        if config.getoption("dist") != "worksteal" or not options.is_named(config):
            return None
        from pytest_seedshift.plugin.xdist_scheduling import PatientWorkStealing

        return PatientWorkStealing(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each worker where to tell how far it has come."""
        waiting.tell_worker(node, (self._watcher or self._watch(waiting.board_folder())).folder)

    def _watch(self, folder: Path) -> Watcher:
        self._watcher = Watcher(folder, self._terminal.tick_all)
        deaths = Deaths(self._state, self._watcher.board)
        self._state.config.pluginmanager.register(deaths, "seedshift-deaths")
        return self._watcher

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Say the plan as soon as a worker has told it; let the report have its columns."""
        if self._watcher is None:
            return
        if self._html is not None and self._watcher.board.items():
            self._html.add_columns()
        made = None if self._planned else self._watcher.board.plan()
        if made is not None:
            self._planned = True
            self._terminal.manifest = self._watcher.board.manifest() or {}
            registry.current().scores.update(scores.recorded(self._terminal.manifest))  # markers may ask for some
            self._warn_of_noise()
            self._terminal.show(made)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Group the cases by model; a worker tells the controller, which has no items, what is planned.

        Here nobody orders items any more: plugins and conftests that shuffle them may come last among those that modify
        them. The first worker tells, or who replaces one.
        """
        collection.sort_by_model(session.items)
        board = self._board
        if board is None:
            return
        ours = _with_subjects(session.items)
        if ours:
            try:
                if self._state.workerinput.get(waiting.BEFORE_CASES):
                    self._ground_warnings = self._state.prepare_folder(occupy=False)
                self._state.gating.check_missing()
            except pytest.UsageError as error:
                self._grid.refuse(error)
        board.post_items({item.nodeid: (subject, collection.is_judged(item)) for item, subject in ours})
        if self._plans and board.plan() is None and not session.testsfailed:
            try:
                made = plan.make(self._state, ours, notes=self._notes)
                whole = manifest.make(self._state, self._grid)
            except pytest.UsageError:  # the items themselves will say so
                return
            if made is not None:
                board.post_manifest(whole)
                board.post_plan(made)

    @property
    def _plans(self) -> bool:
        """Whether this worker makes the plan: gw0, or one beyond the first, such as the third of two."""
        number = int(self._state.worker.removeprefix("gw") or 0)
        return number == 0 or number >= self._state.workerinput["workercount"]

    def _notes(self) -> list[str]:
        """What else the plan has to say."""
        gating = self._state.gating
        notes = (self._grid.note(), self._sensing.note(self._grid.models), gating.note(), gating.note_of_chance())
        said = [note for note in notes if note is not None]
        if self._state.worker:  # where there is none, they were said before
            warnings = [*self._ground_warnings, *self._state.threshold_warnings()]
            said += [f"warning: {warning}" for warning in warnings]
        return said

    # Collection --------------------------------------------------------------------------------------------------

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make one item for each case of a test."""
        if NULL_RESULT in metafunc.fixturenames:
            collection.parametrize_null(metafunc, self._models)
            return
        mark = metafunc.definition.get_closest_marker(MARKER)

        def make() -> Iterable[str]:
            request = collection.read_marker(
                self._state.settings, self._state.catalogue, mark, metafunc.definition.nodeid
            )
            collection.parametrize(metafunc, request)
            if mark is not None or RESULT in metafunc.fixturenames:
                self._state.gating.asked.update(request.cases())
            self._state.needed.ask(
                request.settings.models, scores=request.constraints, scorers=_scorers_of(metafunc.fixturenames)
            )
            return request.settings.models

        self._collect(metafunc, make)

    def _collect(self, metafunc: pytest.Metafunc, make: Callable[[], Iterable[str]]) -> None:
        """Make items; `make` returns the models that they are about.

        pytest would make a collection error of a UsageError here, so it is kept until the collection is complete.
        """
        try:
            self._models |= dict.fromkeys(make())
        except pytest.UsageError as error:
            if self._state.worker:  # nobody would hear of a worker's usage error: make it the test's
                collection.parametrize_by(metafunc, [error], ["usage-error"])
            self._usage_errors.append(error)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """The marker alone makes an item judge its case."""
        if isinstance(item, pytest.Function) and collection.has(item, Case) and item.get_closest_marker(MARKER):
            collection.request_fixtures(item, RESULT)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Take `seedshift` and `seedshift::…` out of the arguments, before pytest looks for a file of that name."""
        if not self._state.distributes:
            self._suite_arguments = collection.suite_arguments(session.config)
            session.config.args = [each for each in session.config.args if each not in self._suite_arguments]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the built-in suite where it is asked for or there is no other reliability test."""
        tests, settings = [], self._state.settings
        if self._suite_arguments or (settings.models and not any(map(unjudged.asks, items))):
            tests.append("test_reliability")
        if settings.breaking_point and self._models and not any(map(collection.is_search, items)):
            tests.append("test_breaking_point")
        if settings.null and self._models and not self._usage_errors:
            tests.append("test_null_control")
        if tests:
            made = collection.suite_items(session, self._suite_arguments, tests)
            items.extend(made)
            unjudged.will_run(session.config, made)
            self._grid.stand_ins = [] if self._suite_arguments else list(filter(collection.stands_in, made))
        if self._usage_errors and not self._state.worker:
            raise self._usage_errors[0]
        error = collection.unanswered(session.config, settings, items)
        if error is not None:
            collection.refuse(session, items, error)

    # Running -----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Before anything is generated: find the user's mistakes, say the plan; with --seedshift-plan stop there."""
        ours = _with_subjects(session.items)
        if not ours or session.config.option.collectonly or session.testsfailed or self._state.worker:
            return None
        self._warn(self._state.check(item for item, _ in ours))
        self._warn(self._state.gating.warnings())
        asked = self._state.settings.plan
        self._terminal.manifest = manifest.make(self._state, self._grid)
        self._warn_of_noise()
        made = plan.make(self._state, ours, measure="all" if asked else "first", notes=self._notes)
        if made is not None:  # there may be tests of a model that judge no case
            self._terminal.show(made)
        return True if asked else None

    def _warn_of_noise(self) -> None:
        from pytest_seedshift.studies import noise_floor

        self._warn(noise_floor.warnings(self._state.folder, self._terminal.manifest))

    def _warn(self, warnings: Iterable[str]) -> None:
        self._terminal.write([f"seedshift: warning: {warning}" for warning in warnings], always=True)

    @property
    def start(self) -> Path:
        """The folder in which the session began."""
        return self._state.config.invocation_params.dir

    @at_start
    def model(self, case: Case) -> TextToImage:
        """The case's model, loaded."""
        return border.or_fail(lambda: self._state.workbench.model(case.model))

    @at_start
    def scorers(self, case: Case) -> tuple[Scorer, ...]:
        """The case's scorers, loaded."""
        return border.or_fail(lambda: self._state.workbench.scorers(case.model))

    def position(self, case: Case) -> Callable[..., Study]:
        """The experiment on position control with the case's model, to call with what `position_control.run` takes."""
        from pytest_seedshift.studies import position_control

        def study(**arguments: Any) -> Study:
            given = {"images": self._state.settings.images, **arguments}

            def run() -> Study:
                try:
                    return position_control.run(self._state.workbench, case.model, **given)
                except CaseError:
                    raise
                except SeedshiftError as error:
                    raise CaseError(f"seedshift_position: {error}") from error

            with working_in(self.start):
                return border.or_fail(run)

        return study

    @at_start
    def judge(self, item: pytest.Item, case: Case) -> CaseResult:
        """Run the case and judge it; the result stays with the item for its report."""
        from pytest_seedshift.runner import sequential

        state = self._state
        result = border.or_fail(
            lambda: sequential.run(state.workbench, case, state.test(item, case), state.design(item, case), self._tick)
        )
        item.stash[_RESULT] = result
        if state.settings.trajectories is not None:
            state.recorder.keep(case, state.recorded(item, case))
        return result

    @at_start
    def trajectory(self, item: pytest.Item, case: Case) -> Trajectory:
        """The trajectories of the case's first pairs."""
        return border.or_fail(lambda: self._state.recorder.trajectory(case, self._state.recorded(item, case)))

    def judge_null(self, item: pytest.Item, case: Case) -> CaseResult:
        """Run a null control; a change beyond chance is an error of the item, as no test of the model has failed."""
        result = self.judge(item, case)
        if not result.passed:
            pytest.fail(verdict_messages.harness(result), pytrace=False)
        return result

    def _tick(self, progress: Progress) -> None:
        if self._board is None:
            self._terminal.tick(progress)
        else:
            self._board.post(self._state.worker, progress)

    def _rest(self) -> None:
        if self._board is not None:
            self._board.rest(self._state.worker)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Keep no samples of a case that has ended: pytest keeps its items until the end."""
        if item.stash.get(_RESULT, None) is not None:
            del item.stash[_RESULT]
            self._rest()

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """After the test's own assertions, assert the thresholds of a test that is marked `reliability`."""
        pyfuncitem.stash[unjudged.IN_WORK] = True
        self._failed_parts.pop(pyfuncitem.nodeid, None)
        try:
            outcome = yield
        finally:
            pyfuncitem.stash[unjudged.IN_WORK] = False
        result = pyfuncitem.stash.get(_RESULT, None)
        if result is not None and not result.passed and pyfuncitem.get_closest_marker(MARKER):
            pytest.fail(verdict_messages.failure(result, self._state.where(result.case.id)), pytrace=False)
        return outcome

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the case's record on its report, and its figures among JUnit's properties."""
        report = yield
        case, subject = collection.case_of(item), collection.subject_of(item)
        if subject is not None and call.excinfo is not None and _is_poison(call.excinfo.value):
            self._end(item, subject, report, call.excinfo.value)
        if case is not None and collection.is_reliability(item) and not item.stash.get(unjudged.IN_WORK, False):
            made = self._record(case, item, report)
            if made is not None:
                result = item.stash.get(_RESULT, None)
                control = None if result is None else result.control_means
                set_properties(item, records.properties(made, control))  # JUnit's file has the teardown's
                # workers know what their controller does not
                beside = {} if result is None else {"seedshift_model": asdict(self._state.facts(case.model))}
                unjudged.attach(item, report, {unjudged.JUDGED: made.built_in(), **beside})
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the parts of a test that have failed, such as subtests: what they fail has not passed."""
        if type(report) is not pytest.TestReport and report.failed:
            self._failed_parts[report.nodeid] += 1

    def _end(self, item: pytest.Item, case: Subject, report: pytest.TestReport, error: BaseException) -> None:
        """End this process: after such an error all that it does on the GPU would fail, every later case with it.

        A worker of pytest-xdist is replaced by a fresh one. Without workers the session ends.
        """
        reason = verdict_messages.poisoned(case, error, self._state.samples)
        if self._board is not None:
            self._board.post_last_words(self._state.worker, reason)
            os._exit(1)  # not in order: that too would need the GPU
        item.stash[_RESULT] = None
        report.longrepr = reason
        item.session.shouldfail = text.terminal_line(
            f"a CUDA error has made this process useless: {messages.first_line(error)}"
        )

    def _record(self, case: Case, item: pytest.Item, report: pytest.TestReport) -> Record | None:
        """What is to be recorded of a case after a phase of its item: its verdict, or why there is none."""
        result = item.stash.get(_RESULT, None)
        if report.failed and result is not None and result.is_null and report.when == "setup":
            return records.of_result(result, self._state.folder, item.nodeid)
        if report.failed and (report.when == "setup" or (report.when == "call" and result is None)):
            return records.of_error(case, report.longreprtext, item.nodeid, null=collection.is_null(item))
        if report.when != "call" or result is None:
            return None
        failed = self._failed_parts[item.nodeid]
        if report.passed and failed:  # as pytest itself does when it shows the report, which workers never do
            report.outcome, report.longrepr = "failed", f"contains {messages.count(failed, 'failed subtest')}"
            made = records.of_result(result, self._state.folder, item.nodeid)
            return made.model_copy(update={"verdict": "fail", "reason": f"the test {report.longrepr}"})
        return records.of_result(result, self._state.folder, item.nodeid)


def _with_subjects(items: Iterable[pytest.Item]) -> list[tuple[pytest.Item, Subject]]:
    return [(item, subject) for item in items if (subject := collection.subject_of(item))]


def _scorers_of(fixtures: Iterable[str]) -> frozenset[str]:
    """The shipped scorers that fixtures work with."""
    if "seedshift_scorers" in fixtures:
        return needed_scorers.ALL
    return frozenset({needed_scorers.CLASSIFIER}) if "seedshift_position" in fixtures else frozenset()


def _is_poison(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return False
    from pytest_seedshift.scorers import devices

    return devices.is_poisoned(error)
