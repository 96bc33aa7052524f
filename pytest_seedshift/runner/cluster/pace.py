"""How fast models are on each kind of GPU, and so how long an order may take before it counts as hung."""

from __future__ import annotations

from pytest_seedshift.runner.cluster.protocol import FIRST_SECONDS, LEAST_SECONDS, TIMES_LONGER

GUESS = 4
"""The batch size of a model of which nothing is known."""


class Pace:
    """What was measured so far, by model and kind of GPU."""

    def __init__(self, seconds: float | None = None) -> None:
        """`seconds` is the user's limit for any order; None for one by what was measured."""
        self._limit = seconds
        self._sizes: dict[tuple[str, str], int] = {}
        self._slowest: dict[tuple[str, str], float] = {}

    def know(self, model: str, kind: str, size: int) -> None:
        """So many at once suit the model, as earlier runs have found; how long that takes is not known."""
        self._sizes.setdefault((model, kind), size)

    def learn(self, model: str, kind: str, size: int, seconds: float, rows: int) -> None:
        """An order of so many rows took so long; `size` at once suit the model."""
        self._sizes[model, kind] = size
        each = seconds / max(1, rows)
        self._slowest[model, kind] = max(each, self._slowest.get((model, kind), 0.0))

    def size(self, model: str, kind: str) -> int | None:
        """How many at once suit a model on a kind of GPU; None where that is not known."""
        return self._sizes.get((model, kind))

    def limit(self, model: str, kind: str, rows: int) -> float:
        """How long an order may take, in seconds; it may begin with loading its model."""
        if self._limit is not None:
            return self._limit
        slowest = self._slowest.get((model, kind))
        if slowest is None:
            return FIRST_SECONDS
        # Another model may have to be loaded first, which takes minutes where it comes over a network.
        return max(LEAST_SECONDS, TIMES_LONGER * slowest * rows) + LEAST_SECONDS * 4
