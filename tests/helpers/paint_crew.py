"""Orders for painters on a real Ray cluster, and what comes of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import painter
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.runner.cluster import address
from pytest_seedshift.runner.cluster.executor import ClusterExecutor
from pytest_seedshift.runner.cluster.protocol import Options
from pytest_seedshift.runner.orders import Order, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from helpers.ray_nodes import RayNodes
    from pytest_seedshift.runner.cluster.setup import Setup
    from pytest_seedshift.runner.orders import Done

TESTS = Path(__file__).parents[1]
DESIGN = pairs.design(pairs.class_list("toy16"), 1600)
SIZE = 4
PATIENCE = 120


class PaintCrew:
    """An executor with painters, and the files by which they are told what to do."""

    def __init__(
        self, nodes: RayNodes, folder: Path, at: str = "", *, setup: Setup | None = None, **options: Any
    ) -> None:
        """At the address of the head, or another; with other `options`, and another setup than the painter's."""
        self.nodes, self.folder = nodes, folder
        given = {"order_seconds": 40, "join_seconds": 2, **options}
        self.executor = ClusterExecutor(Options(address.parse(at or nodes.address), **given))
        self.executor.begin(setup or painter.setup(folder), TESTS)
        self._next = 0

    @property
    def slots(self) -> list[str]:
        """The names of those that there are."""
        return [slot.name for slot in self.executor.slots()]

    def tell(self, **said: object) -> None:
        """What painters are told by files: see `painter.Painter`."""
        for name, text in said.items():
            (self.folder / name).write_text(str(text))

    def submit(self, count: int) -> list[Order]:
        """As many orders as that, spread over all slots; two cases in turn."""
        slots, orders = self.slots, []
        for number in range(self._next, self._next + count):
            chunk = DESIGN[SIZE * number : SIZE * (number + 1)]
            cases = [Case(painter.NAME, "mean", 0.3) if place % 2 else Case(painter.NAME) for place in range(SIZE)]
            orders.append(Order(number, painter.NAME, tuple(map(Row, cases, chunk))))
            self.executor.submit(slots[number % len(slots)], orders[-1])
        self._next += count
        return orders

    def collect(self, orders: Sequence[Order]) -> list[Done]:
        """What came of orders, by their numbers; each once."""
        found: dict[int, Done] = {}
        end = time.monotonic() + PATIENCE
        while len(found) < len(orders) and time.monotonic() < end:
            for done in self.executor.wait(1):
                assert done.order.number not in found
                found[done.order.number] = done
        assert sorted(found) == [order.number for order in orders]
        for order in orders:
            done = found[order.number]
            assert {*(each.row for each in done.made), *done.failed} == set(order.rows)
            assert len(done.made) + len(done.failed) == len(order.rows)
        return [found[order.number] for order in orders]

    def wait_for(self, holds: Callable[[], object]) -> None:
        """Until something holds."""
        end = time.monotonic() + PATIENCE
        while not holds() and time.monotonic() < end:
            time.sleep(0.2)
        assert holds()

    def pid(self, slot: str) -> int:
        """Of the actor that was last used there."""
        return int([each.about["pid"] for each in self.executor.began if each.slot == slot][-1])

    def notes(self) -> str:
        """What was said since."""
        said = "\n".join(self.executor.notes)
        self.executor.notes.clear()
        return said

    def check_killed(self) -> None:
        """An actor is killed over an order, and another one takes its place: nothing is lost."""
        self.tell(slow=0.5)
        orders = self.submit(8)
        slot = self.slots[0]
        time.sleep(0.7)
        before = self.pid(slot)
        os.kill(before, signal.SIGKILL)
        assert all(done.failed == {} for done in self.collect(orders))
        self.tell(slow=0)
        self.wait_for(lambda: len(self.slots) >= 2)
        assert self.pid(slot) != before
        assert f"{slot} has died" in self.notes()
