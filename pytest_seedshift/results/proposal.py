"""A new text for a thresholds file, whatever its bounds were measured of: of a run or of a history."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pytest_seedshift.core.messages import some


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

    @property
    @abstractmethod
    def summary(self) -> list[str]:
        """What is to be said of it, in lines."""

    @property
    def _by_hand(self) -> list[str]:
        return [f"left to bounds that were set by hand: {some(self.kept)}"] if self.kept else []
