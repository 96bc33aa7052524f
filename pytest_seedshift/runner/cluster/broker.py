"""The process that is Ray's driver: it keeps actors, hands them orders, and tells the pytest process what comes of it.

It ends when that process does, and all that it has started with it. What it says, and what Ray says, goes to a log.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import HarnessError, SeedshiftError, SeedshiftUsageError
from pytest_seedshift.runner.cluster import crew, link

if TYPE_CHECKING:
    from pytest_seedshift.runner.cluster.protocol import Options

_TICK = 1.0
"""Seconds between two looks at the cluster."""

_SILENCE = 45.0
"""So long may Ray not answer before it counts as lost; it ends this process itself after a minute."""


_LOST = "the Ray cluster does not answer any more. What was made before is kept, and the next run goes on from there"


class Broker:
    """All that happens comes as an event, one after another: messages, Ray's answers, and looks at the cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._speaks = threading.Lock()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._crew: crew.Crew | None = None
        self._heard = time.monotonic()
        self._running = True

    def run(self) -> None:
        """Serve until the pytest process is gone or has said so."""
        try:
            options: Options = self._connection.recv()
            link.prepare(options.place, without_token=options.without_token)
            link.connect(options)
            self._crew = crew.Crew(options, self.say, self.later)
            self._crew.see(link.nodes())
            self.say("connected", self._crew.device, self._crew.nodes)
        except SeedshiftError as error:
            self._refuse(error)
            return
        except EOFError:
            return
        self._heard = time.monotonic()
        for work in (self._listen, self._look, self._watch):
            threading.Thread(target=work, daemon=True).start()
        while self._running:
            try:
                event = self._events.get(timeout=_TICK)
            except queue.Empty:
                event = self._check
            try:
                event()
            except SeedshiftError as error:
                self._refuse(error)
                return

    def say(self, *message: object) -> None:
        """Tell the pytest process something."""
        try:
            with self._speaks:
                self._connection.send(message)
        except OSError:  # it is gone
            self._running = False

    def later(self, event: Callable[[Future[Any]], None]) -> Callable[[Future[Any]], None]:
        """What hears of an answer in Ray's thread, and has it looked at here."""
        return lambda answer: self._events.put(lambda: event(answer))

    def _refuse(self, error: SeedshiftError) -> None:
        self.say("refused", "usage" if isinstance(error, SeedshiftUsageError) else "harness", str(error))

    def _check(self) -> None:
        assert self._crew is not None
        self._crew.check()

    def _listen(self) -> None:
        """Hear what the pytest process says."""
        while True:
            try:
                name, *values = self._connection.recv()
            except (EOFError, OSError):
                self._events.put(self._stop)
                return
            self._events.put(lambda name=name, values=values: self._do(name, values))  # type: ignore[misc]

    def _do(self, name: str, values: list[Any]) -> None:
        assert self._crew is not None
        if name == "stop":
            self._stop()
        else:
            getattr(self._crew, name)(*values)

    def _stop(self) -> None:
        self._running = False

    def _look(self) -> None:
        """Look at the cluster every second, apart from all else: where it is lost Ray does not return from it."""
        while self._running:
            try:
                found = link.nodes()
            except Exception as error:  # of Ray, whatever it is
                print(f"the cluster cannot be looked at: {error}", file=sys.stderr, flush=True)
            else:
                self._heard = time.monotonic()
                self._events.put(lambda found=found: self._see(found))  # type: ignore[misc]
            time.sleep(_TICK)

    def _watch(self) -> None:
        """End this process where Ray is lost: whatever else is asked of it then may never return."""
        while self._running:
            time.sleep(_TICK)
            if time.monotonic() - self._heard > _SILENCE:
                self._refuse(HarnessError(_LOST))
                os._exit(1)

    def _see(self, found: list[dict[str, Any]]) -> None:
        assert self._crew is not None
        self._crew.see(found)
        self._crew.check()


def main(descriptor: int) -> None:
    """Serve the pytest process at the other end of a socket."""
    connection = Connection(descriptor)
    try:
        Broker(connection).run()
    finally:
        link.leave()
        connection.close()
