"""What goes to a terminal or a log: all of it goes through here, and so no name can be more than a name there.

Commands `say`; what stands between pytest's own lines is given to pytest's reporter by `report` and its like; what
pytest says of ours itself, the messages of errors and failures, is made harmless before pytest has it.

An output that cannot be written to, as its reader has gone or its disk is full, is no reason to lose work: what is said
from then on goes nowhere, and the command's status tells of it; see `begin` and `end`.
"""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from pytest_seedshift.core import text

if TYPE_CHECKING:
    import pytest

PIPE_CLOSED = 141
"""The status of a command whose reader has gone before all was said: a shell's for SIGPIPE."""

FAILED = 4
"""The status of a command whose output could not be written: the same as where any other file cannot be."""

_CLEAR = "\r\x1b[K"


class _State:
    """Why nothing could be written any more, if so."""

    failure: OSError | None = None
    closed = False
    """Whether the process was started without a standard output."""


# Commands --------------------------------------------------------------------------------------------------------


def say(*messages: object, err: bool = False) -> None:
    """Write messages, each of which begins a line, to the standard output, or with `err` to the standard error."""
    _write("".join(f"{text.terminal(each)}\n" for each in messages), err)


def say_document(content: str, *, err: bool = False) -> None:
    """Write what has no name in it, or has its own form, such as the content of a file, as it is."""
    _write(content, err)


def say_json(document: object, *, err: bool = False) -> None:
    """Write a document as JSON that a terminal, a log and a pipe of any encoding can have: in ASCII, with no `#`.

    A number that JSON has not is `null`.
    """
    import json

    made = json.dumps(_finite(document), indent=1, allow_nan=False).replace("#", r"\u0023")  # `##[` commands a CI
    _write(f"{made}\n", err)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say_file(content: str) -> None:
    """Write the content of a file to the standard output, in UTF-8, as the file would have it."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        _write(content, err=False)
        return
    _write("", err=False)
    if _State.closed:
        _State.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        buffer.write(content.encode("utf-8", "backslashreplace"))
        buffer.flush()
    except OSError as error:
        fail(error)


def say_commands(commands: Iterable[str], *, err: bool = False) -> None:
    """Write workflow commands of GitHub Actions, which `report.github` has made."""
    _write("".join(f"{each}\n" for each in commands), err)


def begin() -> None:
    """Be ready for a command: know nothing of an earlier one's output, let no file be taken for a closed output."""
    _State.failure, _State.closed = None, sys.stdout is None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # else the next file that is opened would have this number, and be written to
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def end(status: int) -> int:
    """The status of a command that has come to an end with `status`, as far as its output could be written.

    A status that is not 0 says more than that the output is incomplete.
    """
    _write("", err=False)
    failure = _State.failure
    if failure is None:
        return status
    if isinstance(failure, BrokenPipeError):
        return status or PIPE_CLOSED
    say(f"error: the output cannot be written: {failure.strerror or failure}", err=True)
    return status or FAILED


def fail(error: OSError) -> None:
    """Take note that the standard output could not be written to, and let what is said from now on go nowhere."""
    _State.failure = _State.failure or error
    _silence(sys.stdout)


def _write(content: str, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    if _State.closed and content and not err:
        _State.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        encoding = stream.encoding or "utf-8"
        stream.write(content.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError as error:
        if err:
            _silence(stream)
        else:
            fail(error)


def _silence(stream: TextIO) -> None:
    """Let what is written, and what the stream still has in its buffer, go nowhere; else Python would try it again."""
    with suppress(OSError, ValueError):  # such as a stream without a file
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


# pytest's terminal -----------------------------------------------------------------------------------------------


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
    """Write workflow commands of GitHub Actions, which `report.github` has made, each on a line of its own."""
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
