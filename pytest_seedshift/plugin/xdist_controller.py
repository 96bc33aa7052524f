"""The hooks of pytest-xdist's controller. It has no items: it checks before its workers start what needs none, gives
each its part of the machine, and shows what they tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.plugin import conflicts, options, preflight, waiting, xdist_workers
from pytest_seedshift.plugin.live import Watcher
from pytest_seedshift.plugin.worker_crashes import WorkerCrashes

if TYPE_CHECKING:
    from pytest_seedshift.plugin.console import Console
    from pytest_seedshift.plugin.loads import Loads
    from pytest_seedshift.plugin.results_collector import ResultsCollector
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.plugin.terminal import TerminalReport


class XdistController:
    """Registered in every process but a worker: whether it is a controller is known when its workers start."""

    def __init__(
        self, session: Session, collector: ResultsCollector, terminal: TerminalReport, loads: Loads, console: Console
    ) -> None:
        self._session = session
        self._collector = collector
        self._terminal = terminal
        self._loads = loads
        self._console = console
        self._watcher: Watcher | None = None
        self._planned = False
        self._on_cases: Callable[[], None] | None = None

    def on_cases(self, call: Callable[[], None]) -> None:
        """Let something be called when a worker has told of cases."""
        self._on_cases = call

    def watch(self, folder: Path) -> Watcher:
        """Look at what workers tell in a folder, until the session ends."""
        self._watcher = Watcher(folder, self._terminal.tick_all)
        config = self._session.config
        crashes = WorkerCrashes(config, self._watcher.board, lambda: self._session.folder_use.samples)
        config.pluginmanager.register(crashes, "seedshift-worker-crashes")
        return self._watcher

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Check what can be checked before the workers start."""
        settings = self._session.settings
        if self._session.process.distributes:
            if settings.cluster is not None:
                conflicts.check_cluster()
            if options.is_named(session.config):
                conflicts.check(session.config)
            if settings.plan:
                raise pytest.UsageError("--seedshift-plan makes its plan in one process: leave -n out")
            self._console.warn(preflight.check_ends(self._session))
            designs = [(model, settings.images) for model in settings.models]
            self._console.warn(preflight.check_ground(self._session, designs))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: Sequence[Any]) -> None:
        """Give each worker its GPU and its part of the cores before it starts."""
        if options.is_named(config):
            warning = xdist_workers.prepare(specs, self._session.settings.device)
            self._console.warn([warning] if warning else [])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Distribute with patience; see `xdist_scheduling`."""
        if config.getoption("dist") != "worksteal" or not options.is_named(config):
            return None
        from pytest_seedshift.plugin.xdist_scheduling import PatientWorkStealing

        return PatientWorkStealing(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each worker where to tell how far it has come."""
        waiting.tell_worker(node, (self._watcher or self.watch(waiting.board_folder())).folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Say the plan as soon as a worker has told it; let the report have its columns."""
        if self._watcher is None:
            return
        made = None if self._planned else self._watcher.board.plan()
        if made is not None:
            self._planned = True
            self._collector.begin(self._watcher.board.manifest() or {})
            self._console.warn(self._collector.noise_warnings())
            self._terminal.show(made)
        if self._on_cases is not None and self._watcher.board.items():
            self._on_cases()  # now that the plan says which scores there are

    def pytest_sessionfinish(self) -> None:
        """Know how often the workers have loaded a model."""
        if self._watcher is not None:
            self._loads.take(self._watcher.board.loads())

    def pytest_unconfigure(self) -> None:
        """Stop looking at workers: all reports are written."""
        if self._watcher is not None:
            self._watcher.close()
