"""What a factor does to the drop of a score under shifts. Pure numbers: no model, no tensor, no file.

All arms see the same pairs, so an effect is a mean over pairs of differences within a pair: the drop at one level of
the factor less the drop at another, averaged over the levels of all other factors and over the shifts. Below 0 the
level is the more robust one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.scores import CERTAINTY, SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.why.arms import Crossed


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over pairs, in the score's units, with its interval."""

    value: float
    low: float
    high: float

    @property
    def separated(self) -> bool:
        """Whether the interval tells the mean from 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Effect:
    """What a factor's level does to a score's drop, against the factor's first level."""

    factor: str
    level: str
    against: str
    score: str
    drop: Mean


def mean(values: Sequence[float] | NDArray[np.float64], reach: float, certainty: float = CERTAINTY) -> Mean:
    """The mean of independent values, such as one a pair, with Student's interval.

    Values that are all the same have no spread that Student's interval could use. Then another value may still come in
    one of so many pairs as chance could have hidden until now, 1 − (1 − certainty)^(1/n) (Hanley and Lippman-Hand 1983,
    JAMA 249), and move the mean by that part of the reach.

    Args:
        values: at least two.
        reach: how far a value can lie from 0, for the case of no spread.
        certainty: of the interval.
    """
    from scipy.stats import t

    found = np.asarray(values, dtype=np.float64)
    centre = float(found.mean())
    if np.ptp(found) == 0:
        width = reach * (1 - (1 - certainty) ** (1 / found.size))
    else:
        width = float(t.ppf((1 + certainty) / 2, found.size - 1) * found.std(ddof=1) / math.sqrt(found.size))
    return Mean(centre, centre - width, centre + width)


def drops(control: Sequence[float], shifted: Sequence[Sequence[float]], score: str) -> NDArray[np.float64]:
    """The drop of each pair, as a mean over shifts, in the score's units: the control's value less the shifted one's.

    Args:
        control: one value a pair.
        shifted: by shift, one value a pair.
        score: a key of `SCORES`; values outside its range count as its end.
    """
    top = SCORES[score].top
    before = np.clip(np.asarray(control, dtype=np.float64), 0, top)
    after = np.clip(np.asarray(shifted, dtype=np.float64), 0, top)
    result: NDArray[np.float64] = before - after.mean(axis=0)
    return result


def effects(
    crossed: Crossed, by_arm: Mapping[str, Mapping[str, NDArray[np.float64]]], certainty: float = CERTAINTY
) -> Iterator[Effect]:
    """The main effects of all factors.

    Args:
        crossed: the design.
        by_arm: by arm's name and score, the drop of each pair: see `drops`.
        certainty: of each interval.
    """
    scores = list(next(iter(by_arm.values())))
    for factor, levels in crossed.factors.items():
        for level in levels[1:]:
            for score in scores:
                at, against = (
                    np.mean([by_arm[arm.name][score] for arm in crossed.arms if arm.level(factor) == each], axis=0)
                    for each in (level, levels[0])
                )
                drop = mean(at - against, 2 * SCORES[score].top, certainty)
                yield Effect(factor, level, levels[0], score, drop)
