"""What was generated, to be counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """How many images were generated, how many seconds that took, and of a cluster on which kinds of hardware."""

    generated: int = 0
    seconds: float = 0.0
    kinds: frozenset[str] = frozenset()

    def __add__(self, other: Work) -> Work:
        return Work(self.generated + other.generated, self.seconds + other.seconds, self.kinds | other.kinds)


NONE = Work()
"""Nothing."""
