"""What the plugin knows during one pytest session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift import collection, options
from pytest_seedshift.models import catalogue
from pytest_seedshift.names import MARKER
from pytest_seedshift.store import RunFolder
from pytest_seedshift.weights import WeightsNotFoundError

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.thresholds import Thresholds
    from pytest_seedshift.verdict import Constraint
    from pytest_seedshift.workbench import Workbench


@dataclass
class State:
    """Settings, thresholds and the workbench, each made when it is first needed."""

    config: pytest.Config
    settings: options.Settings
    _thresholds: Thresholds | None = None
    _workbench: Workbench | None = None

    @property
    def folder(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.settings.folder)

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker of pytest-xdist."""
        return hasattr(self.config, "workerinput")

    @property
    def thresholds(self) -> Thresholds:
        """All thresholds.

        Raises:
            pytest.UsageError: the file says something invalid.
        """
        if self._thresholds is None:
            from pytest_seedshift import thresholds

            try:
                self._thresholds = thresholds.load(self.settings.thresholds, self.config.rootpath, catalogue.find)
            except thresholds.ThresholdsError as error:
                raise pytest.UsageError(str(error)) from None
        return self._thresholds

    @property
    def workbench(self) -> Workbench:
        """Where models are held and samples are made.

        Raises:
            pytest.UsageError: the device is not there.
        """
        if self._workbench is None:
            from pytest_seedshift import devices
            from pytest_seedshift.workbench import Workbench

            try:
                device, dtype = devices.resolve(self.settings.device, self.settings.dtype)
            except ValueError as error:
                raise pytest.UsageError(f"--seedshift-device: {error}") from None
            if device == "cpu" and self.is_worker:
                devices.share_cores(getattr(self.config, "workerinput", {}).get("workercount", 1))
            self._workbench = Workbench(self.folder, device, dtype, self.settings.batch_size)
        return self._workbench

    def request(self, item: pytest.Item) -> collection.Request:
        """What the item's test asks for."""
        return collection.read_marker(self.settings, item.get_closest_marker(MARKER), item.nodeid)

    def constraints(self, item: pytest.Item, case: Case) -> tuple[Constraint, ...]:
        """What is asked of an item's case.

        Raises:
            pytest.UsageError: nothing at all.
        """
        override = self.request(item).constraints
        try:
            return self.thresholds.constraints(case, override)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None

    def check(self, items: Iterable[pytest.Item]) -> None:
        """Find every mistake of the user that can be found before anything is generated.

        Raises:
            pytest.UsageError: a case without a threshold, or what `check_ground` finds.
        """
        designs = []
        for item in items:
            case = collection.case_of(item)
            if case is not None:
                judged = collection.is_reliability(item)
                if judged:
                    self.constraints(item, case)
                designs.append((case.model, self.request(item).settings.images if judged else None))
        self.check_ground(designs)

    def check_ground(self, designs: Iterable[tuple[str, int | None]]) -> None:
        """Check what all cases stand on: models with their numbers of images, thresholds, device, run folder.

        Raises:
            pytest.UsageError: one that cannot be used.
        """
        from pytest_seedshift.workbench import design_of

        _ = self.thresholds
        try:
            for model, images in dict.fromkeys(designs):
                design_of(model, images)
                catalogue.check_weights(catalogue.find(model))
        except (ValueError, WeightsNotFoundError) as error:
            raise pytest.UsageError(str(error)) from None
        _ = self.workbench
        try:
            self.folder.prepare(keep_samples=self.settings.plan)
        except OSError as error:
            raise pytest.UsageError(
                f"--seedshift-dir={self.folder.path}: the run folder cannot be written to: {error.strerror}"
            ) from None
