"""The scores, what may be asked of them, and what was found: the words that verdicts are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NULL = "null"
"""The kind of a `Finding` of a null control; see `nullcontrol`."""

CERTAINTY = 0.99
"""The certainty of verdicts and intervals unless thresholds.toml says otherwise."""


@dataclass(frozen=True, slots=True)
class ScoreKind:
    """A score's title for people, its largest value (the smallest is 0), and whether a value is 0 or 1.

    Values outside the range count as its nearer end, and are counted.
    """

    title: str
    top: float
    binary: bool

    def format(self, value: float) -> str:
        """A value with as many decimals as are worth reading."""
        return f"{value:.2f}" if self.top <= 1 else f"{value:.1f}"


SCORES: Mapping[str, ScoreKind] = MappingProxyType(
    {
        "top1": ScoreKind("top-1", 1.0, binary=True),
        "top5": ScoreKind("top-5", 1.0, binary=True),
        # 100·cos could reach 100, but real images and prompts stay far below 50, and a range far wider than the
        # scores' spread makes bets timid.
        "clip": ScoreKind("CLIP", 50.0, binary=False),
    }
)
"""The scores by their name in thresholds.toml and verdicts.json."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is asked of a score: at least `minimum`, at most `max_drop` below the control on the same pairs."""

    score: str
    minimum: float | None = None
    max_drop: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score's mean over the samples, and the interval in which another draw of pairs would have its mean."""

    mean: float
    low: float
    high: float
    clipped: int = 0
    """How many values were outside the score's range and count as its end."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One bound of one constraint, held against the measurement.

    `kind` is "min" (`measured` is the mean), "max_drop" (`measured` is the control's mean less the case's, over the
    same pairs) or "null", of a null control (likewise, and `bound` is the largest drop that chance gives). `holds` is
    None where the case was decided before this bound was.
    """

    score: str
    kind: str
    bound: float
    measured: float
    holds: bool | None


def check_certainty(certainty: float) -> None:
    """Raise ValueError unless a certainty lies between 0.5 and 1, both excluded."""
    if not 0.5 < certainty < 1:
        raise ValueError(f"certainty = {certainty!r}: give a number above 0.5 and below 1, such as {CERTAINTY}")
