"""The run folder as one session uses it: made ready and occupied before its cases, left when all is written."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import locks, messages
from pytest_seedshift.results.folder_mark import FolderError

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.results.run_folder import RunFolder


class FolderUse:
    """Occupies the run folder, and knows whether the samples in it are still those of this session."""

    def __init__(self, folder: RunFolder, settings: Settings) -> None:
        """Nothing is made yet."""
        self._folder = folder
        self._fresh = settings.fresh
        self.only_plans = settings.plan and settings.fresh
        """Whether the plan of a fresh start is asked for: then the store that is there has no part in it."""
        self._occupied: BaseFileLock | None = None
        self._store: tuple[int, int] | None = None
        """Which file the store was when the session began."""

    @property
    def samples(self) -> str:
        """Where the samples of this session lie, as the user knows it; empty where they are not there any more."""
        from pytest_seedshift.results import sample_tables

        there = sample_tables.which(self._folder.samples_file)
        kept = there is not None and self._store in (None, there)
        return messages.relative(str(self._folder.samples_file)) if kept else ""

    def check(self) -> None:
        """See `RunFolder.check`.

        Raises:
            pytest.UsageError: it is not one that may be used.
        """
        try:
            self._folder.check()
        except FolderError as error:
            raise pytest.UsageError(f"--seedshift-dir={error}") from None
        except OSError:
            pass  # `prepare` says so

    def prepare(self, *, occupy: bool = True) -> list[str]:
        """Make the run folder and the store.

        Args:
            occupy: say that this session writes to it: left to the controller by a worker of pytest-xdist.

        Returns:
            Warnings for the user.

        Raises:
            pytest.UsageError: one of them cannot be used.
        """
        from pytest_seedshift.results import sample_store, sample_tables

        folder = self._folder
        try:
            folder.prepare()
            if occupy and self._occupied is None:
                self._occupied = folder.occupy()
            if self.only_plans:
                return []
            with folder.lock("store"):  # two sessions that begin at once must not set each other's store aside
                warning = sample_store.prepare(folder.samples_file, fresh=self._fresh)
                self._store = sample_tables.which(folder.samples_file)
                if self._fresh:
                    folder.forget_measurements()
        except FolderError as error:
            raise pytest.UsageError(f"--seedshift-dir={error}") from None
        except locks.LockError as error:
            raise pytest.UsageError(f"--seedshift-dir={folder.path}: {error.strerror}") from None
        except OSError as error:
            raise pytest.UsageError(
                f"--seedshift-dir={folder.path}: the run folder cannot be written to: {error.strerror} "
                f"({error.filename})"
            ) from None
        except sample_tables.StoreError as error:
            raise pytest.UsageError(str(error)) from None
        return [] if warning is None else [warning]

    def forget_states(self) -> None:
        """Remove what trajectories were compared with, unless another session may need it."""
        if self._occupied is not None:
            with suppress(OSError):
                if not self._folder.is_occupied(besides=self._occupied):
                    self._folder.forget_states()

    def leave(self) -> None:
        """Let others know that nothing more is written to the run folder."""
        if self._occupied is not None:
            locks.leave(self._occupied)
            self._occupied = None
