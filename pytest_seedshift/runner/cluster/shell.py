"""The actor as Ray sees it. It goes to other machines by value and needs nothing there but Python.

So a machine that lacks this package, or has another version of it, can say so itself.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Shell:
    """A process with its device. One thread draws; what is drawn is scored beside the next where that pays off."""

    def __init__(self, packages: list[str]) -> None:
        """`packages` are those whose versions are told."""
        self._packages = packages
        self._drawing = ThreadPoolExecutor(1, "seedshift-drawing")
        self._station: Any = None
        self._beside: Any = None

    async def about(self) -> dict[str, Any]:
        """What this process is and where it runs; nothing heavy is imported for it."""
        import os
        import platform
        from importlib.metadata import PackageNotFoundError, version

        import ray
        from ray import _raylet

        versions = {"Python": platform.python_version()}
        for package in self._packages:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                versions[package] = ""
        return {
            "pid": os.getpid(),
            "host": platform.node(),
            "versions": versions,
            "token": _raylet.get_authentication_mode() == _raylet.AuthenticationMode.TOKEN,  # type: ignore[attr-defined]
            "gpus": [str(each) for each in ray.get_runtime_context().get_accelerator_ids().get("GPU", [])],
        }

    async def begin(self, start: dict[str, Any], packed: bytes) -> dict[str, Any]:
        """Become like the driver's process.

        Args:
            start: `path` (modules are looked for there too), `environment`, `examine` (whether the machine is looked
                at), `gpus_per_model`, `device` (its kind).
            packed: the setup.

        Returns:
            `kind` of device and, by model, `problems`; or `said`, why it cannot begin.
        """
        return await asyncio.wrap_future(self._drawing.submit(self._begin, start, packed))

    def _begin(self, start: dict[str, Any], packed: bytes) -> dict[str, Any]:
        import os
        import sys

        os.environ.update(start["environment"])  # before libraries read it
        sys.path.extend(each for each in start["path"] if each not in sys.path and os.path.exists(each))  # noqa: PTH110
        try:
            from pytest_seedshift.runner.cluster import station, wire
            from pytest_seedshift.runner.overlap import Background
        except ImportError as error:
            return {"said": f"{type(error).__name__}: {error}"}
        try:
            self._station = station.Station(wire.unpacked(packed), start["gpus_per_model"], start["device"])
            if self._station.pool.overlaps:
                self._beside = Background()
            problems = self._station.problems() if start["examine"] else {}
        except Exception as error:  # of modules of the user's own, too
            return {"said": station.packed_error(error)["said"]}
        return {"kind": self._station.kind, "device": self._station.device, "problems": problems}

    async def make(self, packed: bytes, known: int | None) -> tuple[Any, bytes]:
        """Make the rows of an order; the reply, and the images' packed values apart from it."""
        beside = await asyncio.wrap_future(self._drawing.submit(self._make, packed, known))
        reply, found = await asyncio.wrap_future(beside)
        return vars(reply), found

    def _make(self, packed: bytes, known: int | None) -> Future[Any]:
        from pytest_seedshift.runner.cluster import wire

        model, rows = wire.unpacked(packed)
        drawn = self._station.draw(model, rows, known)
        if self._beside is not None:
            beside: Future[Any] = self._beside.submit(self._station.finish, drawn)
            return beside
        done: Future[Any] = Future()
        try:
            done.set_result(self._station.finish(drawn))
        except Exception as error:  # whatever it is, who waits for the order hears of it
            done.set_exception(error)
        return done

    async def call(self, packed: bytes, model: str) -> dict[str, Any]:
        """Do a study: `found`, packed, or what it has raised."""
        return await asyncio.wrap_future(self._drawing.submit(self._call, packed, model))

    def _call(self, packed: bytes, model: str) -> dict[str, Any]:
        from pytest_seedshift.runner.cluster import station

        try:
            return {"found": self._station.call(packed, model)}
        except Exception as error:  # of a study, whatever it raises: who has asked for it hears of it
            return dict(station.packed_error(error))
