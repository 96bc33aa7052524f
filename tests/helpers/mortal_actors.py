"""Actors on a simulated clock, who load models, make orders, and die by chance or over what they make."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pytest_seedshift.runner.cluster.dispatch import PROBE, Dispatch

if TYPE_CHECKING:
    from pytest_seedshift.runner.cluster.pieces import Outcome, Piece

ROW = 0.25
"""Seconds of an image."""

RESTART = 5.0
"""Seconds until there is another actor in a dead one's place."""


class MortalActors:
    """A dispatcher with actors who die at a rate while they work, and always over what is poison."""

    def __init__(
        self,
        seed: int,
        actors: int,
        rate: Callable[[float], float],
        *,
        load: float = 3.0,
        rows: Collection[tuple[int, int]] = (),
        models: Collection[str] = (),
    ) -> None:
        """Begin at second 0.

        Args:
            seed: of all chance.
            actors: how many.
            rate: by the time, how many times a second a working actor dies by chance.
            load: seconds that a model takes to be loaded.
            rows: (order, row) of those over which any actor dies.
            models: those over which any actor dies.
        """
        self.dispatch = Dispatch()
        self.ended: dict[int, Outcome] = {}
        self.deaths = 0
        self.by_poison = 0
        self.gave_up = False
        self.now = 0.0
        self._draw = random.Random(seed)
        self._rate, self._load = rate, load
        self._rows, self._models = set(rows), set(models)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._actors = [f"a{each}" for each in range(actors)]
        self._loaded: dict[str, str] = {}
        self._works: set[str] = set()
        for name in self._actors:
            self.dispatch.add(name, "H100")

    def run(
        self, orders: int, size: int = 4, models: int = 1, case: Callable[[int, int], object] | None = None
    ) -> None:
        """Have so many orders made, two for each actor at a time, until each has ended or nothing is made any more."""
        for order in itertools.count():
            while order - len(self.ended) >= 2 * len(self._actors) or order >= orders:
                if len(self.ended) == orders or self.gave_up:
                    return
                self._step()
            lanes = sorted(self.dispatch.lanes.values(), key=lambda lane: lane.load)
            slot = lanes[0].name if lanes else "gone"
            cases = [case(order, row) for row in range(size)] if case is not None else ()
            self.dispatch.submit(slot, order, f"m{order % models}", size, cases)
            self._take()

    def failed(self) -> set[tuple[int, int]]:
        """The rows that were blamed."""
        return {(order, row) for order, outcome in self.ended.items() for row in outcome.failed}

    def unusable(self) -> set[int]:
        """The orders whose model was given up."""
        return {order for order, outcome in self.ended.items() if outcome.unusable}

    def _step(self) -> None:
        self.dispatch.expect(len(self._actors) - len(self.dispatch.lanes))
        for name in self.dispatch.lanes:
            self._begin(name)
        assert self._events, "nobody does anything, and not everything has ended"
        self.now, _, event = heapq.heappop(self._events)
        event()
        self.gave_up = self.gave_up or self.dispatch.dies_of_everything
        self._take()

    def _take(self) -> None:
        for number, outcome in self.dispatch.ended():
            assert number not in self.ended
            self.ended[number] = outcome

    def _later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._count), event))

    def _begin(self, name: str) -> None:
        while self.dispatch.next(name) is not None:
            pass
        making = self.dispatch.lanes[name].making
        if name in self._works or not making:
            return
        piece = making[0]
        self._works.add(name)
        seconds = ROW * max(1, len(piece.rows)) + (self._load if self._loaded.get(name) != piece.model else 0.0)
        rate = self._rate(self.now)
        death = self._draw.expovariate(rate) if rate else math.inf
        is_poison = piece.model in self._models or any((piece.order, row) in self._rows for row in piece.rows)
        if is_poison and death > 0.9 * seconds:
            death = 0.9 * seconds
            self.by_poison += 1
        if death < seconds:
            self._later(death, lambda: self._die(name))
        else:
            self._later(seconds, lambda: self._finish(name, piece))

    def _die(self, name: str) -> None:
        self.deaths += 1
        self._works.discard(name)
        self._loaded.pop(name, None)
        self.dispatch.remove(name)
        self._later(RESTART, lambda: self.dispatch.add(name, "H100"))

    def _finish(self, name: str, piece: Piece) -> None:
        self._works.discard(name)
        self._loaded[name] = piece.model
        made = () if piece.order == PROBE else piece.rows
        self.dispatch.done(name, piece, made, b"x" if made else b"", {})
