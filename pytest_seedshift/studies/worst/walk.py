"""A random walk of one seed vector through the typical set, towards a lower score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.models import rng

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.studies.worst.typical import Typical

LONGER = 1.5
"""A step that leads lower makes the next so many times as long."""

SHORTER = LONGER**-0.25
"""One that does not, so many: at one success in five the length stays (Rechenberg's rule of one fifth)."""

FRESH = 1 / 3
"""In this share of a search candidates are fresh seed vectors: many pairs have a plateau of good pictures around their
own vector, and a walk of short steps would not come out of it."""

FIRST = 0.5
"""The length of the first step after these."""

_PATIENCE = 32
"""After so many steps in a row out of the typical set the next are longer."""


class Walk:
    """The search for one pair: a candidate at a time, which takes the place of the vector where its score is lower.

    A candidate is √(1 − s²)·z + s·n with fresh normal n: whatever the length s of the step, it is as typical as z is
    but for chance. At s = 1, as in the first part of a search, it is another seed vector. One that is not typical is
    discarded before a picture of it is drawn.

    Attributes:
        z: the vector so far, (channels, height, width).
        score: its score; infinite where the first vector is not typical itself, so that any candidate is better.
        length: s, of the next step.
        discarded: how many candidates were not typical.
    """

    def __init__(self, pair: Pair, z: Tensor, score: float, typical: Typical, fresh: int = 0) -> None:
        """Begin at a pair's own seed vector, whose picture has that score; `fresh` candidates are other vectors."""
        self._pair = pair
        self._candidate = self.z = z
        self.score = score if bool(typical.within(z.unsqueeze(0))) else math.inf
        self.length = 1.0 if fresh else FIRST
        self.discarded = 0
        self._fresh = fresh
        self._drawn = self._in_a_row = 0

    def step(self) -> Tensor:
        """A candidate, of which it is not known whether it is typical."""
        generator = rng.generator(self._pair, f"worst step {self._drawn}")
        self._drawn += 1
        fresh = torch.randn(self.z.shape, generator=generator)
        self._candidate = math.sqrt(1 - self.length**2) * self.z + self.length * fresh
        return self._candidate

    def discard(self) -> None:
        """The candidate is not typical."""
        self.discarded += 1
        self._in_a_row += 1
        if self._in_a_row % _PATIENCE == 0:  # at the edge of the typical set short steps may lead out of it for ever
            self.length = min(1.0, self.length * LONGER)

    def judge(self, score: float) -> bool:
        """The candidate's picture has that score; whether it takes the vector's place."""
        self._in_a_row = 0
        taken = score <= self.score  # of scores that are 0 or 1 nearly all are equal: there the walk goes on, too
        if self._fresh:
            self._fresh -= 1
            self.length = 1.0 if self._fresh else FIRST
        else:
            self.length = min(1.0, self.length * (LONGER if score < self.score else SHORTER))
        if taken:
            self.z, self.score = self._candidate, score
        return taken


def candidates(walks: Sequence[Walk], typical: Typical) -> list[Tensor]:
    """A typical candidate of each walk."""
    found = [walk.step() for walk in walks]
    open_ = list(range(len(walks)))
    while open_:
        within = typical.within(torch.stack([found[place] for place in open_])).tolist()
        open_ = [place for place, is_in in zip(open_, within, strict=True) if not is_in]
        for place in open_:
            walks[place].discard()
            found[place] = walks[place].step()
    return found
