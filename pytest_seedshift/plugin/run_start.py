"""Between collection and the first image: the user's mistakes are found, and the plan is said.

Without workers one process does both. A worker of pytest-xdist tells its controller the plan: see `xdist_controller`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift.core import messages
from pytest_seedshift.plugin import border, cluster_setup, collection, gate, plan, preflight, waiting
from pytest_seedshift.runner import manifest

if TYPE_CHECKING:
    from pytest_seedshift.plugin.console import Console
    from pytest_seedshift.plugin.grid import Grid
    from pytest_seedshift.plugin.item_jobs import ItemJobs
    from pytest_seedshift.plugin.live import Board
    from pytest_seedshift.plugin.plan import Measure, Plan
    from pytest_seedshift.plugin.results_collector import ResultsCollector
    from pytest_seedshift.plugin.seed_sensitivity import SeedSensitivity
    from pytest_seedshift.plugin.session import Session
    from pytest_seedshift.plugin.terminal import TerminalReport


class Planner:
    """Makes the plan and the head of verdicts.json; used by the process that has the items."""

    def __init__(self, session: Session, grid: Grid, jobs: ItemJobs, sensitivity: SeedSensitivity) -> None:
        """`sensitivity` says what it will take besides."""
        self._session = session
        self._grid = grid
        self._jobs = jobs
        self._sensitivity = sensitivity

    def plan(self, items: Iterable[pytest.Item], measure: Measure, warnings: Iterable[str] = ()) -> Plan | None:
        """The plan of some items; None where none of them judges anything.

        Raises:
            pytest.UsageError: a job that cannot be resolved, or a model that cannot generate.
        """
        session, settings = self._session, self._session.settings
        jobs = [self._jobs.of(item) for item in items if collection.is_judged(item)]
        if not jobs:
            return None
        folder = messages.relative(str(session.folder.path))
        wishes = plan.Wishes(settings.images_per_second, settings.price, settings.trajectories, folder)
        if settings.plan and settings.images_per_second is not None:
            measure = "none"
        notes = [*self._notes(), *(f"warning: {warning}" for warning in warnings)]
        with border.usage_errors():
            made = plan.make(
                jobs,
                session.workbench,
                session.thresholds,
                wishes,
                design_seed=session.design_seed,
                measure=measure,
                notes=notes,
            )
            # Only now, as the model may have been loaded, which tells how large its pictures are.
            size = session.gate.size_note(self._jobs.all)
        return made if size is None or made is None else replace(made, notes=(*made.notes, size))

    def check_pictures(self) -> None:
        """See `Gate.check_pictures`; of items whose jobs cannot be resolved these say so themselves.

        Raises:
            pytest.UsageError: a picture of the baseline is not as it was kept.
        """
        if self._session.gate.against is not None:
            self._session.gate.check_pictures(self._jobs.all)

    def manifest(self) -> dict[str, Any]:
        """The head of verdicts.json, in built-in types.

        Raises:
            pytest.UsageError: a job that cannot be resolved.
        """
        session, grid = self._session, self._grid
        self._jobs.check()
        with border.usage_errors():
            return manifest.make(
                self._jobs.all,
                self._jobs.terms,
                session.workbench,
                session.entry,
                models=grid.models,
                shard=grid.shard,
            ).built_in()

    def warnings(self) -> list[str]:
        """What should be known of the gate, now that the jobs are."""
        return [] if self._session.gate.against is None else gate.undetectable(self._jobs.all.reliability)

    def _notes(self) -> list[str]:
        """What else the plan has to say."""
        session, jobs = self._session, self._jobs.all
        notes = (
            self._grid.note(),
            self._sensitivity.note(self._grid.models),
            session.gate.note(jobs),
            gate.note_of_chance(jobs, session.thresholds.certainty),
            gate.note_of_equivalence(jobs.reliability) if session.gate.against is not None else None,
        )
        return [note for note in notes if note is not None]


class RunStart:
    """Hooks of the process that has the items, where there are no workers."""

    def __init__(
        self,
        session: Session,
        jobs: ItemJobs,
        planner: Planner,
        collector: ResultsCollector,
        terminal: TerminalReport,
        console: Console,
    ) -> None:
        self._session = session
        self._jobs = jobs
        self._planner = planner
        self._collector = collector
        self._terminal = terminal
        self._console = console

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Before anything is generated: find the user's mistakes, say the plan; with --seedshift-plan stop there."""
        items = _with_subjects(session.items)
        if not items or session.config.option.collectonly or session.testsfailed:
            return None
        self._console.warn(preflight.check_items(self._session, items, self._jobs))
        self._console.warn(self._planner.warnings())
        if self._session.cluster.is_asked:
            self._console.warn(self._begin_cluster(items))
        asked = self._session.settings.plan
        self._collector.begin(self._planner.manifest())
        self._console.warn(self._collector.noise_warnings())
        here = self._session.settings.cluster is None
        made = self._planner.plan(items, measure="none" if not here else "all" if asked else "first")
        if made is not None:  # there may be tests of a model that judge no case
            self._terminal.show(made)
        if asked:
            preflight.check_planned(self._session)
        return True if asked else None

    def _begin_cluster(self, items: Sequence[pytest.Item]) -> list[str]:
        """Start what makes the images; warnings for the user."""
        session, models = self._session, [self._jobs.request(item).subject.model for item in items]
        return session.cluster.begin(
            lambda device: cluster_setup.make(session, models, device), session.config.rootpath
        )


class WorkerStart:
    """Hooks of a worker of pytest-xdist: it tells the controller, which has no items, of its items and of the plan."""

    def __init__(self, session: Session, grid: Grid, planner: Planner, board: Board) -> None:
        self._session = session
        self._grid = grid
        self._planner = planner
        self._board = board
        self._warnings: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell of the items, which all workers have, and of the plan: the first worker does, or who replaces one."""
        items, board = _with_subjects(session.items), self._board
        if items:
            try:
                if self._session.process.workerinput.get(waiting.BEFORE_CASES):
                    self._warnings = self._session.folder_use.prepare(occupy=False)
                self._session.gate.check_missing()
                self._planner.check_pictures()
            except pytest.UsageError as error:
                self._grid.refuse(error)
        board.post_items({item.nodeid: (collection.subject_of(item), collection.kind_of(item)) for item in items})
        if not items or not self._plans or board.plan() is not None or session.testsfailed:
            return
        try:
            made = self._planner.plan(items, "none", [*self._warnings, *preflight.of_thresholds(self._session)])
            whole = None if made is None else self._planner.manifest()
        except pytest.UsageError:  # the items themselves will say so
            return
        if made is not None and whole is not None:
            board.post_manifest(whole)
            board.post_plan(made)

    @property
    def _plans(self) -> bool:
        """Whether this worker makes the plan: gw0, or one beyond the first, such as the third of two."""
        process = self._session.process
        number = int(process.worker.removeprefix("gw") or 0)
        return number == 0 or number >= process.workerinput["workercount"]


def _with_subjects(items: Iterable[pytest.Item]) -> Sequence[pytest.Item]:
    return [item for item in items if collection.subject_of(item)]
