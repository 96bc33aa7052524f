"""What a score is: its title, its range; and the scores that every model has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ScoreKind:
    """What a score is: its title and the range of its values.

    A value outside of the range is an error of its case. Of CLIP it counts as the nearer end, and is counted.

    Attributes:
        title: for people, such as `top-1`.
        top: the largest value, finite and above `low`. 1 where `binary`.
        binary: whether each value is 0 or 1.
        low: the smallest value, finite; it may be negative. 0 where `binary`.
    """

    title: str
    top: float
    binary: bool
    low: float = 0.0

    @property
    def span(self) -> float:
        """How far the ends of the range lie apart, above 0, in the score's units: the largest drop."""
        return self.top - self.low

    @property
    def range(self) -> str:
        """The range in words: `0 to 50`."""
        return f"{self.low:g} to {self.top:g}"

    def document(self) -> dict[str, object]:
        """As verdicts.json has it: `low` where it is not 0."""
        found: dict[str, object] = {"title": self.title, "top": self.top, "binary": self.binary}
        return found | ({"low": self.low} if self.low else {})

    def format(self, value: float) -> str:
        """A value with as many decimals as are worth reading.

        Args:
            value: from `low`, which mostly is 0, to `top`.

        Returns:
            Two decimals where `top` is at most 1, else one: `0.97`, `28.5`.
        """
        return f"{value:.2f}" if self.top <= 1 else f"{value:.1f}"


BUILT_IN: Mapping[str, ScoreKind] = MappingProxyType(
    {
        "top1": ScoreKind("top-1", 1.0, binary=True),
        "top5": ScoreKind("top-5", 1.0, binary=True),
        # 100·cos could reach 100, but real images and prompts stay far below 50, and a range far wider than the
        # scores' spread makes bets timid.
        "clip": ScoreKind("CLIP", 50.0, binary=False),
    }
)
"""The scores that every model has, by their name in thresholds.toml and verdicts.json."""
