"""The cluster of a session: joined when its device is asked for, begun when it is known what is to be made there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_seedshift.plugin import border

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.runner.cluster.executor import ClusterExecutor
    from pytest_seedshift.runner.cluster.setup import Setup


class ClusterUse:
    """Joins, and begins once."""

    def __init__(self, settings: Settings, say: Callable[[Iterable[str]], None]) -> None:
        """Nothing is asked of Ray yet; `say` tells the user what takes its time."""
        self._settings = settings
        self._say = say
        self._executor: ClusterExecutor | None = None
        self._has_begun = False
        self._told = 0

    @property
    def is_asked(self) -> bool:
        """Whether images are to be made on a cluster: a plan is made without one."""
        return self._settings.cluster is not None and not self._settings.plan

    @property
    def executor(self) -> ClusterExecutor:
        """The cluster, joined.

        Raises:
            pytest.UsageError: there is none, or it must not be used.
        """
        if self._executor is None:
            from pytest_seedshift.runner.cluster.executor import ClusterExecutor
            from pytest_seedshift.runner.cluster.protocol import Options

            settings = self._settings
            assert settings.cluster is not None
            self._say([f"seedshift: {settings.cluster.joining}"])
            with border.usage_errors():
                self._executor = ClusterExecutor(
                    Options(
                        settings.cluster,
                        device=settings.device,
                        gpus_per_model=settings.gpus_per_model,
                        order_seconds=settings.cluster_timeout,
                        without_token=settings.cluster_without_token,
                    )
                )
        return self._executor

    def begin(self, given: Callable[[str], Setup], root: Path) -> list[str]:
        """Start the actors, and have each machine looked at.

        Args:
            given: what the actors have to know, by the kind of their device.
            root: the project's folder.

        Returns:
            Warnings for the user.

        Raises:
            pytest.UsageError: a machine cannot be used; the message names it.
        """
        if self._has_begun:
            return []
        self._has_begun = True
        self._say(["seedshift: looking at each machine of the cluster, and starting its processes"])
        with border.usage_errors():
            self.executor.begin(given(self.executor.device), root)
        found = list(self.executor.notes)
        self._told = len(found)
        return found

    @property
    def notes(self) -> list[str]:
        """What has become of its processes and machines since it began."""
        return [] if self._executor is None else self._executor.notes[self._told :]

    @property
    def loads(self) -> list[str]:
        """For each time that a model was loaded, where."""
        return [] if self._executor is None else [slot for slot, _, _ in self._executor.loads]

    def leave(self) -> None:
        """Let everything go that was not let go before."""
        if self._executor is not None:
            self._executor.close()
