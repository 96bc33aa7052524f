"""What is still to come, and how long it will take at the pace so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_seedshift.report.plan import Plan, Planned
    from pytest_seedshift.report.records import Record


class Outlook:
    """The cases of a plan that have not ended yet, and the pace of each model."""

    def __init__(self, plan: Plan | None = None, *, workers: int = 1) -> None:
        """`workers` processes share the work."""
        self._to_come: dict[str, Planned] = {case.nodeid: case for case in plan.cases} if plan else {}
        self._paces = dict(plan.paces) if plan else {}
        self._workers = max(workers, 1)
        self._generated: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._images = 0
        self._start = time.perf_counter()
        self.cases = len(self._to_come)
        """How many cases the plan has; 0 without one."""

    @property
    def to_come(self) -> int:
        """How many cases have not ended."""
        return len(self._to_come)

    def finish(self, record: Record) -> None:
        """Take note of a case that has ended."""
        self._to_come.pop(record["test"], None)
        self._images += record["generated"]
        if record["generated"]:
            self._generated[record["model"]] += record["generated"]
            self._seconds[record["model"]] += record["seconds"]
            self._paces[record["model"]] = self._seconds[record["model"]] / self._generated[record["model"]]

    def now(self, in_work: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
        """Images per second so far, and seconds left; None where nothing is known of them.

        Args:
            in_work: of each case in work its `id`, its `images` so far, how many are `expected` in the end, and how
                many were `generated`; of a search for a breaking point see `records.of_progress`.
        """
        made = self._images + sum(each["generated"] for each in in_work)
        if not made:
            self._start = time.perf_counter()  # loading is no part of the pace
        elapsed = time.perf_counter() - self._start
        pace = made / elapsed if made and elapsed else None
        by_id = {each["id"]: each for each in in_work}
        left = 0.0
        for case in self._to_come.values():
            at = by_id.get(case.case)
            images = case.to_make if at is None else _left(case, at)
            if images and case.model not in self._paces:
                return pace, None
            left += images * self._paces.get(case.model, 0.0)
        return pace, left / self._workers if self._to_come else None


def _left(case: Planned, at: Mapping[str, Any]) -> int:
    """How many images a case in work, or a search, is still to make."""
    images, expected = int(at["images"]), int(at["expected"])
    if "before" in at:
        done = max(int(at["before"]) + images, case.existing)
        return max(case.expected - done, expected - images, 0)
    return max(expected - max(images, case.existing), 0)
