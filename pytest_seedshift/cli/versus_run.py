"""One run of pytest of `versus`, in a process of its own: a line of how far it has come, its output in a file.

Of a run that comes to no verdicts it is told how it ended, with the end of what it said itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn

from pytest_seedshift.core import messages
from pytest_seedshift.core import output as sinks

PLUGIN, OPTION = "pytest_seedshift.plugin.versus_run", "--seedshift-progress-file"
"""What the run is given besides, and the option that this takes: see there. It would load pytest."""

_JUDGED = (0, 1)
"""What pytest returns of a run that has come to its verdicts."""

_STATUSES = {
    2: "it was interrupted, or a file of its tests cannot be imported",
    3: "an internal error",
    4: "a usage error",
    5: "no tests",
}

_LOOK_EVERY = 0.2
_LOG_EVERY = 60.0
"""Seconds between lines, where no terminal can show the last one anew."""

_QUOTED = 15
"""So many lines are shown of what a run said last."""

_TAIL = 2**16
"""In so many bytes these are looked for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run has ended.

    Attributes:
        status: what pytest returned; of a run that was killed what a shell has for its signal.
        reason: why it came to no verdicts; empty where it did.
        said: what it said itself at its end, where that was not shown.
    """

    status: int
    reason: str = ""
    said: str = ""


def run(title: str, arguments: Sequence[str], log: Path, *, aside: bool, verbose: bool) -> Ended:
    """Run pytest.

    Args:
        title: what is run, for the line.
        arguments: of pytest.
        log: the file for its output.
        aside: whether what is told goes to the standard error, as the standard output is for something else.
        verbose: whether its output is shown as it comes, and not kept in the file.
    """
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, *arguments]
    if verbose:
        sinks.say(f"{title}:", err=aside)
        with _child(command, apart=False, stdout=sys.stderr if aside else None) as child:
            status = child.wait()
    else:
        status = _quietly(command, log, _Line(title, err=aside))
    if status in _JUDGED:
        return Ended(status)
    return Ended(status if status >= 0 else 128 - status, _ending(status), "" if verbose else _quoted(log))


def _quietly(command: Sequence[str], log: Path, line: _Line) -> int:
    """Run it with its output in a file; its status, which of one that was killed is its signal, less than 0."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="seedshift-") as folder, log.open("wb") as file:
        path = Path(folder) / "progress.json"
        streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": subprocess.STDOUT}
        with _child([*command, f"{OPTION}={path}"], apart=True, **streams) as child:
            status = None
            while status is None:
                line.show(_read(path))
                with suppress(subprocess.TimeoutExpired):
                    status = child.wait(_LOOK_EVERY)
        line.end(_read(path))
    return status


# The process -------------------------------------------------------------------------------------------------------


@contextmanager
def _child(command: Sequence[str], *, apart: bool, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with this one; an interruption is waited for, as it keeps what it has made.

    One that is `apart` has a group of its own, so that an interruption comes to it once: from here, whether this
    process had it from a terminal or from elsewhere. Else the terminal is the process's as much as ours.
    """
    if sys.platform == "win32":
        apart = False  # it has no such groups
    streams |= {"process_group": 0} if apart else {}
    with _as_exceptions(), subprocess.Popen(command, **streams) as child:
        try:
            yield child
        except KeyboardInterrupt:
            if apart:
                child.send_signal(signal.SIGINT)
            try:
                child.wait()
            except KeyboardInterrupt:
                child.kill()
            raise
        finally:
            if child.poll() is None:
                child.terminate()


@contextmanager
def _as_exceptions() -> Iterator[None]:
    """Let signals that end this process do so in order meanwhile."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending(status: int) -> str:
    """How a run ended that came to no verdicts."""
    if status >= 0:
        what = f", {_STATUSES[status]}" if status in _STATUSES else ""
        return f"pytest ended with status {status}{what}"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # of a signal that Python has no name for
        name = f"signal {-status}"
    killed = f"its process was ended by {name}"
    if name != "SIGKILL":
        return killed
    return (
        f"{killed}, most likely by the system, for want of memory: a smaller --batch-size or --dtype takes less. What "
        "was made is kept"
    )


def _quoted(log: Path) -> str:
    """What a run said last, and where all of it is."""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        begin = file.seek(max(end - _TAIL, 0))
        said = file.read().decode("utf-8", "replace")
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    if not lines:
        return ", and has said nothing"
    is_all = not begin and len(lines) <= _QUOTED
    last = "\n".join(f"  {line}" for line in lines[-_QUOTED:])
    return f". It has said{'' if is_all else ' at last'} (all of it: {messages.relative(str(log))}):\n{last}"


# The line ----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> Mapping[str, Any]:
    """How far the run has come; nothing where it has not said yet."""
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # of a file that is not there, or of json
        return {}
    return found


class _Line:
    """One line at the terminal's end; in a log one at the end, and one now and then."""

    def __init__(self, title: str, *, err: bool) -> None:
        self._title, self._err = title, err
        self._began = self._last = time.monotonic()
        self._terminal = (sys.stderr if err else sys.stdout).isatty() and os.environ.get("TERM") != "dumb"

    def show(self, at: Mapping[str, Any]) -> None:
        """Say how far it has come."""
        now = time.monotonic()
        if self._terminal:
            sinks.show_live(self._text(at), shutil.get_terminal_size().columns - 1, err=self._err)
        elif now - self._last >= _LOG_EVERY:
            sinks.say(self._text(at), err=self._err)
            self._last = now

    def end(self, at: Mapping[str, Any]) -> None:
        """Say that it has ended."""
        if self._terminal:
            sinks.show_live("", 0, err=self._err)
        looked = f"{messages.count(at['images'], 'image')} in " if at else ""
        sinks.say(f"{self._title}: {looked}{messages.duration(time.monotonic() - self._began)}", err=self._err)

    def _text(self, at: Mapping[str, Any]) -> str:
        parts = [self._title]
        if at:
            about = "about " if at["images"] < at["expected"] else ""
            parts[0] += f": {at['images']} of {about}{messages.count(at['expected'], 'image')}"
        parts.append(messages.duration(time.monotonic() - self._began))
        if at and at["left"]:
            parts.append(f"about {messages.duration(at['left'])} left")
        if at and at["cases"]:
            parts.append(str(at["cases"]))
        return " · ".join(parts)
