"""What is said of a case whose worker of pytest-xdist has died: an error, wherever errors are shown."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import text
from pytest_seedshift.plugin import job_kinds
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.plugin.live import Board

_END_TIMEOUT = 2.0
"""Seconds to wait for a process whose pipe has closed."""


class WorkerCrashes:
    """Hooks of pytest-xdist's controller.

    pytest-xdist replaces a worker that dies and reports the item that it was at, in a phase "???": neither an error in
    pytest's count nor shown by pytest-html, which waits for a teardown. Here it becomes an error of the phase that was
    not finished, with the case's record.
    """

    def __init__(self, config: pytest.Config, board: Board, samples: Callable[[], str]) -> None:
        """`samples` says where the samples lie; empty where they are not there any more."""
        self._config = config
        self._board = board
        self._samples = samples
        self._phases: dict[str, str] = {}
        self._unfinished: pytest.TestReport | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker that is gone has no case in work."""
        self._board.rest(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Say of which phase the error is, and why there is no verdict."""
        told = self._board.items().get(crashitem)
        if told is None:  # a test that is not about a model
            return
        case, name = told
        phase = self._phases.get(crashitem)
        if phase == "teardown":  # all was reported before: nothing is lost
            report.outcome = "passed"
            return
        report.location = (report.location[0], None, crashitem.rpartition("::")[2])
        reason = self._reason(case, report.node)
        report.longrepr = text.indented(reason)
        if phase == "call":  # its verdict stands
            report.when = "teardown"
            return
        report.when = "setup"
        if name is not None:
            kind = job_kinds.of(name)
            record = kind.unjudged(case, reason, crashitem)
            setattr(report, kind.attribute, record.built_in())
            report.user_properties = list(kind.properties(record))
        self._unfinished = report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Take note of how far each item has come; let a teardown follow where a worker could not report it."""
        yield
        self._phases[report.nodeid] = str(report.when)
        if report is self._unfinished:
            self._unfinished = None
            teardown = pytest.TestReport(
                nodeid=report.nodeid,
                location=report.location,
                keywords={},
                outcome="passed",
                longrepr=None,
                when="teardown",
                user_properties=report.user_properties,
            )
            teardown.node = report.node  # type: ignore[attr-defined]
            self._config.hook.pytest_runtest_logreport(report=teardown)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Where workers have left cases undone, the session has not passed."""
        undone = self._board.items().keys() - self._phases.keys()
        if undone and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _reason(self, case: Subject, worker: Any) -> str:
        name = worker.gateway.id
        last_words = self._board.last_words(name)
        if last_words is not None:
            return f"worker {name}: {last_words}"
        return verdict_messages.death(case, name, _cause(worker), self._samples())


def _cause(worker: Any) -> str:
    """Why a worker on this machine has ended: `killed by SIGKILL`; empty where that is not known."""
    process = getattr(getattr(worker.gateway, "_io", None), "popen", None)  # execnet has no public name for it
    if not isinstance(process, subprocess.Popen):
        return ""
    try:
        code = process.wait(_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        return ""
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a signal without a name
        name = f"signal {-code}"
    hint = ", which is also what Linux does where memory runs out" if -code == signal.SIGKILL else ""
    return f"killed by {name}{hint}"
