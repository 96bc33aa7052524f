"""At a session's end: run.json, the comparison with a baseline, and the robustness report.

Of these only the comparison can change what the session came to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift import baseline, facts
from pytest_seedshift.commands.report import command
from pytest_seedshift.report import words

if TYPE_CHECKING:
    from pytest_seedshift.report.terminal import TerminalReport
    from pytest_seedshift.session import State


class RobustnessReport:
    """Registered where the terminal's report is: in the one process that has all records."""

    def __init__(self, state: State, terminal: TerminalReport) -> None:
        """`terminal` has the records, and tells where the report lies."""
        self._state = state
        self._terminal = terminal
        self._models: dict[str, facts.Model] = {}
        self._started = time.time()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a worker says of how its model is run."""
        told = getattr(report, "seedshift_model", None)
        if told is not None:
            self._models[told["name"]] = facts.model(told)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write run.json and the report, after verdicts.json and before pytest-html's page."""
        if not self._terminal.records:
            return
        state = self._state
        found = facts.gather(
            state.config.invocation_params.args,
            self._started,
            self._models.values(),
            workers=state.workers,
            thresholds=words.relative(state.thresholds.source),
        )
        try:
            facts.write(state.folder, found)
            self._compare(session)
            self._write()
        # Whatever is wrong with a page, the verdicts stand: they are written, and so is the exit status.
        except Exception as error:
            folder = words.relative(str(state.folder.path))
            out = state.settings.report
            again = command(folder, None if out is None else words.relative(str(out)))
            self._terminal.write(
                [
                    f"seedshift: warning: the report could not be made ({type(error).__name__}: {error}). The verdicts "
                    f"stand; to make it again: {again}"
                ],
                always=True,
            )

    def _compare(self, session: pytest.Session) -> None:
        """Hold the whole run against its baseline, and save it as one, as far as that was asked for.

        What cannot be done is told, and the session has not passed: what is not checked has not passed.
        """
        state, saved = self._state, self._state.settings.save_baseline
        against = state.against
        (state.folder.path / baseline.FILE_NAME).unlink(missing_ok=True)
        if against is None and saved is None:
            return
        from pytest_seedshift import baselines, comparisons
        from pytest_seedshift import run as runs
        from pytest_seedshift.report import regressions

        failed = False
        try:
            run = runs.load(state.folder.path)
            if against is not None:
                comparison = comparisons.of_folder(run, against.baseline)
                if comparison is not None:
                    comparisons.keep(comparison, state.folder)
                    self._terminal.closing += regressions.lines(comparison)
                    failed |= comparison.regressed
            if saved is not None:
                made = baselines.of_run(run)
                made.write(saved)
                self._terminal.closing += regressions.saved(made, words.relative(str(saved)), saved.stat().st_size)
        except (baseline.BaselineError, runs.RunError, OSError) as error:
            what = "compare with the baseline" if against is not None else "save the baseline"
            self._terminal.closing.append(f"ERROR: could not {what}: {error}")
            failed = True
        if failed:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _write(self) -> None:
        from pytest_seedshift.report import page

        page.write(self._state.folder.path, self._state.report)
        self._terminal.page = words.relative(str(self._state.report))
