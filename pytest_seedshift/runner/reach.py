"""How far ahead of what a job has seen images are made for it: a step in this process, by chance on a cluster."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_seedshift.runner.needs import Need
    from pytest_seedshift.runner.sample_service import SampleService

_STRETCH = 4
"""How many batches are made in one go at most, where it is certain that all of them are needed."""


class Reach(Protocol):
    """What is made for a need."""

    takes_less: bool
    """Whether a job goes on with what there is before an image that cannot be made."""

    def certain(self, need: Need) -> int:
        """With how many of the design's first pairs the job goes on."""

    def wished(self, need: Need, certain: int, sound: float) -> list[float]:
        """How likely each pair after those seen is to be needed; falling. Those that are given are made.

        Args:
            need: of the job.
            certain: what `certain` said of it.
            sound: how likely the job is to look at any of them.
        """

    def filled(self, need: Need, end: int, size: int) -> int:
        """Up to which pair is made what would be made up to `end`, in batches of `size`."""


class ByStep:
    """A job at a time: it says how far it goes next, and goes on once all of that is made."""

    takes_less = True

    def __init__(self, service: SampleService) -> None:
        """`service` knows the batch size of a model that may not be loaded yet."""
        self._service = service

    def certain(self, need: Need) -> int:
        """All that is needed, or the next step."""
        if need.until is not None:
            return need.until
        overlaps = self._service.pool.overlaps
        batch = self._service.batch_size(need.case.model)
        further = next_step(batch, need.likely - need.seen, need.certain() - need.seen if overlaps else 0)
        return min(need.seen + further, len(need.design))

    def wished(self, need: Need, certain: int, sound: float) -> list[float]:
        """Those of the step."""
        return [1.0] * (certain - need.seen)

    def filled(self, need: Need, end: int, size: int) -> int:
        """The control in the batches that its design falls into, whoever needs it: its images are the same then."""
        return min(math.ceil(end / size) * size, len(need.design)) if need.case.is_control else end


class ByChance:
    """All jobs at once: each is given what it surely needs first, and what it is likely to need in full batches."""

    takes_less = False

    def __init__(self, least: float) -> None:
        """`least` is how likely an image has to be needed to be made."""
        self._least = least

    def certain(self, need: Need) -> int:
        """What is needed whatever is seen in it."""
        return need.certain()

    def wished(self, need: Need, certain: int, sound: float) -> list[float]:
        """All that are likely enough."""
        return [sound * each for each in need.wished(self._least / sound)]

    def filled(self, need: Need, end: int, size: int) -> int:
        """No more: other jobs fill the batch."""
        return end


def next_step(batch: int, likely: int, certain: int) -> int:
    """How many pairs to visit next, of those that the verdict is likely and of those that it is certain to need."""
    if certain > batch:  # in one go, as one batch can be scored while the next one is generated
        return min(certain, _STRETCH * batch)
    return min(max(likely, batch // 8, 1), batch)
