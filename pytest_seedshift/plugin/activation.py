"""Where the parts of a session that has cases are made and registered; each knows those that it is given here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.plugin import collection, effects, github, option_resolution, seed_use, waiting
from pytest_seedshift.plugin.collection_hooks import CollectionHooks
from pytest_seedshift.plugin.console import Console
from pytest_seedshift.plugin.grid import Grid
from pytest_seedshift.plugin.item_jobs import ItemJobs
from pytest_seedshift.plugin.judging import Judging
from pytest_seedshift.plugin.live import Board
from pytest_seedshift.plugin.loads import Loads
from pytest_seedshift.plugin.outcomes import Outcomes
from pytest_seedshift.plugin.progress import Posted, ProgressSink, Shown
from pytest_seedshift.plugin.results_collector import ResultsCollector
from pytest_seedshift.plugin.returning import Return
from pytest_seedshift.plugin.run_start import Planner, RunStart, WorkerStart
from pytest_seedshift.plugin.seed_sensitivity import SeedSensitivity
from pytest_seedshift.plugin.session import Session
from pytest_seedshift.plugin.session_report import SessionReport
from pytest_seedshift.plugin.terminal import TerminalReport
from pytest_seedshift.plugin.xdist_controller import XdistController

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.plugin.pytest_html import HtmlReport


class Activation:
    """What the plugin itself needs of a session's parts: to make items, to run them, to begin late."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the options and make the parts.

        Raises:
            pytest.UsageError: an option that cannot be used.
        """
        settings = option_resolution.resolve(config)
        folder = getattr(config, "workerinput", {}).get(waiting.BOARD)
        self._board = None if folder is None else Board(Path(folder))
        worker = getattr(config, "workerinput", {}).get("workerid", "")
        self._loads = loads = Loads(worker, self._board)
        self._session = session = Session(config, settings, loads.count)
        self._console = Console(config)
        self._collector = ResultsCollector(
            session.folder,
            lambda: session.folder_use.samples,
            self._console,
            lambda kept: seed_use.judged(session, self._grid, kept.all, kept.manifest, kept.models),
        )
        self._report = SessionReport(session, self._collector, self._console)
        self._terminal = TerminalReport(session, self._collector, self._report, loads, self._console)
        self._controller = XdistController(session, self._collector, self._terminal, loads, self._console)
        self._grid = Grid(settings, session.process)
        self._jobs = ItemJobs(session, self._grid)
        self._sensitivity = SeedSensitivity(session, self._grid, self._jobs, self._terminal.tick_text)
        self.collection = CollectionHooks(session, self._grid)
        sink: ProgressSink = Shown(self._terminal.tick) if self._board is None else Posted(self._board, worker)
        self.judging = Judging(session, self._jobs, sink)
        self._html: HtmlReport | None = None
        collection.Request(settings, session.catalogue).cases()
        collection.check_suite(config, settings)
        if not session.process.worker:
            effects.check(config, settings)

    def register(self) -> None:
        """Register all hooks. A worker of pytest-xdist leaves reports to its controller.

        Of two hooks of a kind, the one that is registered later is called first.
        """
        config, session = self._session.config, self._session
        planner = Planner(session, self._grid, self._jobs, self._sensitivity)
        if self._board is not None:
            self._register("worker", WorkerStart(session, self._grid, planner, self._board))
        if not session.process.worker:
            self._register("controller", self._controller)
            start = RunStart(session, self._jobs, planner, self._collector, self._terminal, self._console)
            self._register("start", start)
        self._register("end", End(session, self._loads))
        self._register("collection", self.collection)
        self._register("judging", self.judging)
        self._register("return", Return())
        self._register("grid", self._grid)
        split = config.pluginmanager.unregister(name="pytestsplitplugin")
        if split is not None:  # it takes its part behind the grid, so that who merges the parts knows what is missing
            config.pluginmanager.register(split, "pytestsplitplugin")
        self._register("seed-sensitivity", self._sensitivity)
        self._register("outcomes", Outcomes(self._jobs, self.judging.record))
        if not session.process.worker:
            self._register_views()

    def _register_views(self) -> None:
        config, session = self._session.config, self._session
        self._register("terminal", self._terminal)
        self._register("collector", self._collector)
        self._register("report", self._report)
        if github.wanted():
            self._register("annotations", github.Annotations(config))
        if session.settings.write_thresholds is not None:
            from pytest_seedshift.plugin.calibrate import Calibrate

            self._register("calibrate", Calibrate(session, self._collector))
        if config.getoption("htmlpath", None):
            from pytest_seedshift.plugin.pytest_html import HtmlReport

            self._html = HtmlReport(session, self._collector, self._report, self._console)
            self._controller.on_cases(self._html.add_columns)
            self._register("html", self._html)

    def _register(self, name: str, plugin: object) -> None:
        self._session.config.pluginmanager.register(plugin, f"seedshift-{name}")

    # Where it came late -----------------------------------------------------------------------------------------------

    def take_over(self, waited: waiting.Waiting) -> None:
        """Take what was kept of the session's start until it was known that there are cases."""
        if waited.page is not None and self._html is not None:
            self._html.pytest_html_report_title(waited.page)
        if waited.folder is not None:
            self._controller.watch(waited.folder)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """As at the session's start."""
        self._controller.pytest_sessionstart(session)

    def pytest_xdist_node_collection_finished(self) -> None:
        """As when a worker has collected."""
        self._controller.pytest_xdist_node_collection_finished()

    def end_loop(self) -> None:
        """Do what is done after the tests, where these hooks have come while they ran."""
        self._report.fail_session()


class End:
    """Hooks that let go of what the session holds, when all others have done what they do at its end."""

    def __init__(self, session: Session, loads: Loads) -> None:
        self._session = session
        self._loads = loads

    def pytest_sessionfinish(self) -> None:
        """Let go of the store, of the model and of the cluster."""
        self._session.close()
        if self._session.cluster.is_asked:
            self._loads.take(self._session.cluster.loads)

    def pytest_unconfigure(self) -> None:
        """Leave the run folder to others: all reports are written."""
        self._session.folder_use.leave()
