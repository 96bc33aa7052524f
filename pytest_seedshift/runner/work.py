"""What was generated, to be counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """How many images were generated, and how many seconds that took."""

    generated: int = 0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.generated + other.generated, self.seconds + other.seconds)


NONE = Work()
"""Nothing."""
