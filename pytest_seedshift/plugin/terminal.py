"""The terminal: the plan, a line for each case with the time left, the summary."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import messages, text
from pytest_seedshift.plugin import search_lines, session_failures, terminal_output, versus_run
from pytest_seedshift.plugin.eta import Outlook
from pytest_seedshift.plugin.live import LiveLine
from pytest_seedshift.plugin.results_collector import OUTCOMES
from pytest_seedshift.reporting import blank, remedy_hint, seedlines, tally
from pytest_seedshift.reporting.table import table
from pytest_seedshift.results import grids
from pytest_seedshift.results.statuses import KNOWN, SKIPPED
from pytest_seedshift.runner import records, verdict_messages

if TYPE_CHECKING:
    from pytest_seedshift.plugin.console import Console
    from pytest_seedshift.plugin.loads import Loads
    from pytest_seedshift.plugin.plan import Plan
    from pytest_seedshift.plugin.results_collector import ResultsCollector
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.plugin.session_report import SessionReport
    from pytest_seedshift.results.schema import Record, Search
    from pytest_seedshift.runner.case_result import Progress

_MARKS = {"pass": "pass", "fail": "FAIL", "error": "ERROR", SKIPPED: "skipped", KNOWN: "known failure"}
_COLOURS = {"pass": "green", "fail": "red", "error": "red", SKIPPED: "yellow", KNOWN: "yellow"}


class TerminalReport:
    """Hooks that tell the user what happens; registered where there are cases, not in workers."""

    def __init__(
        self, session: Session, collector: ResultsCollector, ending: SessionReport, loads: Loads, console: Console
    ) -> None:
        """`ending` knows what is told below the table, `loads` how often models were loaded."""
        self._session = session
        self._collector = collector
        self._ending = ending
        self._loads = loads
        self._console = console
        self._outlook = Outlook()
        self._line = LiveLine(session.config)
        self._progress = versus_run.Progress(session.config)
        collector.subscribe(self.judged)

    # What the plugin calls ---------------------------------------------------------------------------------------

    def show(self, plan: Plan) -> None:
        """Take note of the plan and say what is about to happen."""
        self._outlook = Outlook(plan, workers=self._session.process.workers)
        self._progress.say(self._outlook, [], always=True)
        asked = self._session.settings.plan
        self._console.write(plan.lines() + (plan.case_lines() if asked else []), always=asked)

    def tick(self, progress: Progress) -> None:
        """Show how far the case in work has come."""
        in_work = [records.of_progress(progress)]
        self._progress.say(self._outlook, in_work)
        self._line.show(lambda: verdict_messages.progress(progress, *self._outlook.now(in_work)))

    def tick_text(self, text: str) -> None:
        """Show what else is in work."""
        self._line.show(lambda: text)

    def tick_all(self, in_work: Sequence[dict[str, Any]]) -> None:
        """Show how far the workers of pytest-xdist have come, all in one line."""
        self._progress.say(self._outlook, in_work)
        self._line.show(
            lambda: verdict_messages.progress_of_all(
                in_work, len(self._collector.cases), self._outlook.cases, *self._outlook.now(in_work)
            )
        )

    def judged(self, report: pytest.TestReport, record: Record | Search) -> None:
        """Give a record that has come its line."""
        self._outlook.finish(record)
        self._progress.say(self._outlook, [], always=True)
        reporter = self._console.reporter
        if reporter is not None and reporter.verbosity == 0:
            with self._line.cleared():
                self._write(reporter, report, record)

    # pytest's hooks ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        """A case gets a line of its own instead of a dot; with -v its figures stand behind pytest's word."""
        if report.outcome not in OUTCOMES:
            return None
        if (shown := session_failures.status(report)) is not None:
            return shown
        search = getattr(report, "seedshift_breaking", None)
        if search is not None and "outcome" not in search and search["verdict"] != SKIPPED:
            return search_lines.status(report, config.get_verbosity())
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
            figures = verdict_messages.figures(records.case_of_values(record), self._collector.kinds)
            word = text.terminal_line(f"{word} {figures}".rstrip())
        return category, letter, (word, {"green": category == "passed", "red": category != "passed"})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Let pytest write no file's name where there is no file."""
        reporter = self._console.reporter
        if reporter is not None:
            self._line.begin(reporter, nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Whatever pytest prints of a report has the terminal to itself."""
        with self._line.cleared():
            yield

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table of shifts × magnitudes, breaking points, robustness."""
        interrupted = self._outlook.to_come and not self._session.settings.plan  # before anything was judged
        if not self._collector.all and not interrupted:
            return
        cases, searches, closing = self._collector.cases, self._collector.searches, self._ending.closing
        terminal_output.section(terminalreporter, "seedshift")
        for model in records.models(cases):
            of_model = [record for record in tally.distinct_records(cases) if record.model == model]
            terminal_output.report(terminalreporter, *table(records.ordinary(of_model), self._collector.kinds))
        terminal_output.report(
            terminalreporter, *search_lines.table(searches), *closing.gaps, *closing.lines, *self._closing_lines()
        )

    # -------------------------------------------------------------------------------------------------------------

    def _write(self, reporter: pytest.TerminalReporter, report: pytest.TestReport, record: Record | Search) -> None:
        from pytest_seedshift.results import schema

        if isinstance(record, schema.Search):
            begun = self._begin_line(reporter, report)
            self._end_line(reporter, begun + search_lines.write(reporter, record))
        else:
            self._write_case(reporter, report, record)

    def _write_case(self, reporter: pytest.TerminalReporter, report: pytest.TestReport, record: Record) -> None:
        case = record.case
        begun = self._begin_line(reporter, report)
        status, told = record.status, verdict_messages.figures(record, self._collector.kinds)
        figures, mark = f"{case.model} {case.describe():<18} {told}  ", _MARKS[status]
        terminal_output.report_part(reporter, figures)
        terminal_output.report_part(reporter, mark, **{_COLOURS[status]: True})
        images = f"  {messages.count(record.images, 'image')}" if record.images else ""
        self._end_line(reporter, begun + len(figures) + len(mark), images)

    def _begin_line(self, reporter: pytest.TerminalReporter, report: pytest.TestReport) -> int:
        # pytest writes a file's name once and then its dots behind it. Ours are lines below it.
        self._line.end_name(reporter, report.nodeid.partition("::")[0])
        total, ended = self._outlook.cases, len(self._collector.all)
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
        session, closing = self._session, self._ending.closing
        lines = self._counts()
        if self._outlook.to_come:
            kept = "; what was made is kept" if session.folder_use.samples else ""
            lines.append(f"{messages.count(self._outlook.to_come, 'case')} did not run{kept}")
        lines += self._seed_lines()
        if loads := self._loads.workers:
            by_workers = f" by {messages.count(len(set(loads)), 'worker')}" if session.process.distributes else ""
            lines.append(f"{messages.count(len(loads), 'model load')}{by_workers}")
        lines += [f"warning: {note}" for note in session.cluster.notes]
        if not session.settings.plan:
            lines += remedy_hint.lines(self._collector.cases, session.folder.path)
        if closing.page:
            lines.append(f"report:   {closing.page}")
        if closing.summary:
            lines.append(f"summary:  {closing.summary}")
        if self._collector.has_verdicts:
            lines.append(f"verdicts: {messages.relative(str(session.folder.verdicts_file))}")
        if session.folder_use.samples:
            lines.append(f"samples:  {session.folder_use.samples}")
        return lines

    def _counts(self) -> list[str]:
        """How many cases and searches came to which verdict, and what they took."""
        cases, searches = self._collector.cases, self._collector.searches
        images, design = tally.looked_at(cases)
        generated, seconds = (sum(getattr(record, name) for record in cases) for name in ("generated", "seconds"))
        are_several = self._session.cluster.is_asked or self._session.process.distributes
        of_all = " of all processes together" if are_several else ""
        took = f" in {messages.duration(seconds)}{of_all}" if generated else ""
        pace = f"{took}, {1000 * seconds / generated:.0f} ms an image" if generated else ""
        looked = f" · {images} of {design} images looked at, {generated} generated{pace}" if cases else ""
        grid = self._collector.manifest.get("grid")
        missing = len(grids.without_verdict(grid, {record.id for record in cases}))
        of = " of all shards" if self._session.settings.shard is not None else ""
        counted = f"{tally.counted(cases, of if missing else '', missing=missing)}{looked}"
        unsearched = grids.searches_without_verdict(grid, {record.test for record in searches})
        return [*([counted] if cases or missing else []), *search_lines.closing(searches, unsearched, of)]

    def _seed_lines(self) -> list[str]:
        """Whether each model looks at its seed vector, what the null controls say, and what pictures show."""
        from pytest_seedshift.results import sensitivity_files

        known = self._collector.manifest.get("models", {})
        versions = {
            model: [print_] if (print_ := known.get(model, {}).get("fingerprint")) else []
            for model in records.models([*self._collector.cases, *self._collector.searches])
        }
        notes: list[str] = []
        uses = sensitivity_files.read(self._session.folder, versions, notes)
        notes += blank.of_records(self._collector.cases)
        return [*seedlines.lines(uses, self._collector.cases), *(f"warning: {note}" for note in notes)]


def _plain_status(report: pytest.TestReport) -> tuple[str, str, str]:
    """What pytest says of a test that is skipped, or expected to fail, without the letter: the case has its line."""
    category: str = report.outcome
    if hasattr(report, "wasxfail"):
        category = "xfailed" if report.skipped else "xpassed"
    return category, "", category.upper()
