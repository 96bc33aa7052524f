"""The samples of one case on one design: those that exist are found, the others are made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.runner.finishing import finish
from pytest_seedshift.runner.overlap import overlapped
from pytest_seedshift.runner.work import NONE, Work

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.generate import Batch
    from pytest_seedshift.runner.sample_service import SampleService
    from pytest_seedshift.runner.samples import Sample


class Sampling:
    """A case on its way: gets the samples of its pairs and of its control's, and counts what is generated for that."""

    def __init__(
        self,
        service: SampleService,
        case: Case,
        design: Sequence[Pair],
        *,
        shown: Collection[Pair] | None = None,
        before: Work = NONE,
    ) -> None:
        """Get the samples of a case's pairs, which are of `design`.

        Those of `shown` need a picture; None for what the service shows of the design. `before` was generated for the
        case already.
        """
        self.case = case
        self.design = design
        self.shown = frozenset(service.shown(design) if shown is None else shown)
        self._service = service
        self._work = before

    @property
    def work(self) -> Work:
        """What was generated so far, for the case and for its control."""
        return self._work

    def collect(self, pairs: Sequence[Pair]) -> list[Sample]:
        """The case's samples of some pairs, in their order; what does not exist is made, by one process at a time.

        Raises:
            CaseError: a sample cannot be made. (And StoreError, OSError, ValueError: see `judging_case`.)
        """
        return self._collect(self.case, pairs)

    def control(self, images: int) -> list[Sample]:
        """The control's samples of at least the first `images` pairs of the design.

        Whoever needs them, in whatever order and process, makes them in the same batches: those that the design falls
        into from its start, whole. A sample's last digits depend on what it shares a batch with, and no verdict may
        depend on which cases have run before.

        Raises:
            CaseError: see `collect`.
        """
        control, wanted = self.case.control, self.design[:images]
        found = self._service.samples(control.model).find(control, wanted, self.shown)
        if len(found) == len(wanted):
            return list(found.values())
        size = self._service.engine(control.model).batch_size
        end = math.ceil(images / size) * size
        self._collect(control, in_whole_batches(self.design[:end], size, _without(wanted, found)))
        return self._collect(control, self.design[:end])

    def make(self, pairs: Sequence[Pair], also: Callable[[Sequence[Pair], Tensor], None]) -> None:
        """Make the case's samples of some pairs whether they exist or not, and give each batch's images to `also`.

        For what is measured on images besides their scores. Scores that exist stay as they are.

        Raises:
            CaseError: see `collect`.
        """
        engine = self._service.engine(self.case.model)

        def keep(batch: Batch) -> int:
            self._service.keep(finish(batch), self.shown)
            also(batch.pairs, batch.images)
            return len(batch.pairs)

        with self._service.folder.lock(self.case.id):
            start = time.perf_counter()
            batches = engine.run_rows(self._service.rows(self.case, pairs, self.shown))
            generated = sum(overlapped(batches, keep, overlap=self._service.pool.overlaps))
            self._work += Work(generated, time.perf_counter() - start)

    def measure(self, images: int | None = None) -> None:
        """Make the next batch of the design's first `images` pairs of the case, and as it will be made for its verdict.

        Raises:
            CaseError: see `collect`.
        """
        missing = self._service.missing(self.case, self.design[:images])
        missing = missing[: self._service.engine(self.case.model).batch_size]
        if self.case.is_control and missing:
            self.control(self.design.index(missing[0]) + 1)
        else:
            self.collect(missing)

    def _collect(self, case: Case, pairs: Sequence[Pair]) -> list[Sample]:
        service = self._service
        samples = service.samples(case.model)
        found = samples.find(case, pairs, self.shown)
        if len(found) < len(pairs):
            found |= service.score_anew(case, _without(pairs, found), self.shown)
        if len(found) < len(pairs):
            engine = service.engine(case.model)  # loaded before the lock, so that others wait for images only
            with service.folder.lock(case.id):
                found |= samples.find(case, _without(pairs, found), self.shown)
                missing = service.rows(case, _without(pairs, found), self.shown)
                start = time.perf_counter()
                for made in overlapped(
                    engine.run_rows(missing),
                    lambda batch: service.keep(finish(batch), self.shown),
                    overlap=service.pool.overlaps,
                ):
                    found |= {row.pair: sample for row, sample in made.items()}
                self._work += Work(len(missing), time.perf_counter() - start)
        return [found[pair] for pair in pairs]


def in_whole_batches(pairs: Sequence[Pair], size: int, lacking: Collection[Pair]) -> list[Pair]:
    """Of the batches that pairs fall into from the first on, those that hold one that is lacking, whole."""
    sought = frozenset(lacking)
    batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [pair for batch in batches if sought.intersection(batch) for pair in batch]


def _without(pairs: Sequence[Pair], found: Collection[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair not in found]
