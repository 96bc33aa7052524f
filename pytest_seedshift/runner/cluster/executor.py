"""The executor whose slots are the actors of a Ray cluster, as the pytest process has it."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import HarnessError, SeedshiftError, SeedshiftUsageError
from pytest_seedshift.runner.cluster import address, examination, setup, wire
from pytest_seedshift.runner.cluster.pace import GUESS
from pytest_seedshift.runner.orders import Done, Order, Slot

if TYPE_CHECKING:
    from pytest_seedshift.runner.cluster.protocol import Began, Look, Node, Options
    from pytest_seedshift.runner.cluster.setup import Setup

_START = (
    "import importlib, json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given['path']; "
    "importlib.import_module(given['module']).main(given['socket'])"
)
_CLOSE_SECONDS = 20.0
"""So long may the broker take to end: a Ray of our own is ended with it."""


class ClusterExecutor:
    """Makes orders on a cluster; see `orders.Executor`."""

    is_here = False

    def __init__(self, options: Options) -> None:
        """Join a cluster, or start one; no actor is started before `begin`.

        Raises:
            SeedshiftUsageError: there is none, or it must not be used; the message says what to do.
            HarnessError: Ray cannot be started here.
        """
        address.check(options.place, without_token=options.without_token)
        self._options = options
        self._changed = threading.Condition()
        self._log = Path(tempfile.mkstemp(prefix="seedshift-cluster-", suffix=".log")[1])
        self._orders: dict[int, Order] = {}
        self._done: deque[Done] = deque()
        self._answers: dict[int, Mapping[str, Any]] = {}
        self._numbers = itertools.count()
        self._slots: tuple[Slot, ...] = ()
        self._submitted: deque[tuple[str, str]] = deque()
        """By slot, the models of orders of which the broker has not said that it has them."""
        self._heard = 0
        self._news = False
        self._is_on = False
        self._closing = False
        self._error: SeedshiftError | None = None
        self._sizes: dict[tuple[str, str], int] = {}
        self._root = Path.cwd()
        self.device = ""
        """The kind of device that models run on there: `cuda` or `cpu`."""
        self.nodes: tuple[Node, ...] = ()
        """The machines that there were at the start."""
        self.began: list[Began] = []
        """What each actor that was ever used has told of itself."""
        self.loads: list[tuple[str, str, float]] = []
        """By slot, each load of a model, and its seconds."""
        self.looks: list[Look] = []
        """Where nothing is to be made: what was seen of each machine."""
        self.notes: list[str] = []
        """What the user should know of the cluster; the caller may take it away."""
        self._process, self._connection = self._broker()
        self._connection.send(options)
        threading.Thread(target=self._listen, name="seedshift-cluster", daemon=True).start()
        self._await(lambda: bool(self.device), options.connect_seconds, "answers")

    def _broker(self) -> tuple[subprocess.Popen[bytes], Connection]:
        """The process that is Ray's driver, and the connection to it. It outlives nothing: see `broker`."""
        mine, theirs = socket.socketpair()
        path, module = [each or str(Path.cwd()) for each in sys.path], f"{__package__}.broker"
        given = json.dumps({"path": path, "module": module, "socket": theirs.fileno()})
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, given],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,
                start_new_session=True,  # Ctrl-C is pytest's business
            )
        theirs.close()
        return process, Connection(mine.detach())

    def begin(self, given: Setup, root: Path | None = None) -> None:
        """Start actors, and have each machine looked at: versions, models and their weights.

        Args:
            given: what actors are made like.
            root: the project's folder: see `setup.pack`.

        Raises:
            SeedshiftUsageError: a machine cannot be used; the message names it, and the file where one differs.
            HarnessError: no actor can be started.
        """
        from pytest_seedshift.core import machine
        from pytest_seedshift.models import process_settings

        self._root = root or given.folder
        asked = os.environ.get(machine.THREADS, "").partition(",")[0]
        start = {
            "path": [each for each in sys.path if each],
            "environment": process_settings.environment_of(given.settings),
            "gpus_per_model": self._options.gpus_per_model,
            "device": self.device,
            "versions": examination.versions(),
            "threads": int(asked) if asked.isdecimal() and int(asked) else 1024,
        }
        self._send("begin", setup.pack(given, self._root), start)
        self._await(lambda: self._is_on, self._options.start_seconds + self._options.connect_seconds, "is ready")
        with self._changed:
            self._news = False

    # The executor -----------------------------------------------------------------------------------------------------

    def slots(self) -> Sequence[Slot]:
        """See `orders.Executor`."""
        with self._changed:
            self._raise()
            return self._slots

    def batch_size(self, model: str, slot: str) -> int:
        """See `orders.Executor`."""
        with self._changed:
            kind = next((each.kind for each in self._slots if each.name == slot), "")
            return self._sizes.get((model, kind), GUESS)

    def know(self, model: str, kind: str, batch_size: int) -> None:
        """See `orders.Executor`."""
        with self._changed:
            self._sizes[model, kind] = batch_size
        self._send("know", model, kind, batch_size)

    def submit(self, slot: str, order: Order) -> None:
        """See `orders.Executor`."""
        with self._changed:
            self._orders[order.number] = order
            self._submitted.append((slot, order.model))
            self._slots = _with(self._slots, slot, order.model)
        self._send("submit", slot, order)

    def wait(self, seconds: float | None = None) -> Sequence[Done]:
        """See `orders.Executor`."""
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._news or self._error is not None, seconds)
            self._news = False
            found = list(self._done)
            self._done.clear()
            if not found:
                self._raise()
            return found

    def call(self, model: str, study: Callable[..., Any], *arguments: object) -> Any:
        """See `orders.Executor`."""
        number = next(self._numbers)
        self._send("call", number, model, setup.pack_call(study, arguments, self._root))
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._error is not None)
            if number not in self._answers:
                self._raise()
            answer = self._answers.pop(number)
        if "found" in answer:
            return wire.unpacked(answer["found"])
        raise {"unusable": UnusableModelError}.get(str(answer["kind"]), CaseError)(str(answer["said"]))

    def close(self) -> Sequence[Done]:
        """See `orders.Executor`. Who interrupts it waits no longer for what is in flight."""
        try:
            if self._error is None and self._process.poll() is None and self._is_on:
                self._send("withdraw")
                with self._changed:
                    self._changed.wait_for(lambda: (self._closing and not self._orders) or self._error is not None)
            self._end()
        except KeyboardInterrupt:
            self._process.terminate()  # it ends its actors, and nobody waits for it
            with self._changed:
                self._error = self._error or HarnessError("the cluster was left")
        with self._changed:
            found = list(self._done)
            self._done.clear()
        return found

    def _end(self) -> None:
        was_lost = isinstance(self._error, HarnessError)
        if self._process.poll() is None:
            try:
                self._connection.send(("stop",))
                self._process.wait(_CLOSE_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        if not was_lost:
            self._log.unlink(missing_ok=True)

    # The broker -------------------------------------------------------------------------------------------------------

    def _send(self, *message: object) -> None:
        with self._changed:
            self._raise()
        try:
            self._connection.send(message)
        except OSError:  # it has ended, and the other thread says why
            with self._changed:
                self._changed.wait_for(lambda: self._error is not None, _CLOSE_SECONDS)
                self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _await(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something holds; where that is not so in time, everything ends."""
        with self._changed:
            self._changed.wait_for(lambda: holds() or self._error is not None, seconds)
            if self._error is None and not holds():
                place = self._options.place
                self._error = SeedshiftUsageError(
                    f"{address.OPTION}={place}: no Ray cluster {what} within {seconds:.0f} s"
                )
            error = self._error
        if error is not None:
            self._process.kill() if not self.device else None
            self._end()
            raise error

    def _listen(self) -> None:
        """Hear what the broker says, until it has ended."""
        while True:
            try:
                name, *values = self._connection.recv()
            except (EOFError, OSError):
                break
            with self._changed:
                try:
                    getattr(self, f"_on_{name}")(*values)
                except Exception as error:  # a fault of this package: no thread dies with nobody hearing of it
                    self._error = HarnessError(f"what the cluster has sent ({name}) cannot be read: {error!r}")
                self._changed.notify_all()
        with self._changed:
            if self._error is None:
                self._error = HarnessError(
                    f"the Ray cluster was lost ({address.OPTION}={self._options.place}). What was made is kept, and "
                    f"the next run goes on from there. What Ray said is in {self._log}"
                )
            self._changed.notify_all()

    def _on_connected(self, device: str, nodes: Sequence[Node]) -> None:
        self.device, self.nodes = device, tuple(nodes)

    def _on_refused(self, kind: str, said: str) -> None:
        self._error = SeedshiftUsageError(said) if kind == "usage" else HarnessError(said)

    def _on_slots(self, slots: Sequence[Slot], submitted: int, is_on: bool) -> None:
        if [each.name for each in slots] != [each.name for each in self._slots]:
            self._news = True
        for _ in range(submitted - self._heard):
            self._submitted.popleft()
        self._heard, self._is_on = submitted, is_on
        self._slots = tuple(slots)
        for slot, model in self._submitted:  # those that are on their way
            self._slots = _with(self._slots, slot, model)

    def _on_look(self, look: Look) -> None:
        self.looks.append(look)

    def _on_began(self, began: Began) -> None:
        self.began.append(began)

    def _on_done(
        self, number: int, slot: str, packed: Sequence[bytes], failed: Mapping[int, str], unusable: str, seconds: float
    ) -> None:
        order = self._orders.pop(number)
        places = {row: place for place, row in enumerate(order.rows)}
        made = sorted((each for part in packed for each in wire.unpacked(part)), key=lambda each: places[each.row])
        why = {order.rows[place]: said for place, said in failed.items()}
        self._done.append(Done(order, slot, tuple(made), why, unusable, seconds))

    def _on_withdrawn(self, number: int) -> None:
        del self._orders[number]

    def _on_closing(self, _: int) -> None:
        self._closing = True

    def _on_load(self, slot: str, model: str, seconds: float) -> None:
        self.loads.append((slot, model, seconds))

    def _on_size(self, model: str, _: str, kind: str, size: int) -> None:
        self._sizes[model, kind] = size

    def _on_answer(self, number: int, answer: Mapping[str, Any]) -> None:
        self._answers[number] = answer

    def _on_note(self, *said: str) -> None:
        self.notes += [each for each in said if each not in self.notes]


def _with(slots: Sequence[Slot], name: str, model: str) -> tuple[Slot, ...]:
    """Slots of which one has one more order."""
    return tuple(replace(each, model=model, waiting=each.waiting + 1) if each.name == name else each for each in slots)
