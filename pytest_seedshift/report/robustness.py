"""At a session's end: run.json, and the robustness report. Neither can change what the session came to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_seedshift import facts
from pytest_seedshift.commands.report import command
from pytest_seedshift.report import words

if TYPE_CHECKING:
    import pytest

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

    def pytest_sessionfinish(self) -> None:
        """Write run.json and the report, after verdicts.json and before pytest-html's page."""
        if not self._terminal.records and not self._terminal.searches.records:
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

    def _write(self) -> None:
        from pytest_seedshift.report import gaps, page
        from pytest_seedshift.run import load

        run = load(self._state.folder.path)
        self._terminal.gaps = gaps.lines(run)
        page.write(self._state.folder.path, self._state.report, run)
        self._terminal.page = words.relative(str(self._state.report))
