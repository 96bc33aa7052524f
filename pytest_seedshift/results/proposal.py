"""A new text for a thresholds file, whatever its bounds were measured of: of a run or of a history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pytest_seedshift.core.messages import some

_MOST_LOOSER = 20
"""Lines that are shown of bounds that are looser than those before."""


@dataclass(frozen=True, slots=True)
class Proposal(ABC):
    """A new text, and what it is made of."""

    text: str
    bounds: int
    """How many values were measured and stand in it."""
    cases: int
    """Of how many cases."""
    kept: tuple[str, ...]
    """What was measured but is left to a bound that was set by hand: `top1 of toy-latent mean +0.30`."""
    unmeasured: tuple[str, ...]
    """What has no bound: the id of a case, or a score with the reason."""
    certainty: float | None
    """With which all bounds are met anew; None where the user has given the margin."""
    looser: tuple[str, ...]
    """Which of them ask less than what was in force; see `ThresholdsText.looser`."""

    @property
    @abstractmethod
    def summary(self) -> list[str]:
        """What is to be said of it, in lines."""

    @property
    def _beside(self) -> list[str]:
        """What becomes of bounds that were there."""
        more = len(self.looser) - _MOST_LOOSER
        lines = [
            *self.looser[:_MOST_LOOSER],
            *([f"and {more} more that are looser than what was in force"] * (more > 0)),
        ]
        return lines + ([f"left to bounds that were set by hand: {some(self.kept)}"] if self.kept else [])
