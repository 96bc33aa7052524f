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
            pytest.UsageError: thresholds, number of images, run folder, device or weights that cannot be used.
        """
        from pytest_seedshift.workbench import design_of

        models = {}
        for item in items:
            case = collection.case_of(item)
            if case is None:
                continue
            models[case.model] = catalogue.find(case.model)
            if collection.is_reliability(item):
                self.constraints(item, case)
                try:
                    design_of(case.model, self.request(item).settings.images)
                except ValueError as error:
                    raise pytest.UsageError(f"{item.nodeid}: {error}") from None
        try:
            for entry in models.values():
                catalogue.check_weights(entry)
        except WeightsNotFoundError as error:
            raise pytest.UsageError(str(error)) from None
        _ = self.workbench  # finds out about the device
        if not self.is_worker:
            try:
                self.folder.prepare(keep_samples=self.settings.plan)
            except OSError as error:
                raise pytest.UsageError(
                    f"--seedshift-dir={self.folder.path}: the run folder cannot be written to: {error.strerror}"
                ) from None
