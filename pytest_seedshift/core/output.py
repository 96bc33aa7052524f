"""What goes to a terminal or a log: all of it goes through here, and so no name can be more than a name there.

Commands `say`; what stands between pytest's own lines goes through `plugin.terminal_output`.

An output that cannot be written to, as its reader has gone or its disk is full, is no reason to lose work: what is said
from then on goes nowhere, and the command's status says so; see `begin` and `end`.
"""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TextIO

from pytest_seedshift.core import text

PIPE_CLOSED = 141
"""The status of a command whose reader has gone before all was said: a shell's for SIGPIPE."""

FAILED = 4
"""The status of a command whose output could not be written: the same as where any other file cannot be."""


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


def show_live(message: object, width: int, *, err: bool = False) -> None:
    """Write a line over the one that was shown before, on a terminal; an empty one takes that away."""
    _write(f"\r\x1b[K{text.terminal_line(message)[:width]}", err)


def say_commands(commands: Iterable[str], *, err: bool = False) -> None:
    """Write workflow commands of GitHub Actions, which `plugin.github` has made."""
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
