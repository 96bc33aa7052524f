"""Runs cases on their way: what they need is looked up in the store, and made where it is not there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_seedshift.core.cases import CaseError, UnusableModelError, judging_case
from pytest_seedshift.runner.needs import Need, Supply, next_step
from pytest_seedshift.runner.orders import Order
from pytest_seedshift.runner.work import NONE, Work

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.case_result import OnProgress
    from pytest_seedshift.runner.needs import Expected, Steps
    from pytest_seedshift.runner.orders import Done, Executor, Row
    from pytest_seedshift.runner.sample_service import SampleService
    from pytest_seedshift.runner.samples import Sample

_Result = TypeVar("_Result")


class Scheduler:
    """Runs one case after the other, with batches that are made for it alone."""

    looks_ahead = False
    """Whether it makes use of knowing which jobs are to come."""

    def __init__(self, service: SampleService, executor: Executor) -> None:
        self._service = service
        self._executor = executor
        self._orders = 0

    def run(self, steps: Steps[_Result], progress: OnProgress | None = None) -> _Result:
        """Run a case, or a search for a breaking point, to its end.

        Args:
            steps: it, on its way.
            progress: called before every batch of which the verdict may be the end.

        Raises:
            CaseError: it cannot be judged.
        """
        failed: dict[tuple[Case, Pair], str] = {}
        generated, model = NONE, ""
        try:
            need = next(steps)
            while True:
                model = need.case.model
                if progress is not None and need.outlook is not None:
                    progress(need.outlook.progress(need.case, generated.generated))
                try:
                    supply = self._meet(need, failed)
                except Exception as error:  # the case says what it was about
                    need = steps.throw(error)
                else:
                    generated += supply.work
                    need = steps.send(supply)
        except StopIteration as end:
            if generated.generated:
                self._service.remember(model, generated)
            result: _Result = end.value
            return result
        finally:
            steps.close()

    def expect(self, jobs: Iterable[Expected]) -> None:
        """Know of jobs that will be asked for; here one is begun when it is."""

    def result(self, job: Expected, progress: OnProgress | None = None) -> Any:
        """What comes of a job; see `run`.

        Raises:
            CaseError: it cannot be judged.
        """
        return self.run(job.begin(), progress)

    def call(self, model: str, study: Callable[..., Any], *arguments: object) -> Any:
        """What a study says of a model: see `Executor.call`."""
        return self._executor.call(model, study, *arguments)

    def close(self) -> None:
        """Nothing is being made."""
        self._executor.close()

    def collect(
        self, case: Case, design: Sequence[Pair], images: int | None = None, shown: frozenset[Pair] = frozenset()
    ) -> Supply:
        """The samples of the first `images` pairs of a case's design (None: of all), whatever is in them.

        What does not exist is made, the control in whole batches, so that there may be more. Those of `shown` need a
        picture.

        Raises:
            CaseError: a sample cannot be made.
        """
        with judging_case(case):
            until = len(design) if images is None else images
            return self._meet(Need(case, design, 0, until, None, shown), {})

    # What a need is met with ------------------------------------------------------------------------------------------

    def _meet(self, need: Need, failed: dict[tuple[Case, Pair], str]) -> Supply:
        """What there is for a need, as much of it as shall be made now.

        Raises:
            CaseError: the next sample cannot be made.
        """
        end = need.until if need.until is not None else need.seen + self._further(need)
        pairs = need.design[need.seen : end]
        found = self._service.samples(need.case.model).find(need.case, pairs, need.shown)
        work = NONE
        if len(found) < len(pairs):
            found |= self._service.score_anew(need.case, _without(pairs, found), need.shown)
        if [pair for pair in _without(pairs, found) if (need.case, pair) not in failed]:
            size = self._executor.batch_size(need.case.model, self._slot)  # loads the model
            if need.case.is_control:  # whoever needs it makes it in the batches that its design falls into
                end = min(math.ceil(end / size) * size, len(need.design))
                pairs = need.design[need.seen : end]
            made, work = self._make(need, _without(pairs, found), size, failed)
            found |= made
        return Supply(self._first(need, pairs, found, failed), work)

    def _further(self, need: Need) -> int:
        """How many more pairs a case visits next, where any will do."""
        overlaps = self._service.pool.overlaps
        certain = need.certain() if overlaps else 0
        return next_step(self._service.batch_size(need.case.model), need.likely - need.seen, certain - need.seen)

    def _first(
        self, need: Need, pairs: Sequence[Pair], found: dict[Pair, Sample], failed: dict[tuple[Case, Pair], str]
    ) -> list[Sample]:
        """The samples up to the first one that cannot be made.

        Raises:
            CaseError: that is too few of them.
        """
        samples: list[Sample] = []
        for pair in pairs:
            if pair not in found:
                if not samples or need.until is not None:
                    raise CaseError(failed[need.case, pair])
                break
            samples.append(found[pair])
        return samples

    def _make(
        self, need: Need, pairs: Sequence[Pair], size: int, failed: dict[tuple[Case, Pair], str]
    ) -> tuple[dict[Pair, Sample], Work]:
        """Make samples of a case, by one process at a time."""
        case, service = need.case, self._service
        with service.folder.lock(case.id):
            found = service.samples(case.model).find(case, pairs, need.shown)
            lacking = [pair for pair in _without(pairs, found) if (case, pair) not in failed]
            rows, start = service.rows(case, lacking, need.shown), time.perf_counter()
            orders = [self._order(case.model, rows[place : place + size]) for place in range(0, len(rows), size)]
            for order in orders:
                self._executor.submit(self._slot, order)
            left = len(orders)
            while left:
                for done in self._executor.wait():
                    left -= 1
                    found |= self._kept(done, need.shown, failed)
            return found, Work(len(rows), time.perf_counter() - start)

    def _order(self, model: str, rows: Sequence[Row]) -> Order:
        self._orders += 1
        return Order(self._orders - 1, model, tuple(rows))

    def _kept(self, done: Done, shown: Collection[Pair], failed: dict[tuple[Case, Pair], str]) -> dict[Pair, Sample]:
        """Store what came of an order, and note of which rows nothing came.

        Raises:
            UnusableModelError: the model cannot be used.
        """
        if done.unusable:
            raise UnusableModelError(done.unusable)
        failed |= {(row.case, row.pair): reason for row, reason in done.failed.items()}
        kept = self._service.keep(done.made, shown)
        return {row.pair: sample for row, sample in kept.items()}

    @property
    def _slot(self) -> str:
        (slot,) = self._executor.slots()
        return slot.name


def _without(pairs: Sequence[Pair], found: Collection[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair not in found]


def in_whole_batches(pairs: Sequence[Pair], size: int, lacking: Collection[Pair]) -> list[Pair]:
    """Of the batches that pairs fall into from the first on, those that hold one that is lacking, whole."""
    sought = frozenset(lacking)
    batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [pair for batch in batches if sought.intersection(batch) for pair in batch]
