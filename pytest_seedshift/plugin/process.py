"""This process among those that pytest-xdist shares a session between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


class Process:
    """What pytest-xdist makes of this process: its controller, one of its workers, or neither."""

    def __init__(self, config: pytest.Config) -> None:
        """Nothing is read yet: pytest-xdist may still be about to start."""
        self._config = config

    @property
    def workerinput(self) -> Mapping[str, Any]:
        """What the controller gave this worker; empty where this process is none."""
        given: Mapping[str, Any] = getattr(self._config, "workerinput", {})
        return given

    @property
    def worker(self) -> str:
        """The name of this worker, such as `gw0`; empty where this process is none."""
        return str(self.workerinput.get("workerid", ""))

    @property
    def distributes(self) -> bool:
        """Whether this process leaves the cases to workers."""
        return self._config.pluginmanager.hasplugin("dsession")

    @property
    def workers(self) -> int:
        """How many processes share the cases."""
        return len(self._config.getoption("tx", None) or ()) or 1
