"""GPUs that are not there: an executor with a clock of its own, on which batches take as long as they would.

The driver's own time is no simulation: what it spends between two waits is measured, and the clock goes on by it.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pytest_seedshift.runner.orders import Done, Made, Order, Row, Slot

LOAD = 20.0
"""Seconds to load a model."""

DOWN = 60.0
"""Seconds from an actor's death to its next start."""

KINDS = (1.0, 2.0)
"""How long an image takes on each kind of GPU, beside the first."""

Scores = tuple[dict[str, float], ...]


@dataclass
class Gpu:
    """One GPU: what it holds, what waits there, and what it has done."""

    name: str
    slow: float
    model: str | None = None
    queue: deque[Order] = field(default_factory=deque)
    begun: tuple[Order, float] | None = None
    """The order that is being made, and when it ends."""
    busy: float = 0.0
    loading: float = 0.0
    loads: int = 0
    dies: float = np.inf
    back: float = 0.0
    """When it is there again."""


class SimulatedExecutor:
    """Makes orders on GPUs that are not there.

    Args:
        gpus: how many; every second one is of the slow kind.
        batch: how many images it makes at once.
        seconds: by model, what an image takes on the fast kind.
        scores: what an image's scorers give.
        hours: the mean time to the death of an actor; infinite for none.
        clock: what measures the driver's own time.
    """

    is_here = False

    def __init__(
        self,
        gpus: int,
        batch: int,
        seconds: dict[str, float],
        scores: Callable[[Row], Scores],
        *,
        hours: float = np.inf,
        clock: Callable[[], float] = time.perf_counter,
        seed: int = 0,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self.gpus = [Gpu(f"gpu-{number:03}", KINDS[number % len(KINDS)]) for number in range(gpus)]
        self._batch, self._seconds, self._scores = batch, seconds, scores
        self._hours, self._clock = hours, clock
        self.now = self.driver = 0.0
        self.images = self.deaths = self.orders = 0
        self._events: list[tuple[float, int]] = []
        """When what is being made ends, and on which GPU."""
        for gpu in self.gpus:
            gpu.dies = self._life()
        self._left = clock()

    def _life(self) -> float:
        return self.now + (np.inf if np.isinf(self._hours) else float(self._rng.exponential(3600 * self._hours)))

    # What an executor does --------------------------------------------------------------------------------------------

    def slots(self) -> Sequence[Slot]:
        """The GPUs whose actor is alive."""
        return [
            Slot(gpu.name, f"x{gpu.slow:g}", self._model(gpu), len(gpu.queue) + (gpu.begun is not None))
            for gpu in self.gpus
            if gpu.back <= self.now
        ]

    def _model(self, gpu: Gpu) -> str | None:
        return gpu.queue[-1].model if gpu.queue else gpu.begun[0].model if gpu.begun else gpu.model

    def batch_size(self, model: str, slot: str) -> int:
        """The same everywhere."""
        return self._batch

    def submit(self, slot: str, order: Order) -> None:
        """Make it after those that wait there."""
        number = int(slot.removeprefix("gpu-"))
        self.orders += 1
        self.gpus[number].queue.append(order)
        self._begin(number, self.now)

    def wait(self, seconds: float | None = None) -> Sequence[Done]:
        """What has ended by now, else what ends next."""
        spent = self._clock() - self._left
        self.driver += spent
        self.now += spent
        while not self._events or self._events[0][0] > self.now:
            if not self._events:
                return []
            self.now = self._events[0][0]
        found = []
        while self._events and self._events[0][0] <= self.now:
            at, number = heapq.heappop(self._events)
            found += self._ended(number, at)
        self._left = self._clock()
        return found

    def close(self) -> Sequence[Done]:
        """Nothing is waited for."""
        return []

    # What a GPU does --------------------------------------------------------------------------------------------------

    def _begin(self, number: int, at: float) -> None:
        gpu = self.gpus[number]
        if gpu.begun is not None or not gpu.queue:
            return
        order, start = gpu.queue.popleft(), max(at, gpu.back)
        if gpu.model != order.model:
            gpu.model, gpu.loads, gpu.loading = order.model, gpu.loads + 1, gpu.loading + LOAD
            start += LOAD
        taken = len(order.rows) * self._seconds[order.model] * gpu.slow * float(self._rng.uniform(0.97, 1.03))
        gpu.begun = order, start + taken
        gpu.busy += taken
        heapq.heappush(self._events, (start + taken, number))

    def _ended(self, number: int, at: float) -> list[Done]:
        gpu = self.gpus[number]
        assert gpu.begun is not None
        order, _ = gpu.begun
        gpu.begun = None
        if at > gpu.dies:  # what it was making is lost, and made elsewhere
            self.deaths += 1
            gpu.model, gpu.back, gpu.dies = None, at + DOWN, self._life()
            for lost in (order, *gpu.queue):
                other = min(range(len(self.gpus)), key=lambda each: (self.gpus[each].back > at, self._waiting(each)))
                self.gpus[other].queue.append(lost)
                self._begin(other, at)
            gpu.queue.clear()
            return []
        self._begin(number, at)
        self.images += len(order.rows)
        made = tuple(Made(row, self._scores(row), (512, 512)) for row in order.rows)
        return [Done(order, gpu.name, made, seconds=len(order.rows))]

    def _waiting(self, number: int) -> int:
        gpu = self.gpus[number]
        return len(gpu.queue) + (gpu.begun is not None)
