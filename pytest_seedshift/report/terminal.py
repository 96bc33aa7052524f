"""The terminal: the plan, a line for each case with the time left, the summary table."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.cases import Case, format_magnitude
from pytest_seedshift.report import records as recorded
from pytest_seedshift.report import words
from pytest_seedshift.shifts import NONE
from pytest_seedshift.verdict import SCORES

if TYPE_CHECKING:
    from pytest_seedshift.report.records import Record
    from pytest_seedshift.session import State

_MARKS = {"pass": "pass", "fail": "FAIL", "error": "ERROR"}
_COLOURS = {"pass": "green", "fail": "red", "error": "red"}


class TerminalReport:
    """Hooks that tell the user what happens; registered where there are cases, not in workers."""

    def __init__(self, state: State) -> None:
        self.records: list[Record] = []
        self._state = state
        self._planned: dict[str, int] = {}
        """Images of each case to come, by node id."""
        self._total = 0
        self._done_images = 0
        self._seconds = 0.0
        self._case_start = 0.0
        self._ticking = False
        self._file = ""

    # What the plugin calls ---------------------------------------------------------------------------------------

    def plan(self, planned: Sequence[tuple[str, Case, int]]) -> list[str]:
        """Take note of the items to run (node id, case, images) and say what is about to happen."""
        self._planned = {nodeid: images for nodeid, _, images in planned}
        self._total = len(planned)
        bench, total = self._state.workbench, sum(self._planned.values())
        models = list(dict.fromkeys(case.model for _, case, _ in planned))
        sizes = sorted(set(self._planned.values()))
        each = f"{sizes[0]} images each" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} images each"
        return [
            f"seedshift: {_count(len(planned), 'case')} of {', '.join(models)} on {bench.device} ({bench.dtype}), "
            f"{each}, {total} in all",
            f"seedshift: thresholds from {_relative(self._state.thresholds.source)}, "
            f"samples and pictures to {_relative(str(self._state.folder.path))}",
        ]

    def write(self, lines: Sequence[str]) -> None:
        """Write lines, unless the user asked for quiet. The plan that was asked for is never quiet."""
        reporter = self._reporter
        if reporter is not None and (reporter.verbosity >= 0 or self._state.settings.plan):
            reporter.ensure_newline()
            for line in lines:
                reporter.write_line(line)

    def tick(self, case: Case, done: int, of: int) -> None:
        """Show on a terminal how far the case in work has come. Plain output gets a line a case, not this."""
        reporter = self._reporter
        if reporter is None or not reporter.isatty or reporter.verbosity != 0:
            return
        if done == 0:
            self._case_start = time.perf_counter()
        left = self._time_left(done, time.perf_counter() - self._case_start)
        text = f"  {case.model} {case.describe()}: {done} of {of} images{f', about {left} left' if left else ''}"
        with self._uncaptured():
            reporter.write(f"\r\x1b[K{text}", flush=True)
        self._ticking = True

    # pytest's hooks ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport, config: pytest.Config
    ) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
        """A case gets a line of its own instead of a dot; with -v its figures stand behind pytest's word."""
        record = getattr(report, "seedshift", None)
        if record is None or hasattr(report, "wasxfail") or report.outcome == "skipped":
            return None
        category = "error" if report.failed and report.when != "call" else report.outcome
        word = {"passed": "PASSED", "failed": "FAILED", "error": "ERROR"}[category]
        letter = {"passed": ".", "failed": "F", "error": "E"}[category]
        if config.get_verbosity() == 0:
            letter = ""
        elif config.get_verbosity() > 0:
            word = f"{word} {_figures(record)}".rstrip()
        return category, letter, (word, {"green": category == "passed", "red": category != "passed"})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the case's record, and give it its line."""
        record = getattr(report, "seedshift", None)
        if record is None:
            return
        self.records.append(record)
        self._planned.pop(report.nodeid, 0)
        self._done_images += record["images"]
        self._seconds += record["seconds"]
        reporter = self._reporter
        if reporter is not None and reporter.verbosity == 0:
            self._write_case(reporter, report, record)

    def pytest_sessionfinish(self) -> None:
        """Write verdicts.json, whatever ended the session: what was measured is never lost."""
        if self.records:
            self._state.folder.write_verdicts(self.records)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table of shifts × magnitudes."""
        if not self.records:
            return
        terminalreporter.section("seedshift", "=")
        for model in recorded.models(self.records):
            for line in table([record for record in self.records if record["model"] == model]):
                terminalreporter.write_line(line)
        for line in self._closing_lines():
            terminalreporter.write_line(line)

    # -------------------------------------------------------------------------------------------------------------

    @property
    def _reporter(self) -> pytest.TerminalReporter | None:
        plugin: pytest.TerminalReporter | None = self._state.config.pluginmanager.getplugin("terminalreporter")
        return plugin

    @contextmanager
    def _uncaptured(self) -> Iterator[None]:
        """Let through to the terminal what is written while a test runs."""
        capture = self._state.config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            yield
        else:
            with capture.global_and_fixture_disabled():
                yield

    def _write_case(self, reporter: pytest.TerminalReporter, report: pytest.TestReport, record: Record) -> None:
        if self._ticking:
            reporter.write("\r\x1b[K")
            self._ticking = False
        # pytest writes a file's name once and then its dots behind it. Ours are lines below it.
        file = report.nodeid.partition("::")[0]
        if file != self._file:
            self._file = file
            reporter.write("\n")
        case = recorded.case_of(record)
        # pytest-xdist's controller has no plan: its workers have the items.
        place = f"{len(self.records):>{len(str(self._total))}}/{self._total}" if self._total else f"{len(self.records)}"
        left = self._time_left()
        reporter.write(f"  {place} {case.model} {case.describe():<18} {_figures(record)}  ")
        reporter.write(_MARKS[record["verdict"]], **{_COLOURS[record["verdict"]]: True})
        reporter.write(f"  about {left} left\n" if left else "\n")

    def _time_left(self, images: int = 0, seconds: float = 0.0) -> str | None:
        """How long what is to come will take at the pace so far; of the case in work so much is done."""
        done = self._done_images + images
        to_come = sum(self._planned.values()) - images
        return words.duration((self._seconds + seconds) / done * to_come) if done and to_come > 0 else None

    def _closing_lines(self) -> list[str]:
        by_verdict = {verdict: sum(record["verdict"] == verdict for record in self.records) for verdict in _MARKS}
        images = sum(record["images"] for record in self.records)
        seconds = sum(record["seconds"] for record in self.records)
        pace = f", {1000 * seconds / images:.0f} ms an image" if images else ""
        lines = [
            f"{_count(len(self.records), 'case')}: {by_verdict['pass']} pass, {by_verdict['fail']} fail"
            + (f", {by_verdict['error']} cannot be judged" if by_verdict["error"] else "")
            + f" · {images} images in {words.duration(seconds)}{pace}"
        ]
        if self._planned:
            lines.append(f"{_count(len(self._planned), 'case')} did not run; what was made is kept")
        lines.append(f"verdicts: {_relative(str(self._state.folder.verdicts_file))}")
        lines.append(f"samples:  {_relative(str(self._state.folder.samples_file))}")
        return lines


def table(records: Sequence[Record]) -> list[str]:
    """A model's scores, shifts down and magnitudes across; ✗ marks a broken constraint, ! a case without a verdict."""
    magnitudes = sorted({record["magnitude"] for record in records if record["shift"] != NONE})
    shift_names = recorded.shifts(records)
    control = recorded.control(records)
    cells = {(record["shift"], record["magnitude"]): record for record in records}
    asked = {constraint["score"] for record in records for constraint in record["constraints"]}
    width = max([len(name) for name in shift_names] + [len("control")])
    lines = [f"{records[0]['model']}   (✗ breaks a threshold{', ! no verdict' if _any_error(records) else ''})"]
    for score in (score for score in SCORES if score in asked or not asked):
        head = "".join(f"{format_magnitude(magnitude):>8}" for magnitude in magnitudes)
        lines.append(f"  {SCORES[score].title:<{width}}  {head}")
        if control is not None:
            lines.append(f"  {'control':<{width}}  {_cell(control, score):>8}")
        lines += [
            f"  {name:<{width}}  " + "".join(f"{_cell(cells.get((name, at)), score):>8}" for at in magnitudes)
            for name in shift_names
        ]
    return lines


def _any_error(records: Sequence[Record]) -> bool:
    return any(record["verdict"] == "error" for record in records)


def _cell(record: Record | None, score: str) -> str:
    if record is None:
        return "· "
    if record["verdict"] == "error":
        return "! "
    return f"{SCORES[score].format(record['scores'][score]['mean'])}{'✗' if recorded.breaks(record, score) else ' '}"


def _figures(record: Record) -> str:
    return "  ".join(
        f"{SCORES[score].title} {SCORES[score].format(estimate['mean'])}"
        for score, estimate in record["scores"].items()
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _relative(path: str) -> str:
    """A path below the working directory without the part that the reader knows."""
    return os.path.relpath(path) if Path(path).is_absolute() and Path(path).is_relative_to(Path.cwd()) else path
