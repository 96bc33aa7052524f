"""In which batches models are made where, and how fast: taken over from earlier runs, and remembered for later ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.runner.work import NONE, Work

if TYPE_CHECKING:
    from pytest_seedshift.runner.open_cases import OpenCase
    from pytest_seedshift.runner.orders import Done, Executor
    from pytest_seedshift.runner.sample_service import SampleService


class Paces:
    """By model and kind of hardware."""

    def __init__(self, service: SampleService, executor: Executor, kinds: Mapping[str, str]) -> None:
        """`kinds` are those of slots, by name, of all that there ever were."""
        self._service = service
        self._executor = executor
        self._kinds = kinds
        self._asked: set[tuple[str, str]] = set()
        self._work: dict[tuple[str, str], Work] = defaultdict(lambda: NONE)
        self._slots: dict[tuple[str, str], str] = {}

    def batch_size(self, model: str, slot: str) -> int:
        """How many rows suit a model at a slot."""
        asked = model, self._kinds[slot]
        if asked not in self._asked and not self._executor.is_here:
            self._asked.add(asked)
            with suppress(SeedshiftError):  # of the store or of weights: those who need them say so
                if (known := self._service.batch_size_on(*asked)) is not None:
                    self._executor.know(*asked, known)
        return self._executor.batch_size(model, slot)

    def count(self, done: Done) -> None:
        """An order has ended."""
        if done.made:
            where = done.order.model, self._kinds[done.slot]
            self._work[where] += Work(len(done.made), done.seconds)
            self._slots[where] = done.slot

    def remember(self, case: OpenCase) -> None:
        """Something has ended: remember what is known by now of its model.

        Raises:
            SeedshiftError: the store cannot be written.
        """
        if self._executor.is_here:
            if case.work.generated:
                self._service.remember(case.model, case.work)
            return
        for (model, kind), slot in list(self._slots.items()):
            size = self._executor.batch_size(model, slot)
            self._service.remember_on(model, kind, size, self._work[model, kind])
        self._slots.clear()
