"""The terminal: the plan, a line for each case with the time left, the summary."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_seedshift.core import messages, text
from pytest_seedshift.plugin import session_failures, terminal_output
from pytest_seedshift.plugin.eta import Outlook
from pytest_seedshift.plugin.live import LiveLine
from pytest_seedshift.plugin.search_lines import SearchLines
from pytest_seedshift.reporting import blank, seedlines, tally
from pytest_seedshift.reporting.table import table
from pytest_seedshift.results import grids, run_settings
from pytest_seedshift.results.statuses import KNOWN, SKIPPED
from pytest_seedshift.runner import records as recorded
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.plugin.plan import Plan
    from pytest_seedshift.plugin.session import State
    from pytest_seedshift.results.schema import Head, Record, Search
    from pytest_seedshift.runner.case_result import Progress

_MARKS = {"pass": "pass", "fail": "FAIL", "error": "ERROR", SKIPPED: "skipped", KNOWN: "known failure"}
_COLOURS = {"pass": "green", "fail": "red", "error": "red", SKIPPED: "yellow", KNOWN: "yellow"}

_R = TypeVar("_R", "Record", "Search")

_OUTCOMES = ("passed", "failed", "skipped")
"""Those of pytest. Other plugins have others, such as that of an attempt after which a test is run again: theirs."""


class TerminalReport:
    """Hooks that tell the user what happens; registered where there are cases, not in workers."""

    def __init__(self, state: State) -> None:
        self.records: list[Record] = []
        self.searches = SearchLines()
        """The records of searches for breaking points."""
        self.gaps: Sequence[str] = ()
        """The table of the models' robustness, once it is known."""
        self.manifest: dict[str, Any] = {}
        """What they are a part of, as soon as that is known."""
        self._state = state
        self._outlook = Outlook()
        self._line = LiveLine(state.config)
        self.has_verdicts = False
        """Whether verdicts.json was written."""
        self.page = ""
        """Where the robustness report lies, once it does."""
        self._tried = False
        self.chance: Sequence[str] = ()
        """How many failures chance explains."""
        self.closing: list[str] = []
        """What else is told at the end, below the table."""
        self.summary = ""
        """Where the summary lies, likewise, if it is asked for."""

    # What the plugin calls ---------------------------------------------------------------------------------------

    def show(self, plan: Plan) -> None:
        """Take note of the plan and say what is about to happen."""
        self._outlook = Outlook(plan, workers=self._state.workers)
        asked = self._state.settings.plan
        self.write(plan.lines() + (plan.case_lines() if asked else []), always=asked)

    def write(self, lines: Sequence[str], *, always: bool = False) -> None:
        """Write lines, unless the user asked for quiet and they are not to be written `always`."""
        reporter = self._reporter
        if reporter is not None and (always or reporter.verbosity >= 0):
            reporter.ensure_newline()
            terminal_output.report(reporter, *lines)

    def tick(self, progress: Progress) -> None:
        """Show how far the case in work has come."""
        self._line.show(
            lambda: verdict_messages.progress(progress, *self._outlook.now([recorded.of_progress(progress)]))
        )

    def tick_text(self, text: str) -> None:
        """Show what else is in work."""
        self._line.show(lambda: text)

    def tick_all(self, in_work: Sequence[dict[str, Any]]) -> None:
        """Show how far the workers of pytest-xdist have come, all in one line."""
        self._line.show(
            lambda: verdict_messages.progress_of_all(
                in_work, len(self.records), self._outlook.cases, *self._outlook.now(in_work)
            )
        )

    # pytest's hooks ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        """A case gets a line of its own instead of a dot; with -v its figures stand behind pytest's word."""
        if report.outcome not in _OUTCOMES:
            return None
        if (shown := session_failures.status(report)) is not None:
            return shown
        search = getattr(report, "seedshift_breaking", None)
        if search is not None and "outcome" not in search and search["verdict"] != SKIPPED:
            return self.searches.status(report, config.get_verbosity())
        record = getattr(report, "seedshift", None)
        if record is None or hasattr(report, "wasxfail") or report.outcome == "skipped":
            has_line = (record or search) is not None and config.get_verbosity() == 0
            return _plain_status(report) if has_line else None
        category = "error" if report.failed and report.when != "call" else report.outcome
        word = {"passed": "PASSED", "failed": "FAILED", "error": "ERROR"}[category]
        letter = {"passed": ".", "failed": "F", "error": "E"}[category]
        if config.get_verbosity() == 0:
            letter = ""
        elif config.get_verbosity() > 0:
            figures = verdict_messages.figures(recorded.case_of_values(record))
            word = text.terminal_line(f"{word} {figures}".rstrip())
        return category, letter, (word, {"green": category == "passed", "red": category != "passed"})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Let pytest write no file's name where there is no file."""
        reporter = self._reporter
        if reporter is not None:
            self._line.begin(reporter, nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Keep the case's record and give it its line; whatever pytest prints meanwhile has the terminal to itself."""
        with self._line.cleared():
            ends = report.outcome in _OUTCOMES
            values = getattr(report, "seedshift", None)
            record = None if values is None else _keep(recorded.case_of_values(values), self.records)
            if record is not None and ends:
                self._outlook.finish(record)
                reporter = self._reporter
                if reporter is not None and reporter.verbosity == 0:
                    self._write_case(reporter, report, record)
            if report.when == "teardown" and report.failed:
                _spoil(self.records, report.nodeid)
                _spoil(self.searches.records, report.nodeid)
            values = getattr(report, "seedshift_breaking", None)
            search = None if values is None else _keep(recorded.search_of_values(values), self.searches.records)
            if search is not None and ends:
                self._outlook.finish(search)
                reporter = self._reporter
                if reporter is not None and reporter.verbosity == 0:
                    begun = self._begin_line(reporter, report)
                    self._end_line(reporter, begun + self.searches.write(reporter, search))
            yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write verdicts.json, whatever ended the session: what was measured is never lost."""
        if self.write_verdicts() is not None:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def write_verdicts(self) -> str | None:
        """Write verdicts.json, once.

        Returns:
            Why it cannot be written; None where it is, or where there is nothing to write.
        """
        if self._tried or not (self.records or self.searches.records):
            return None
        self._tried = True
        try:
            places = {entry["test"]: place for place, entry in enumerate(self.manifest.get("grid", ()))}

            def place(record: Record | Search) -> int:
                return places.get(record.test, len(places))

            head = self._head()
            self._state.folder.write_verdicts(
                sorted(self.records, key=place), head, sorted(self.searches.records, key=place)
            )
            self.has_verdicts = True
        except Exception as error:  # whatever it is, the rest of the end must not be lost over it
            why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            file = messages.relative(str(self._state.folder.verdicts_file))
            safe = "samples are safe" if self._state.samples else verdict_messages.kept("")
            said = f"{file} cannot be written: {why}; {safe}"
            self.write([f"seedshift: {said}"], always=True)
            return said
        if not self._state.samples:
            self.write([f"seedshift: warning: {verdict_messages.kept('')}. The verdicts stand"], always=True)
        return None

    def _head(self) -> Head | None:
        """What the records are a part of; None where the session has ended before that was known."""
        from pytest_seedshift.results import schema

        if not self.manifest:
            return None
        head = run_settings.refreshed(schema.Head.model_validate(self.manifest), self._state.folder)
        self.manifest = head.built_in()
        return head

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table of shifts × magnitudes, breaking points, robustness."""
        interrupted = self._outlook.to_come and not self._state.settings.plan  # before anything was judged
        if not self.records and not self.searches.records and not interrupted:
            return
        terminal_output.section(terminalreporter, "seedshift")
        for model in recorded.models(self.records):
            of_model = [record for record in tally.distinct_records(self.records) if record.model == model]
            terminal_output.report(terminalreporter, *table(recorded.ordinary(of_model)))
        terminal_output.report(
            terminalreporter, *self.searches.table(), *self.gaps, *self.closing, *self._closing_lines()
        )

    # -------------------------------------------------------------------------------------------------------------

    @property
    def _reporter(self) -> pytest.TerminalReporter | None:
        plugin: pytest.TerminalReporter | None = self._state.config.pluginmanager.getplugin("terminalreporter")
        return plugin

    def _write_case(self, reporter: pytest.TerminalReporter, report: pytest.TestReport, record: Record) -> None:
        case = record.case
        begun = self._begin_line(reporter, report)
        status = record.status
        figures, mark = f"{case.model} {case.describe():<18} {verdict_messages.figures(record)}  ", _MARKS[status]
        terminal_output.report_part(reporter, figures)
        terminal_output.report_part(reporter, mark, **{_COLOURS[status]: True})
        images = f"  {messages.count(record.images, 'image')}" if record.images else ""
        self._end_line(reporter, begun + len(figures) + len(mark), images)

    def _begin_line(self, reporter: pytest.TerminalReporter, report: pytest.TestReport) -> int:
        # pytest writes a file's name once and then its dots behind it. Ours are lines below it.
        self._line.end_name(reporter, report.nodeid.partition("::")[0])
        total, ended = self._outlook.cases, len(self.records) + len(self.searches.records)
        begun = f"  {ended:>{len(str(total))}}/{total} " if total else f"  {ended} "
        terminal_output.report_part(reporter, begun)
        return len(begun)

    def _end_line(self, reporter: pytest.TerminalReporter, written: int, *parts: str) -> None:
        """End a line with what else it can say: in a terminal what fits behind the columns `written`, in a log all."""
        left = self._outlook.now([])[1]
        further = [*parts, f"  about {messages.duration(left)} left" if left else ""]
        room = shutil.get_terminal_size().columns - written if reporter.isatty else sum(map(len, further))
        while sum(map(len, further)) > room and further:
            further.pop()
        for part in further:
            terminal_output.report_part(reporter, part)
        terminal_output.end_line(reporter)

    def _closing_lines(self) -> list[str]:
        images, design = tally.looked_at(self.records)
        generated, seconds = (
            sum(getattr(record, name) for record in self.records) for name in ("generated", "seconds")
        )
        pace = f" in {messages.duration(seconds)}, {1000 * seconds / generated:.0f} ms an image" if generated else ""
        looked = f" · {images} of {design} images looked at, {generated} generated{pace}" if self.records else ""
        grid = self.manifest.get("grid")
        missing = len(grids.without_verdict(grid, {record.id for record in self.records}))
        of = " of all shards" if self._state.settings.shard is not None else ""
        counted = f"{tally.counted(self.records, of if missing else '', missing=missing)}{looked}"
        lines = [counted] if self.records or missing else []
        unsearched = grids.searches_without_verdict(grid, {record.test for record in self.searches.records})
        lines += self.searches.closing(unsearched, of)
        if self._outlook.to_come:
            kept = "; what was made is kept" if self._state.samples else ""
            lines.append(f"{messages.count(self._outlook.to_come, 'case')} did not run{kept}")
        lines += self._seed_lines()
        loads = self._state.loads
        if loads:
            by_workers = f" by {messages.count(len(set(loads)), 'worker')}" if self._state.distributes else ""
            lines.append(f"{messages.count(len(loads), 'model load')}{by_workers}")
        if self.page:
            lines.append(f"report:   {self.page}")
        if self.summary:
            lines.append(f"summary:  {self.summary}")
        if self.has_verdicts and self._state.folder.has_verdicts():
            lines.append(f"verdicts: {messages.relative(str(self._state.folder.verdicts_file))}")
        if self._state.samples:
            lines.append(f"samples:  {self._state.samples}")
        return lines

    def _seed_lines(self) -> list[str]:
        """Whether each model looks at its seed vector, what the null controls say, and what pictures show."""
        from pytest_seedshift.results import sensitivity_files

        known = self.manifest.get("models", {})
        versions = {
            model: [print_] if (print_ := known.get(model, {}).get("fingerprint")) else []
            for model in recorded.models([*self.records, *self.searches.records])
        }
        notes: list[str] = []
        uses = sensitivity_files.read(self._state.folder, versions, notes)
        notes += blank.of_records(self.records)
        return [*seedlines.lines(uses, self.records), *(f"warning: {note}" for note in notes)]


def _plain_status(report: pytest.TestReport) -> tuple[str, str, str]:
    """What pytest says of a test that is skipped, or expected to fail, without the letter: the case has its line."""
    category: str = report.outcome
    if hasattr(report, "wasxfail"):
        category = "xfailed" if report.skipped else "xpassed"
    return category, "", category.upper()


def _keep(record: _R, records: list[_R]) -> _R:
    """Add a record, in place of that of an earlier attempt at the same test, whose costs it takes over."""
    for earlier in [each for each in records if each.test == record.test]:
        costs = {"generated": record.generated + earlier.generated, "seconds": record.seconds + earlier.seconds}
        record = record.model_copy(update=costs)
        records.remove(earlier)
    records.append(record)
    return record


def _spoil(records: list[_R], test: str) -> None:
    """Let a test's records be errors, as its teardown has failed."""
    records[:] = [tally.spoiled(each) if each.test == test else each for each in records]
