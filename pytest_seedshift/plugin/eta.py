"""What is still to come, and how long it will take at the pace of late: a machine gets hot, or others come to it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_seedshift.plugin.plan import Plan, Planned
    from pytest_seedshift.results.schema import Record, Search


RECENT = 60.0
"""Seconds of work to which the pace of late looks back."""


class _Pace:
    """A model's seconds an image, of what one process has made of late."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, float]] = deque()

    def add(self, images: float, seconds: float) -> None:
        """Take note of work."""
        self._done.append((images, seconds))
        while sum(took for _, took in self._done) - self._done[0][1] >= RECENT:
            self._done.popleft()

    @property
    def of_image(self) -> float | None:
        """The seconds; None where nothing was made."""
        images, seconds = (sum(each) for each in zip(*self._done, strict=True)) if self._done else (0, 0)
        return seconds / images if images else None


class _Seen:
    """What was seen of a case in work: how many images were generated when, and what they took since the first."""

    def __init__(self, images: int, at: float) -> None:
        self.images = images
        self.at, self.seconds = at, 0.0

    def step(self, images: int, at: float) -> tuple[int, float]:
        """How many images were made since the last step, and in how long."""
        made, took = images - self.images, at - self.at
        self.images, self.at = images, at
        self.seconds += took
        return made, took


class Outlook:
    """The cases of a plan that have not ended yet, and the pace of each model."""

    def __init__(
        self, plan: Plan | None = None, *, workers: int = 1, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`workers` processes share the work; `clock` tells the time in seconds."""
        self._to_come: dict[str, Planned] = {case.nodeid: case for case in plan.cases} if plan else {}
        self._models = {case.case: case.model for case in self._to_come.values()}
        self._planned = dict(plan.paces) if plan else {}
        self._paces: dict[str, _Pace] = {}
        self._seen: dict[str, _Seen] = {}
        self._workers = max(workers, 1)
        self._images = 0
        self._looked = 0
        """At how many images the cases that have ended looked."""
        self._clock = clock
        self._history: deque[tuple[float, int]] = deque()
        """When there were how many images, in all, for the last `RECENT` seconds."""
        self.cases = len(self._to_come)
        """How many cases the plan has; 0 without one."""

    @property
    def to_come(self) -> int:
        """How many cases have not ended."""
        return len(self._to_come)

    def finish(self, record: Record | Search) -> None:
        """Take note of a case that has ended."""
        self._to_come.pop(record.test, None)
        self._images += record.generated
        self._looked += record.images
        seen = self._seen.pop(record.id, None)
        known = seen is not None and seen.seconds > 0  # it has told on its way how fast it is
        if record.generated and not known:
            self._paces.setdefault(record.model, _Pace()).add(record.generated, record.seconds)

    def images(self, in_work: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """At how many images all cases have looked, and at how many they will have in the end, as far as is known.

        Args:
            in_work: see `now`.
        """
        by_id = {each["id"]: each for each in in_work}
        so_far = self._looked + sum(int(each["images"]) + int(each.get("before", 0)) for each in in_work)
        to_come = sum(
            case.expected if (at := by_id.get(case.case)) is None else max(int(at["expected"]), int(at["images"]))
            for case in self._to_come.values()
        )
        return so_far, self._looked + to_come

    def now(self, in_work: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
        """Images per second of late, and seconds left; None where nothing is known of them.

        Args:
            in_work: of each case in work its `id`, its `images` so far, how many are `expected` in the end, and how
                many were `generated`; of a search for a breaking point see `records.of_progress`.
        """
        now = self._clock()
        pace = self._rate(self._images + sum(each["generated"] for each in in_work), now)
        for each in in_work:
            self._look(each, now)
        by_id = {each["id"]: each for each in in_work}
        left = 0.0
        for case in self._to_come.values():
            at = by_id.get(case.case)
            images = case.to_make if at is None else _left(case, at)
            of_image = self._of_image(case.model)
            if images and of_image is None:
                return pace, None
            left += images * (of_image or 0.0)
        return pace, left / self._workers if self._to_come else None

    def _rate(self, made: int, now: float) -> float | None:
        """Images per second of all processes together."""
        if not made or not self._history:
            self._history = deque([(now, made)])  # loading is no part of the pace, nor what the plan has measured
        elif made > self._history[-1][1]:
            self._history.append((now, made))
        while len(self._history) > 2 and self._history[1][0] <= now - RECENT:
            self._history.popleft()
        since, before = self._history[0]
        return (made - before) / (now - since) if made > before and now > since else None

    def _look(self, at: Mapping[str, Any], now: float) -> None:
        """See how fast a case in work goes on; before its first image a model may be loaded."""
        model, images = self._models.get(at["id"]), int(at["generated"])
        if model is None or not images:
            return
        seen = self._seen.setdefault(at["id"], _Seen(images, now))
        if images > seen.images:
            self._paces.setdefault(model, _Pace()).add(*seen.step(images, now))

    def _of_image(self, model: str) -> float | None:
        """A model's seconds an image: as seen in this run, else as planned."""
        found = self._paces.get(model)
        seen = None if found is None else found.of_image
        return self._planned.get(model) if seen is None else seen


def _left(case: Planned, at: Mapping[str, Any]) -> int:
    """How many images a case in work, or a search, is still to make."""
    images, expected = int(at["images"]), int(at["expected"])
    if "before" in at:
        done = max(int(at["before"]) + images, case.existing)
        return max(case.expected - done, expected - images, 0)
    return max(expected - max(images, case.existing), 0)
