"""How often models were loaded, and by which workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.plugin.live import Board


class Loads:
    """Counts in this process, and tells the controller; the controller takes at the end what its workers told."""

    def __init__(self, worker: str = "", board: Board | None = None) -> None:
        """`board` is that of the worker of this name; None where this process is none."""
        self._worker = worker
        self._board = board
        self._found: list[str] = []

    @property
    def workers(self) -> Sequence[str]:
        """For each time that a model was loaded, the worker that did."""
        return tuple(self._found)

    def count(self) -> None:
        """A model was loaded in this process."""
        self._found.append(self._worker)
        if self._board is not None:
            self._board.post_load(self._worker)

    def take(self, workers: Iterable[str]) -> None:
        """Know of loads in other processes alone."""
        self._found = list(workers)
