"""What trying remedies would take at most: remedies, cases, images, time. Nothing is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_seedshift.studies.remedies.candidates import MOST_PAIRS, Candidate

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case

SCREENED = 80
"""A remedy is judged on so many pairs of the design at most, or on a fifth of it where that is more: one that heals is
known by fewer, and one that comes near a bound is hardly to be recommended."""

COST_PAIRS = 200
"""On so many pairs it is measured what a remedy costs that may be recommended."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What trying remedies takes at most; verdicts are early, so that it is far less as a rule.

    Attributes:
        model: that is to be healed.
        cases: that may fail.
        remedies: that are tried alone.
        left_out: by title, why others are not.
        pairs: of the design.
        seed_use: images that a measurement of the use of the seed takes.
        seconds: that an image of the model takes, as far as it was timed here; None where it was not.
    """

    model: str
    cases: tuple[Case, ...]
    remedies: tuple[Candidate, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    pairs: int = 0
    seed_use: int = 0
    seconds: float | None = None

    @property
    def screened(self) -> int:
        """On how many pairs a remedy is judged at most."""
        return screened(self.pairs)

    @property
    def couples(self) -> int:
        """How many pairs of remedies are tried at most."""
        count = len(self.remedies)
        return min(MOST_PAIRS, count * (count - 1) // 2)

    @property
    def own(self) -> int:
        """Images of the model as it is."""
        return self.pairs * (1 + len(self.cases)) + self.seed_use

    def left(self, tried: int, failing: int) -> int:
        """Images of what is still to be tried.

        Args:
            tried: how many remedies were, alone or in pairs.
            failing: on how many cases each is.
        """
        others = max(0, len(self.remedies) + self.couples - tried)
        costs = max(0, min(COST_PAIRS, self.pairs) - self.screened)
        each = self.screened * (1 + failing) + self.seed_use + costs
        return others * each + tried * costs

    @property
    def images(self) -> int:
        """Of all."""
        return self.own + self.left(0, len(self.cases))

    def document(self) -> dict[str, Any]:
        """All of it in built-in types."""
        return {
            "version": 1,
            "model": self.model,
            "cases": [{"shift": case.shift, "magnitude": case.magnitude} for case in self.cases],
            "remedies": [each.model for each in self.remedies],
            "left_out": dict(self.left_out),
            "pairs": self.pairs,
            "pairs_of_a_remedy": self.screened,
            "images": self.images,
            "seconds_per_image": self.seconds,
        }


def screened(pairs: int) -> int:
    """On how many pairs of a design a remedy is judged at most."""
    return min(pairs, max(SCREENED, math.ceil(pairs / 5)))


def failing_elsewhere(held: Sequence[Case], reasons: Mapping[Case, str], pairs: int) -> dict[str, str]:
    """Cases that fail in a run and hold here, with what is known of why.

    Args:
        held: those cases.
        reasons: by case what only the run judges it by, as far as it is that.
        pairs: that they hold on.
    """
    return {
        case.describe(): f"it holds here, on {pairs} pairs by minima and largest drops alone"
        + (f"; {reasons[case]}" if case in reasons else "")
        for case in held
    }
