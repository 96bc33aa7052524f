"""The hooks of a process that runs items: what the fixtures give, and the record on each item's report."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.errors import HarnessError, SeedshiftError
from pytest_seedshift.core.working_directory import at_start, working_in
from pytest_seedshift.plugin import border, collection, job_kinds, known_failures, unjudged
from pytest_seedshift.plugin.outcomes import set_properties
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.plugin.item_jobs import ItemJobs
    from pytest_seedshift.plugin.progress import ProgressSink
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.results.schema import Record, Search
    from pytest_seedshift.runner.needs import Expected
    from pytest_seedshift.scorers.base import Scorer
    from pytest_seedshift.studies.position_control import Study
    from pytest_seedshift.studies.trajectories.recorder import Recorder
    from pytest_seedshift.studies.trajectories.trajectory import Trajectory

_RESULT = pytest.StashKey["job_kinds.Result | None"]()


class Judging:
    """Runs jobs. The result of one stays with its item until that ends."""

    def __init__(self, session: Session, jobs: ItemJobs, progress: ProgressSink) -> None:
        """`progress` hears of each batch, of the end of each job, and of what is said last."""
        self._session = session
        self._jobs = jobs
        self._progress = progress
        self._failed_parts: Counter[str] = Counter()
        self._recorder: Recorder | None = None
        self._expected = False
        """Whether the scheduler knows which jobs are to come."""

    # What fixtures give -----------------------------------------------------------------------------------------------

    @property
    def start(self) -> Path:
        """The folder in which the session began."""
        return self._session.config.invocation_params.dir

    @at_start
    def model(self, case: Case) -> TextToImage:
        """The case's model, loaded."""
        return border.or_fail(lambda: self._session.workbench.model(case.model))

    @at_start
    def scorers(self, case: Case) -> tuple[Scorer, ...]:
        """The case's scorers, loaded."""
        return border.or_fail(lambda: self._session.workbench.scorers(case.model))

    def position(self, case: Case) -> Callable[..., Study]:
        """The experiment on position control with the case's model, to call with what `position_control.run` takes."""
        from pytest_seedshift.studies import position_control

        def study(**arguments: Any) -> Study:
            given = {"images": self._session.settings.images, **arguments}

            def run() -> Study:
                try:
                    return position_control.run(self._session.workbench, case.model, **given)
                except CaseError:
                    raise
                except SeedshiftError as error:
                    raise CaseError(f"seedshift_position: {error}") from error

            with working_in(self.start):
                return border.or_fail(run)

        return study

    @at_start
    def judge(self, item: pytest.Item) -> Any:
        """Do the item's job; its result stays with the item for its report.

        A null control with a change beyond chance is an error of the item, as no test of the model has failed.
        """

        def run() -> tuple[job_kinds.Kind, Any]:
            job, bench = self._jobs.of(item), self._session.workbench
            if bench.scheduler.looks_ahead and not self._expected:
                self._expected = True
                bench.scheduler.expect(self._to_come(item.session.items))
            with self._while_a_cluster_lasts():
                result = bench.scheduler.result(job_kinds.expected(job, bench), self._progress.tick)
            return job_kinds.of(job.kind), result

        kind, result = border.or_fail(run)
        item.stash[_RESULT] = result
        if collection.case_of(item) is not None and self._session.settings.trajectories is not None:
            case, pairs = self._recorded(item)
            self._trajectories.keep(case, pairs)
        if (fault := kind.fault(result)) is not None:
            pytest.fail(fault, pytrace=False)
        return result

    @contextmanager
    def _while_a_cluster_lasts(self) -> Iterator[None]:
        """Where a cluster is lost, nothing can be judged any more: the session ends as one that cannot run."""
        try:
            yield
        except HarnessError as error:
            if not self._session.cluster.is_asked:
                raise
            pytest.exit(text.terminal_line(str(error)), returncode=pytest.ExitCode.USAGE_ERROR)

    def _to_come(self, items: Iterable[pytest.Item]) -> list[Expected]:
        """The jobs of items that will ask for theirs, as far as one can know."""
        found = []
        for item in items:
            if collection.is_judged(item) and item.get_closest_marker("skip") is None:
                with suppress(pytest.UsageError):  # the item itself will say so
                    found.append(job_kinds.expected(self._jobs.of(item), self._session.workbench))
        return found

    @at_start
    def trajectory(self, item: pytest.Item) -> Trajectory:
        """The trajectories of the first pairs of the item's case."""
        return border.or_fail(lambda: self._trajectories.trajectory(*self._recorded(item)))

    @property
    def _trajectories(self) -> Recorder:
        if self._recorder is None:
            from pytest_seedshift.studies.trajectories.recorder import Recorder

            self._recorder = Recorder(self._session.workbench)
        return self._recorder

    def _recorded(self, item: pytest.Item) -> Any:
        """An item's case, and the pairs of which it is recorded."""
        from pytest_seedshift.studies.trajectories.recorder import PAIRS

        return collection.case_of(item), self._jobs.design(item)[: self._session.settings.trajectories or PAIRS]

    # pytest's hooks ---------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """After the test's own assertions, assert what its marker asks for.

        A search without a bound has measured something and checked nothing: it is skipped with what it has found.
        """
        pyfuncitem.stash[unjudged.IN_WORK] = True
        self._failed_parts.pop(pyfuncitem.nodeid, None)
        try:
            outcome = yield
        finally:
            pyfuncitem.stash[unjudged.IN_WORK] = False
        result = pyfuncitem.stash.get(_RESULT, None)
        if result is None or not (job := self._jobs.of(pyfuncitem)).request.is_marked:
            return outcome
        kind = job_kinds.of(job.kind)
        if (failure := kind.failure(result, self._session.where(job.subject.id))) is not None:
            raise known_failures.Failed(failure, pytrace=False)
        if (measured := kind.only_measured(result)) is not None:
            pytest.skip(measured)
        return outcome

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Keep no samples of a job that has ended: pytest keeps its items until the end."""
        if item.stash.get(_RESULT, None) is not None:
            del item.stash[_RESULT]
            self._progress.rest()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the record on the item's report, and its figures among JUnit's properties."""
        report = yield
        subject, kind = collection.subject_of(item), collection.kind_of(item)
        if subject is None:
            return report
        if call.excinfo is not None and _is_poison(call.excinfo.value):
            self._end(item, subject, report, call.excinfo.value)
        if kind is not None and not item.stash.get(unjudged.IN_WORK, False):
            made = self.record(item, report)
            if made is not None:
                result = item.stash.get(_RESULT, None)
                set_properties(item, job_kinds.of(kind).properties(made, result))  # JUnit's file has the teardown's
                # workers know what their controller does not
                beside = {} if result is None else {"seedshift_model": asdict(self._session.facts(subject.model))}
                unjudged.attach(item, report, {job_kinds.of(kind).attribute: made.built_in(), **beside})
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the parts of a test that have failed, such as subtests: what they fail has not passed."""
        if type(report) is not pytest.TestReport and report.failed:
            self._failed_parts[report.nodeid] += 1

    def record(self, item: pytest.Item, report: pytest.TestReport) -> Record | Search | None:
        """What is to be recorded after a phase of an item: its verdict, or why there is none; None where neither is."""
        name, result, folder = collection.kind_of(item), item.stash.get(_RESULT, None), self._session.folder
        if name is None:
            return None
        kind = job_kinds.of(name)
        if report.failed and result is not None and name == "null_control" and report.when == "setup":
            return kind.record(result, folder, item.nodeid)
        if report.failed and (report.when == "setup" or (report.when == "call" and result is None)):
            return kind.unjudged(collection.subject_of(item), report.longreprtext, item.nodeid)
        if report.when != "call" or result is None:
            return None
        made, failed = kind.record(result, folder, item.nodeid), self._failed_parts[item.nodeid]
        if report.passed and failed:  # as pytest itself does when it shows the report, which workers never do
            report.outcome, report.longrepr = "failed", f"contains {messages.count(failed, 'failed subtest')}"
            if name != "breaking_point":  # of which the record says what it has found before that
                made = made.model_copy(update={"verdict": "fail", "reason": f"the test {report.longrepr}"})
        return made

    def _end(self, item: pytest.Item, subject: Subject, report: pytest.TestReport, error: BaseException) -> None:
        """End this process: after such an error all that it does on the GPU would fail, every later case with it.

        A worker of pytest-xdist is replaced by a fresh one. Without workers the session ends.
        """
        reason = verdict_messages.poisoned(subject, error, self._session.folder_use.samples)
        if self._progress.leave_last_words(reason):
            os._exit(1)  # not in order: that too would need the GPU
        item.stash[_RESULT] = None
        report.longrepr = reason
        item.session.shouldfail = text.terminal_line(
            f"a CUDA error has made this process useless: {messages.first_line(error)}"
        )


def _is_poison(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return False
    from pytest_seedshift.scorers import devices

    return devices.is_poisoned(error)
