"""Batches that are made in this process: an executor with one slot."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.cases import UnusableModelError
from pytest_seedshift.runner import batch_making
from pytest_seedshift.runner.orders import Done, Order, Slot
from pytest_seedshift.runner.overlap import overlapped

if TYPE_CHECKING:
    from pytest_seedshift.runner.batch_making import Generated
    from pytest_seedshift.runner.generate import Engine
    from pytest_seedshift.runner.model_pool import ModelPool

_HERE = "here"


class LocalExecutor:
    """Makes orders one after the other, when it is waited for; on a GPU one is scored while the next is generated."""

    is_here = True

    def __init__(self, pool: ModelPool, engine: Callable[[str], Engine]) -> None:
        """`engine` gives a model's engine by its name, loaded."""
        self._pool = pool
        self._engine = engine
        self._orders: deque[Order] = deque()
        self._stream: Iterator[Done] | None = None
        self._last = 0.0
        """When the last order was done: what overlaps is not counted twice."""

    def slots(self) -> Sequence[Slot]:
        """This process."""
        return [Slot(_HERE, self._pool.hardware, waiting=len(self._orders))]

    def batch_size(self, model: str, slot: str) -> int:
        """How many rows suit the model, which is loaded now."""
        return self._engine(model).batch_size

    def know(self, model: str, kind: str, batch_size: int) -> None:
        """The engine asks for it itself."""

    def submit(self, slot: str, order: Order) -> None:
        """Make an order when `wait` is called."""
        self._orders.append(order)

    def wait(self, seconds: float | None = None) -> Sequence[Done]:
        """What came of the next order; nothing where none waits."""
        if self._stream is None:
            self._stream = overlapped(self._generated(), self._completed, overlap=self._pool.overlaps)
        try:
            return [next(self._stream)]
        except StopIteration:
            self._stream = None
            return self.wait() if self._orders else []
        except BaseException:
            self._stream = None
            self._orders.clear()
            raise

    def call(self, model: str, study: Callable[..., Any], *arguments: object) -> Any:
        """Do it here."""
        return study(self._pool, model, *arguments)

    def close(self) -> Sequence[Done]:
        """Nothing is being made."""
        self._orders.clear()
        self._stream = None
        return []

    def _generated(self) -> Iterator[tuple[Order, Generated | str, float]]:
        while self._orders:
            order, start = self._orders.popleft(), time.perf_counter()
            try:
                made: Generated | str = batch_making.generate(self._engine(order.model), order.rows)
            except UnusableModelError as error:
                made = str(error)
            yield order, made, start

    def _completed(self, generated: tuple[Order, Generated | str, float]) -> Done:
        order, found, start = generated
        if isinstance(found, str):
            return Done(order, _HERE, unusable=found)
        try:
            made, failed = batch_making.complete(self._engine(order.model), found)
        except UnusableModelError as error:
            return Done(order, _HERE, unusable=str(error))
        begun, self._last = max(start, self._last), time.perf_counter()
        return Done(order, _HERE, tuple(made), failed, seconds=self._last - begun)
