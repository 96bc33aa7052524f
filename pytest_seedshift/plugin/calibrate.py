"""At a session's end: bounds by what was measured, shown as a diff and written into the thresholds file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import messages, thresholds_parser
from pytest_seedshift.core.scores import AvailableScores
from pytest_seedshift.plugin import border, terminal_output
from pytest_seedshift.results import calibration, history, history_bounds, thresholds_file
from pytest_seedshift.results.calibration import CalibrationError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.plugin.results_collector import ResultsCollector
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.results.proposal import Proposal

_FLAG = "--seedshift-write-thresholds"
_ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)


class Calibrate:
    """Registered where thresholds are to be written: in the one process that has all records."""

    def __init__(self, session: Session, collector: ResultsCollector) -> None:
        """Check what can be checked before anything is generated; `collector` gathers the records.

        Raises:
            pytest.UsageError: the file must not, or cannot, be written.
        """
        settings = session.settings
        assert settings.write_thresholds is not None
        self._path: Path = settings.write_thresholds
        self._session = session
        self._collector = collector
        self._pytest: pytest.Session | None = None
        if settings.plan:
            raise pytest.UsageError(f"{_FLAG}: --seedshift-plan measures nothing: leave one of them out")
        with border.usage_errors(f"{_FLAG}: "):
            thresholds_file.check_not_ci(settings.write_in_ci, "--seedshift-write-in-ci")
            thresholds_file.check_target(self._path)
            thresholds_parser.parse(self._text(), str(self._path), session.catalogue.find)
            if settings.from_history and settings.history is not None:
                _check_history(settings.history)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, whose status tells whether the file could be written."""
        self._pytest = session

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        """Show what changes, then write it."""
        terminal_output.section(terminalreporter, "seedshift: thresholds")
        try:
            if exitstatus not in _ENDED and self._collector.cases:
                kept = ", what was made is kept" if self._session.folder_use.samples else ""
                raise CalibrationError(f"the run has not come to its end: run it again{kept}")
            lines = self._propose_and_write(terminalreporter)
        except (CalibrationError, history.HistoryError) as error:
            lines = [f"{_FLAG}: nothing was written: {error}"]
            if self._pytest is not None:
                self._pytest.exitstatus = self._pytest.exitstatus or pytest.ExitCode.USAGE_ERROR
        terminal_output.report(terminalreporter, *lines)

    def _text(self) -> str:
        settings = self._session.settings
        return thresholds_file.read(
            self._path, settings.thresholds or self._session.config.rootpath / "thresholds.toml"
        )

    def _propose(self) -> Proposal:
        settings, find = self._session.settings, self._session.catalogue.find
        scores, source = AvailableScores(self._collector.kinds), str(self._path)
        if settings.from_history and settings.history is not None:
            certainty = self._session.thresholds.certainty
            found = history.load(settings.history)
            return history_bounds.propose(
                self._text(), source, found, certainty=certainty, check_model=find, scores=scores
            )
        return calibration.propose(self._text(), source, self._collector.cases, settings.write_margin, find, scores)

    def _propose_and_write(self, terminalreporter: pytest.TerminalReporter) -> list[str]:
        proposal = self._propose()
        name = messages.relative(str(self._path))
        changes = thresholds_file.difference(self._path, proposal.text)
        if not changes:
            return [*proposal.summary, f"{name} says so already"]
        for line in changes:
            terminal_output.report(terminalreporter, line, green=line.startswith("+"), red=line.startswith("-"))
        thresholds_file.write(self._path, proposal.text)
        return [*proposal.summary, f"written: {name}"]


def _check_history(folder: Path) -> None:
    """See that there can be enough runs, with the one to come, before it is made."""
    there = history.file_of(folder).exists()
    runs = len(history.load(folder).lines) if there else 0
    history_bounds.check(runs + 1, messages.relative(str(folder)))
