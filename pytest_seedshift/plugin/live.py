"""The line that says how far a run has come, also a run that pytest-xdist has spread over workers.

pytest-xdist carries reports of finished tests only; so each worker keeps one small file up to date, in a folder that
the controller makes, looks at and removes.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files
from pytest_seedshift.core.test_names import SUITE
from pytest_seedshift.plugin import job_kinds, terminal_output
from pytest_seedshift.plugin.plan import Plan
from pytest_seedshift.plugin.waiting import ITEMS as _ITEMS
from pytest_seedshift.runner import records

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.runner.case_result import Progress
    from pytest_seedshift.runner.job import Kind

_PLAN = "plan.json"
_MANIFEST = "manifest.json"
_LOG_EVERY = 30.0  # seconds between the lines of a log, where there is no terminal
_LOOK_EVERY = 0.5  # seconds between the controller's looks at its workers


class LiveLine:
    """One line at the terminal's end that is written over and over; in a log, a line now and then."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._written = False
        self._last = time.monotonic()
        self._file = self._ended = ""

    def begin(self, reporter: pytest.TerminalReporter, nodeid: str) -> None:
        """Before a test runs: let pytest name its file above our lines, if it is one. The built-in suite is none."""
        self._file = nodeid.partition("::")[0]
        if self._file == SUITE and reporter.verbosity == 0 and reporter.showfspath:
            at = reporter.config.rootpath / SUITE
            if reporter.currentfspath != at:
                reporter.ensure_newline()
                reporter.currentfspath = at

    def end_name(self, reporter: pytest.TerminalReporter, file: str | None = None) -> None:
        """End the line on which pytest has written a file's name, once; ours are below it."""
        file = self._file if file is None else file
        if file not in (self._ended, SUITE):
            terminal_output.end_line(reporter)
        self._ended = file

    def show(self, text: Callable[[], str]) -> None:
        """Show a text; it is asked for only if it will be shown."""
        reporter: pytest.TerminalReporter | None = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is None or reporter.verbosity != 0:
            return
        with self._lock, self._uncaptured():
            if reporter.isatty:
                width = shutil.get_terminal_size().columns - 1
                terminal_output.show_live(reporter, text(), width)
                self._written = True
            elif time.monotonic() - self._last >= _LOG_EVERY:
                self.end_name(reporter)  # what ensure_newline does as well lets pytest write the name again
                terminal_output.report(reporter, text())
                self._last = time.monotonic()

    @contextmanager
    def cleared(self) -> Iterator[None]:
        """Take the line away, and keep it away meanwhile."""
        with self._lock:
            if self._written:
                terminal_output.clear_live(self._config.pluginmanager.getplugin("terminalreporter"))
                self._written = False
            self._last = time.monotonic()
            yield

    @contextmanager
    def _uncaptured(self) -> Iterator[None]:
        """Let through to the terminal what is written while a test runs."""
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            yield
        else:
            with capture.global_and_fixture_disabled():
                yield


class Watcher:
    """In the controller: calls `look` with what the workers told, until it is closed and removes the folder."""

    def __init__(self, folder: Path, look: Callable[[list[dict[str, Any]]], None]) -> None:
        self.folder = folder
        self.board = Board(folder)
        self._look = look
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="seedshift-watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking and remove the folder."""
        self._closed.set()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_EVERY):
            in_work = self.board.progress()
            if in_work:
                self._look(in_work)


class Board:
    """The folder of the workers' files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def post_plan(self, plan: Plan) -> None:
        """Tell the plan."""
        self._post(_PLAN, plan.to_json())

    def plan(self) -> Plan | None:
        """The plan, once a worker has told it."""
        document = self._read(self._folder / _PLAN)
        return None if document is None else Plan.from_json(document)

    def post_manifest(self, manifest: dict[str, Any]) -> None:
        """Tell what the verdicts will be a part of."""
        self._post(_MANIFEST, manifest)

    def manifest(self) -> dict[str, Any] | None:
        """What the verdicts will be a part of, once a worker has told it."""
        return self._read(self._folder / _MANIFEST)

    def post_items(self, items: Mapping[str, tuple[Subject | None, Kind | None]]) -> None:
        """Tell of each item, by node id, what it is about and what is done about that. All workers have the same."""
        if not (self._folder / _ITEMS).exists():
            told = {
                nodeid: [type(subject).__name__, *astuple(subject), kind]
                for nodeid, (subject, kind) in items.items()
                if subject is not None
            }
            self._post(_ITEMS, told)

    def items(self) -> dict[str, tuple[Subject, Kind | None]]:
        """Of each item, by node id, its case or search and what is done about it; empty before a worker has told."""
        told = self._read(self._folder / _ITEMS) or {}
        return {nodeid: (job_kinds.subject_of(subject), kind) for nodeid, (*subject, kind) in told.items()}

    def post_load(self, worker: str) -> None:
        """Tell that a model was loaded."""
        with (self._folder / f"loads-{worker}").open("a", encoding="ascii") as file:
            file.write(".")

    def loads(self) -> list[str]:
        """For each time that a model was loaded, the worker that did."""
        found = {path.name.removeprefix("loads-"): path.stat().st_size for path in self._folder.glob("loads-*")}
        return [worker for worker, times in sorted(found.items()) for _ in range(times)]

    def post_last_words(self, worker: str, reason: str) -> None:
        """Tell why this worker is about to end."""
        self._post(f"end-{worker}.json", {"reason": reason})

    def last_words(self, worker: str) -> str | None:
        """Why a worker has ended, if it could tell."""
        document = self._read(self._folder / f"end-{worker}.json")
        return None if document is None else document["reason"]

    def post(self, worker: str, progress: Progress) -> None:
        """Tell how far the case in work has come."""
        self._post(f"at-{worker}.json", records.of_progress(progress))

    def rest(self, worker: str) -> None:
        """Tell that no case is in work."""
        (self._folder / f"at-{worker}.json").unlink(missing_ok=True)

    def progress(self) -> list[dict[str, Any]]:
        """What each worker has told last."""
        documents = (self._read(path) for path in sorted(self._folder.glob("at-*.json")))
        return [document for document in documents if document is not None]

    def _post(self, name: str, document: dict[str, Any]) -> None:
        atomic_files.write(self._folder / name, json.dumps(document))

    @staticmethod
    def _read(path: Path) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or half written
            return None
        return document
