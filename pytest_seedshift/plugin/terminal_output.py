"""What goes to pytest's terminal, and what pytest says of ours: all of it goes through here, made harmless.

What stands between pytest's own lines is given to pytest's reporter by `report` and its like; the messages of errors
and failures, which pytest prints as they are, are cleaned before pytest has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import text

if TYPE_CHECKING:
    import pytest

_CLEAR = "\r\x1b[K"


def report(reporter: pytest.TerminalReporter, *messages: object, **markup: bool) -> None:
    """Write messages, each of which begins a line."""
    for each in messages:
        reporter.write_line(text.terminal(each), **markup)


def report_part(reporter: pytest.TerminalReporter, part: object, **markup: bool) -> None:
    """Write a part of a line."""
    reporter.write(text.terminal_line(part), **markup)


def end_line(reporter: pytest.TerminalReporter) -> None:
    """End a line of parts."""
    reporter.write("\n")


def section(reporter: pytest.TerminalReporter, title: object) -> None:
    """Begin a section."""
    reporter.section(text.terminal_line(title), "=")


def show_live(reporter: pytest.TerminalReporter, message: object, width: int) -> None:
    """Write a line over the one that was shown before."""
    reporter.write(f"{_CLEAR}{text.terminal_line(message)[:width]}", flush=True)


def clear_live(reporter: pytest.TerminalReporter) -> None:
    """Take that line away."""
    reporter.write(_CLEAR)


def report_commands(reporter: pytest.TerminalReporter, commands: Iterable[str]) -> None:
    """Write workflow commands of GitHub Actions, which `github` has made, each on a line of its own."""
    for each in commands:
        reporter.write_line(each)


# What pytest says of ours ----------------------------------------------------------------------------------------


def clean_error(error: pytest.UsageError) -> None:
    """Make the message of an error harmless, if it comes from this package: pytest prints it as it is."""
    trace = error.__traceback__
    trace = None if trace is None else trace.tb_next  # the first frame is that of who has caught it
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]:
            error.args = tuple(map(text.terminal, error.args))
            return
        trace = trace.tb_next


def clean_report(report: pytest.TestReport, *, message: bool = False) -> None:
    """Make harmless what a report says of a failure; all of it is shown as it is, in several places.

    Where it is a `message` and no traceback, its lines behind the first are indented, so that no name begins one.
    """
    told: Any = report.longrepr
    clean = text.indented if message else text.lines
    if isinstance(told, str):
        report.longrepr = clean(told)
    elif isinstance(told, tuple):
        report.longrepr = (told[0], told[1], clean(told[2]))
    elif told is not None:
        for trace, crash, *_ in getattr(told, "chain", [(getattr(told, "reprtraceback", None), None)]):
            for entry in getattr(trace, "reprentries", ()):
                entry.lines = clean("\n".join(entry.lines)).split("\n")
            for each in (crash, getattr(told, "reprcrash", None)):
                if each is not None:
                    each.message = clean(each.message)
