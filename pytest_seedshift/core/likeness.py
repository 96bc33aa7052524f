"""Scores of a pair of pictures, this version's and the baseline's: their names, what they are, bounds of `[likeness]`.

In findings and records their names begin with `likeness_`; one with a floor, such as `likeness_ssim_at_0.9`, is 1 of a
picture that reaches it, else 0. Nothing below 0 counts, and no PSNR above 60 dB: see `MEASURES`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_seedshift.core.score_kinds import ScoreKind


class _Fine(ScoreKind):
    def format(self, value: float) -> str:
        return f"{value:.3f}" if self.top <= 1 else super().format(value)


MEASURES: Mapping[str, ScoreKind] = {
    "ssim": _Fine("SSIM to the baseline", 1.0, binary=False),
    "psnr": _Fine("PSNR to the baseline", 60.0, binary=False),
    "embedding": _Fine("CLIP cosine to the baseline", 1.0, binary=False),
    "dinov2": _Fine("DINOv2 cosine to the baseline", 1.0, binary=False),
}
"""By their names in `[likeness]`. The largest value of PSNR, in dB, is what bets and means count at most: that of equal
pictures is infinite, and of pictures that differ by one level of 255 everywhere 48.1."""

WITH_MODELS = ("dinov2",)
"""Those that a model measures that is named for them, in the table `[likeness.models]`."""

MODELS = "models"

TABLE = "likeness"
"""How a table of its bounds is called, alone or in another table of thresholds.toml."""

PREFIX = "likeness_"

EQUAL = "equal"
"""A value beside those of `MEASURES`: 1 of pictures that are the same to the last level, else 0."""

_AT = "_at_"


def score_of(measure: str, floor: float | None = None) -> str:
    """The name of a measure's score; with a floor, of whether that is reached."""
    return f"{PREFIX}{measure}" if floor is None else f"{PREFIX}{measure}{_AT}{floor!r}"


def measure_of(score: str) -> str | None:
    """The measure that a score is of; None of a score that is none of likeness."""
    return None if (read := _read(score)) is None else read[0]


def kind_of(score: str) -> ScoreKind | None:
    """What a score is; None likewise."""
    if (read := _read(score)) is None:
        return None
    measure, floor = read
    kind = MEASURES[measure]
    return kind if floor is None else ScoreKind(f"share with {kind.title} ≥ {floor:g}:", 1.0, binary=True)


def value(values: Mapping[str, float], score: str) -> float:
    """A score's value of a pair, as it counts.

    Args:
        values: of the pair, by measure.
        score: of likeness.

    Returns:
        In its range; 0 where the pair has none, as the baseline has no picture of it.
    """
    read = _read(score)
    assert read is not None
    measure, floor = read
    if measure not in values:
        return 0.0
    clipped = min(max(values[measure], 0.0), MEASURES[measure].top)
    return clipped if floor is None else float(clipped >= floor)


def measures(scores: Iterable[str]) -> frozenset[str]:
    """The measures that some scores, of whichever kind, are of."""
    return frozenset(found for score in scores if (found := measure_of(score)) is not None)


def overlaid(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> dict[str, Any]:
    """A table's constraints over those of a wider one: a measure that it names has no floor of the wider one."""
    named = measures(narrow)
    return {score: each for score, each in wide.items() if measure_of(score) not in named} | dict(narrow)


def _read(score: str) -> tuple[str, float | None] | None:
    measure, at, floor = score.removeprefix(PREFIX).partition(_AT)
    if not score.startswith(PREFIX) or measure not in MEASURES:
        return None
    if not at:
        return measure, None
    try:
        found = float(floor)
    except ValueError:  # of float
        return None
    return (measure, found) if math.isfinite(found) else None
