"""What must be kept of a session's start until it is known whether any test has a case; most sessions have none.

pytest-html shows its page, and pytest-xdist starts its workers, before a test is collected; in the controller of
pytest-xdist none ever is. Loading all hooks for that would cost every user of these plugins half a second.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Protocol

import pytest

from pytest_seedshift.plugin import unjudged

NAME = "seedshift-waiting"
BOARD = "seedshift_board"
"""The key under which a worker is given the folder of `live.Board`."""
BEFORE_CASES = "seedshift_before_cases"
"""The key under which a worker is told that it started before its controller knew of cases and had a run folder."""
ITEMS = "items.json"
"""The file in that folder in which the first worker that has cases says which: then there are some."""


def board_folder() -> Path:
    """A new folder for `live.Board`.

    Raises:
        pytest.UsageError: there is no place for one.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="seedshift-"))
    except OSError as error:
        raise pytest.UsageError(
            f"workers need a folder for temporary files, and none is writable ({error.strerror}): set TMPDIR to one"
        ) from None


def tell_worker(node: Any, folder: Path) -> None:
    """Tell a worker of pytest-xdist that is about to start where to tell of its cases, and the command line."""
    node.workerinput[BOARD] = str(folder)
    node.workerinput[unjudged.ARGUMENTS] = list(map(str, node.config.invocation_params.args))


class Late(Protocol):
    """Hooks that have come after the workers had started; see `hooks.Hooks`."""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """As at the session's start."""

    def pytest_xdist_node_collection_finished(self) -> None:
        """As when a worker has collected."""

    def end_loop(self) -> None:
        """Do what is done after the tests."""


class Waiting:
    """Hooks of pytest-html and of pytest-xdist's controller, until the hooks of a session with cases take over."""

    def __init__(self, activate: Callable[[], Late]) -> None:
        """`activate` loads and registers those hooks; they take `page` and `folder`."""
        self.page: Any = None
        """pytest-html's page; None where there is none."""
        self.folder: Path | None = None
        """The folder that workers were told of; None where there are none."""
        self._activate = activate
        self._hooks: Late | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        """Keep the page."""
        self.page = report

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each worker where to tell of cases."""
        if self._hooks is None:  # which tell those that stand in for workers that died
            self.folder = self.folder or board_folder()
            tell_worker(node, self.folder)
            node.workerinput[BEFORE_CASES] = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any) -> None:
        """Load the hooks as soon as a worker has told of cases, and let them see what they have missed."""
        if self._hooks is None and self.folder is not None and (self.folder / ITEMS).exists():
            self._hooks = self._activate()
            self._hooks.pytest_sessionstart(node.config.pluginmanager.getplugin("session"))
            self._hooks.pytest_xdist_node_collection_finished()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After the loop, in which the hooks were loaded, let them do what they do after it."""
        ran = yield
        if self._hooks is not None:
            self._hooks.end_loop()
        return ran

    def pytest_unconfigure(self) -> None:
        """Remove the folder where nobody has taken it over."""
        if self._hooks is None and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
