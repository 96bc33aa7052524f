"""What the terminal says of records of searches for breaking points: a line a search, the table, the count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, text
from pytest_seedshift.plugin import terminal_output
from pytest_seedshift.reporting import tally
from pytest_seedshift.results.statuses import KNOWN, SKIPPED, UNFINISHED
from pytest_seedshift.runner import records as recorded

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.results.schema import Search

_WORDS = {
    "pass": "pass",
    "fail": "FAIL",
    "error": "ERROR",
    "measured": "measured",
    SKIPPED: "skipped",
    KNOWN: "known failure",
}
_COLOURS = {"pass": "green", "fail": "red", "error": "red"}


def status(report: pytest.TestReport, verbosity: int) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
    """A search gets a line of its own instead of a letter; with -v what it found stands behind pytest's word."""
    category = "error" if report.failed and report.when != "call" else report.outcome
    word = {"passed": "PASSED", "failed": "FAILED", "error": "ERROR", "skipped": "MEASURED"}[category]
    letter = {"passed": ".", "failed": "F", "error": "E", "skipped": "s"}[category] if verbosity < 0 else ""
    if verbosity > 0:
        word = text.terminal_line(f"{word} {_line(recorded.search_of_values(vars(report)['seedshift_breaking']))}")
    colour = {"passed": "green", "skipped": "yellow"}.get(category, "red")
    return category, letter, (word, {colour: True})


def write(reporter: pytest.TerminalReporter, record: Search) -> int:
    """The line of a search that has ended, but for its end; how many columns it takes."""
    status = record.status
    found, mark = f"{record.model} {record.subject}  {_line(record)}  ", _WORDS[status]
    images = f"  {messages.count(record.images, 'image')}" if record.images else ""
    terminal_output.report_part(reporter, found)
    terminal_output.report_part(reporter, mark, **{_COLOURS.get(status, "yellow"): True})
    terminal_output.report_part(reporter, images)
    return len(found) + len(mark) + len(images)


def table(records: Sequence[Search]) -> list[str]:
    """All breaking points."""
    if not records:
        return []
    from pytest_seedshift.studies.breaking_point import messages as breaking_messages

    return breaking_messages.table(tally.distinct(records, lambda record: record.id))


def closing(records: Sequence[Search], missing: int = 0, of: str = "") -> list[str]:
    """How many there are, of which so many as are `missing` have no record, and what they took.

    `of` stands behind their number where some are missing.
    """
    if not records and not missing:
        return []
    verdicts = [record.status for record in records]
    counts = {
        "pass": "pass",
        "fail": "fail",
        KNOWN: "known to fail",
        "measured": "measured only",
        SKIPPED: "skipped",
        "error": "cannot be judged",
    }
    parts = [f"{verdicts.count(each)} {word}" for each, word in counts.items() if each in verdicts]
    parts += [f"{missing} {tally.title(UNFINISHED)}"] if missing else []
    number = messages.count(len(records) + missing, "breaking point")
    number = f"{len(records)} of {number}{of} searched" if missing else number
    images, scan, generated = (
        sum(getattr(record, key) for record in records) for key in ("images", "scan", "generated")
    )
    return [f"{number}: {', '.join(parts)} · {images} images looked at, {generated} generated; scans would take {scan}"]


def _line(record: Search) -> str:
    from pytest_seedshift.studies.breaking_point import messages as breaking_messages

    return breaking_messages.line(record)
