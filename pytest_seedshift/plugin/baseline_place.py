"""Where a session's baseline lies, which of a folder of baselines it is, and where the run is saved as one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import atomic_files, messages
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.plugin import border

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session_views import Asked
    from pytest_seedshift.results.environments import Candidate, Environment

IF_MISSING = "--seedshift-baseline-if-missing=save"


class BaselinePlace:
    """The places of a session's baseline. Nothing is read before it is needed."""

    def __init__(self, session: Asked, environment: Callable[[], Environment]) -> None:
        """Nothing is read yet. `environment` gives that of the session."""
        self._session = session
        self._environment = environment

    @cached_property
    def named(self) -> Path | None:
        """What the user names: a baseline, or a folder of baselines; None where nothing is named."""
        settings, table = self._session.settings, self._session.thresholds.baseline
        if settings.baseline is not None or table.path is None:
            return settings.baseline
        return Path(self._session.thresholds.source).parent / table.path

    @cached_property
    def chosen(self) -> Path | None:
        """The baseline that the run is held against; None where there is none, or where this run makes the first one.

        Raises:
            pytest.UsageError: none of a folder fits, or one is damaged.
        """
        place = self.named
        if place is None or self.is_first or not _is_folder(place):
            return None if self.is_first else place
        from pytest_seedshift.results import environments

        found, ours = self._nearest, self.environment
        assert found is not None  # a folder of baselines has one
        if found.machine(ours):
            raise self.refusal(environments.unfit(found, ours, messages.relative(str(place))))
        return found.path

    @property
    def is_first(self) -> bool:
        """Whether the run makes the baseline that it names and that is not there yet; at its end it will be."""
        return self.named is not None and (self.makes_missing or (self.saves_to(self.named) and self._is_lacking))

    @cached_property
    def makes_missing(self) -> bool:
        """Whether it does so because the user asked that a baseline that is missing be made."""
        return self._session.settings.baseline_if_missing == "save" and self.named is not None and self._is_lacking

    @cached_property
    def target(self) -> Path | None:
        """Where the run is saved as a baseline; None where it is not.

        Raises:
            pytest.UsageError: it would be saved to two places.
        """
        saved = self._session.settings.save_baseline
        if self.makes_missing:
            assert self.named is not None
            if saved is not None and not self.saves_to(self.named):
                raise pytest.UsageError(
                    f"{IF_MISSING} would save this run to {self.named}, and --seedshift-save-baseline to {saved}: "
                    "leave one of them out"
                )
            return self.named if self.named.suffix.lower() == ".json" else self._of_ours(self.named)
        return saved if saved is None or not _is_folder(saved) else self._of_ours(saved)

    @property
    def saves_pictures(self) -> bool:
        """Whether the run is saved with its pictures: to a folder, and not to a file of scores."""
        target = self.target
        return target is not None and target.suffix.lower() != ".json" and not target.is_file()

    @cached_property
    def is_new(self) -> bool:
        """Whether it is saved to a folder of baselines that had none of that name when the run began: see `check`."""
        target = self.target
        if target is None or target == self._session.settings.save_baseline:
            return False
        return self.saves_pictures and not target.exists()

    def saves_to(self, place: Path) -> bool:
        """Whether the user has the run saved to a place."""
        saved = self._session.settings.save_baseline
        return saved is not None and saved.resolve() == place.resolve()

    @property
    def replaces(self) -> bool:
        """Whether the run is saved to the very baseline that it is held against."""
        target, named = self._session.settings.save_baseline, self.named
        if target is None or named is None or not self.saves_to(named):
            return False
        return not _is_folder(named) or (self.target == self.chosen)

    def refusal(self, error: SeedshiftError) -> pytest.UsageError:
        """An error of the baseline as the session's, with where the baseline was named."""
        where = "[baseline]" if self._session.settings.baseline is None else "--seedshift-baseline"
        replaced = self.named is not None and self.saves_to(self.named) and not _is_folder(self.named)
        return pytest.UsageError(
            f"{where}: {error}{'. To make another in its place, remove that file first' if replaced else ''}"
        )

    def check(self) -> list[str]:
        """Make sure that the run can be saved where it is to be; what the user should know of the choice.

        Raises:
            pytest.UsageError: it cannot.
        """
        target, settings = self.target, self._session.settings
        if target is not None:
            _ = self.environment, self.is_new  # of a cluster, which may be gone at the end, and before others save
            option = IF_MISSING if self.makes_missing else "--seedshift-save-baseline"
            if self.saves_pictures and settings.keep_images == "none":
                raise pytest.UsageError(
                    f"{option}: {target} keeps all pairs' pictures, and --seedshift-keep-images=none keeps none. "
                    "Remove the latter, or name a file that ends in .json, for scores alone"
                )
            with border.usage_errors():
                from pytest_seedshift.results import baseline_folder

                if self.saves_pictures:
                    baseline_folder.check_free(target, option)
                file = target / baseline_folder.FILE_NAME if self.saves_pictures else target
                atomic_files.check_writable(file, option, parents=True)
        return [] if self.named is None or self.chosen is None else self._notes(self.named)

    # ------------------------------------------------------------------------------------------------------------------

    def _notes(self, named: Path) -> list[str]:
        from pytest_seedshift.results import environments

        if not _is_folder(named) or self._nearest is None:
            return []
        said = environments.note(self._nearest, self.environment, messages.relative(str(named)))
        return [] if said is None else [f"{said}: it is compared with"]

    @cached_property
    def environment(self) -> Environment:
        """On what this session makes pictures.

        Raises:
            pytest.UsageError: the device is not there.
        """
        return self._environment()

    @cached_property
    def _is_lacking(self) -> bool:
        """Whether what is named has no baseline for this session: there is nothing yet, or nothing that fits."""
        from pytest_seedshift.results import environments

        place = self.named
        if place is None or not _is_folder(place):
            return place is not None and environments.is_free(place)
        return self._nearest is None or bool(self._nearest.machine(self.environment))

    @cached_property
    def _nearest(self) -> Candidate | None:
        """Of the folder that is named, the baseline that is nearest."""
        from pytest_seedshift.results import environments

        assert self.named is not None
        name, ours = messages.relative(str(self.named)), self.environment
        try:
            return environments.nearest(environments.candidates(self.named, name), ours, name)
        except SeedshiftError as error:
            raise self.refusal(error) from None

    def _of_ours(self, folder: Path) -> Path:
        """Where in a folder of baselines that of this session's environment lies, or will."""
        from pytest_seedshift.results import environments

        ours, name = self.environment, messages.relative(str(folder))
        with border.usage_errors("--seedshift-save-baseline: "):
            found = environments.nearest(environments.candidates(folder, name), ours, name) if folder.is_dir() else None
        if found is not None and not found.differences(ours):
            return found.path
        if (folder / ours.name).exists():
            raise pytest.UsageError(
                f"{name}/{ours.name} is there and is not a baseline of {ours.describe()}: remove it, or give it "
                "another name"
            )
        return folder / ours.name


def _is_folder(path: Path) -> bool:
    from pytest_seedshift.results import environments

    return environments.is_folder(path)
