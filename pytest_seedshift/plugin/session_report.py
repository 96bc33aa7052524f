"""At a session's end: verdicts.json, run.json, the comparison with a baseline, the robustness report, a summary.

Only the verdicts and the comparison can change what the session came to, and what they change is a failed item: see
`session_failures`.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import messages
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.test_names import PROGRAM
from pytest_seedshift.plugin import session_failures
from pytest_seedshift.results import baseline, metadata
from pytest_seedshift.results import run as runs

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.plugin.session import State
    from pytest_seedshift.plugin.terminal import TerminalReport
    from pytest_seedshift.results.regression import Comparison


class RobustnessReport:
    """Registered where the terminal's report is: in the one process that has all records."""

    def __init__(self, state: State, terminal: TerminalReport) -> None:
        """`terminal` has the records, and tells where the report lies."""
        self._state = state
        self._terminal = terminal
        self._models: dict[str, metadata.Model] = {}
        self._started = time.time()
        self._ended = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a worker says of how its model is run."""
        told = getattr(report, "seedshift_model", None)
        if told is not None:
            self._models[told["name"]] = metadata.model(told)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """When all tests have run, see what fails the session beside them, while that still counts as a test."""
        ran = yield
        self.fail_session()
        return ran

    def fail_session(self) -> None:
        """See what fails the session beside its tests, and report it as a test."""
        for name, reason in self._failures():
            session_failures.log(self._state.config, name, reason)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report and the summary, after verdicts.json and before pytest-html's page."""
        if not self._terminal.records and not self._terminal.searches.records:
            return
        if self._failures():  # of a session that was ended before all tests had run
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        from pytest_seedshift.results import comparison as comparisons

        state = self._state
        out = state.settings.report
        folder = messages.relative(str(state.folder.path))
        again = _command(folder, None if out in (None, "none") else messages.relative(str(out)))
        run = None
        with self._told("the report", f"; to make it again: {again}"):
            run = comparisons.compared(runs.load(state.folder.path))
            self._write(run)
        with self._told("the summary"):
            self._summarise(run or runs.load(state.folder.path))

    def _failures(self) -> list[tuple[str, str]]:
        """Write verdicts.json and run.json, and hold the run against its baseline, once.

        Returns:
            What fails the session beside its tests, by a name, with the reason.
        """
        if self._ended or not (self._terminal.records or self._terminal.searches.records):
            return []
        self._ended = True
        state = self._state
        unwritten = self._terminal.write_verdicts()
        seeds = {record.design_seed for record in self._terminal.records if record.design}
        seeds |= {search.design_seed for search in self._terminal.searches.records if search.design}
        found = metadata.gather(
            state.config.invocation_params.args,
            self._started,
            self._models.values(),
            workers=state.workers,
            thresholds=messages.relative(state.thresholds.source),
            design_seeds=seeds,
        )
        with self._told("run.json"):
            metadata.write(state.folder, found)
        return [*([("verdicts", unwritten)] if unwritten is not None else []), *self._compare()]

    @contextmanager
    def _told(self, what: str, then: str = "") -> Iterator[None]:
        """Turn an error into a warning: the exit status is that of the verdicts."""
        try:
            yield
        except Exception as error:
            said = f"seedshift: warning: {what} could not be made ({type(error).__name__}: {error})"
            # Where the run folder is gone, or the disk is full, they may be gone too, and there is nothing to make of.
            stand = self._terminal.has_verdicts and self._state.folder.has_verdicts()
            self._terminal.write([f"{said}. The verdicts stand{then}" if stand else said], always=True)

    def _compare(self) -> list[tuple[str, str]]:
        """Hold the whole run against its baseline, and save it as one, as far as that was asked for.

        Returns:
            What has become worse and no failed case tells of. Where that cannot be known, the reason: what is not
            checked has not passed.
        """
        state, saved = self._state, self._state.settings.save_baseline
        against = state.gating.against
        for name in (baseline.FILE_NAME, baseline.LOSSES_FILE_NAME):
            (state.folder.path / name).unlink(missing_ok=True)
        if against is None and saved is None:
            return []
        from pytest_seedshift.reporting import regressions
        from pytest_seedshift.results import comparison as comparisons

        comparison = None
        found: list[tuple[str, str]] = []
        try:
            run = runs.load(state.folder.path)
            if against is not None:
                comparison = comparisons.of_folder(run, against.baseline)
            if comparison is not None:
                comparisons.keep(comparison, state.folder)
                self._terminal.closing += regressions.lines(comparison)
                found += self._worse(comparison, run)
            if saved is not None:
                self._save(saved, run, comparison)
        except Exception as error:  # whatever it is, the verdicts stand
            what = "compare with the baseline" if against is not None and comparison is None else "save the baseline"
            told = str(error) if isinstance(error, (SeedshiftError, OSError)) else f"{type(error).__name__}: {error}"
            said = f"could not {what}: {told}"
            self._terminal.closing.append(f"ERROR: {said}")
            return [*found, ("baseline", said)]
        return found

    def _worse(self, comparison: Comparison, run: runs.Run) -> list[tuple[str, str]]:
        from pytest_seedshift.reporting import regressions

        page = self._state.report
        where = "" if page is None else f"\n    report: {messages.relative(str(page))}#regressions"
        beyond = regressions.beyond_cases(comparison, run.failed)
        return [(f"regression[{each.name}]", f"{each.sentence}{where}") for each in beyond]

    def _save(self, target: Path, run: runs.Run, comparison: Comparison | None) -> None:
        """Save the run as a baseline, unless it is one of a worse or a narrower run in place of the better one."""
        from pytest_seedshift.reporting import regressions
        from pytest_seedshift.results import baseline_sources

        made, name = baseline_sources.of_run(run), messages.relative(str(target))
        kept = regressions.keeps(comparison) if comparison is not None and self._state.gating.replaces else None
        if kept is not None:
            raise baseline.BaselineError(
                f"{name} is left as it is: {kept}. To replace it nonetheless, save to another path and put that file "
                "in its place"
            )
        made = baseline.portable(made)
        made.write(target)
        self._terminal.closing += regressions.saved(made, name, target.stat().st_size)
        if comparison is None:
            self._terminal.closing.append("  held against no baseline: no max_regression was judged")

    def _write(self, run: runs.Run) -> None:
        from pytest_seedshift.reporting import chance, gaps, page

        self._terminal.gaps = gaps.lines(run)
        self._terminal.chance = chance.explained(run)
        self._terminal.closing += self._terminal.chance
        if self._state.report is not None:
            page.write(self._state.folder.path, self._state.report, run=run)
            self._terminal.page = messages.relative(str(self._state.report))

    def _summarise(self, run: runs.Run) -> None:
        from pytest_seedshift.reporting import publish

        target = publish.target(self._state.settings.summary)
        warnings = publish.publish(run, target, self._terminal.page)
        self._terminal.write([f"seedshift: warning: {warning}" for warning in warnings], always=True)
        if target.file is not None:
            self._terminal.summary = messages.relative(str(target.file))


def _command(folder: str, out: str | None) -> str:
    """The command line that makes a folder's report again."""
    given = [PROGRAM, "report", folder]
    return shlex.join([*given, "--output", out] if out is not None else given)
