"""Where a process that runs items says how far it has come: on its terminal, or to pytest-xdist's controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_seedshift.plugin.live import Board
    from pytest_seedshift.runner.case_result import Progress


class ProgressSink(Protocol):
    """Hears of jobs in work."""

    def tick(self, progress: Progress) -> None:
        """How far the job has come."""

    def rest(self) -> None:
        """No job is in work."""

    def leave_last_words(self, reason: str) -> bool:
        """Why this process can go no further; whether it may end at once, as another takes its place."""


class Shown:
    """On the terminal of this process."""

    def __init__(self, show: Callable[[Progress], None]) -> None:
        self.tick = show

    def rest(self) -> None:
        """The line of the next job takes the place of this one's."""

    def leave_last_words(self, reason: str) -> bool:
        """The session has to end in order: nobody else would write its reports."""
        return False


class Posted:
    """By a worker, on its board."""

    def __init__(self, board: Board, worker: str) -> None:
        self._board = board
        self._worker = worker

    def tick(self, progress: Progress) -> None:
        """Post it."""
        self._board.post(self._worker, progress)

    def rest(self) -> None:
        """Take the post away."""
        self._board.rest(self._worker)

    def leave_last_words(self, reason: str) -> bool:
        """Post them; pytest-xdist starts another worker."""
        self._board.post_last_words(self._worker, reason)
        return True
