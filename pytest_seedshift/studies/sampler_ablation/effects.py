"""What a factor does to the robustness under shifts. Pure numbers: no model, no tensor, no file.

An arm's robustness is its retained score, score(η)/score(0): the mean under the shifts over the mean without one, on
the same pairs. A drop would not do: an arm that is right of 4 pictures in 10 without a shift has less to lose than
one that is right of all.

All arms see the same pairs, so an effect is taken pair by pair: the retained score at one level of a factor less that
at another, each averaged over all other factors' levels. Above 0 the level is the more robust one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import unseen_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over pairs with its interval."""

    value: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Retained:
    """An arm's retained score.

    Attributes:
        control: the score's mean without a shift, above 0.
        by_pair: (pairs,), see `retained`; their mean is the retained score.
        most: the largest value that it could have, were every picture perfect under the shifts.
    """

    control: float
    by_pair: Array
    most: float

    @property
    def value(self) -> float:
        """The retained score: 1 is no loss."""
        return float(self.by_pair.mean())


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a factor's level on a retained score, against the factor's first level.

    Attributes:
        factor: which.
        level: of the factor.
        against: the factor's first level.
        score: its name.
        controls: the score's mean without a shift: at the first level, at the other.
        retained: the retained score: at the first level, at the other.
        change: the second less the first, with its interval.
        single: the least and the largest change between two arms that differ in nothing but this level.
        causes: what it can be the effect of: the factor, or what stands for it; more where the arms differ in more.
    """

    factor: str
    level: str
    against: str
    score: str
    controls: tuple[float, float]
    retained: tuple[float, float]
    change: Mean
    single: tuple[float, float]
    causes: tuple[str, ...]

    @property
    def is_attributed(self) -> bool:
        """Whether it can be the effect of one thing only."""
        return len(self.causes) == 1

    @property
    def significant(self) -> bool:
        """Whether its interval excludes 0 and it is known what it is the effect of."""
        return self.is_attributed and self.change.significant


def retained(control: Sequence[float], shifted: Sequence[Sequence[float]], top: float) -> Retained | None:
    """The retained score of an arm under shifts.

    Each pair has the ratio plus the pair's influence on it, (s − ratio·c)/mean(c), where c is the pair's score without
    a shift and s the mean of those with one: the mean over pairs is the ratio, and their spread gives its standard
    error to the first order (the delta method; Cochran 1977, Sampling Techniques, section 6.3).

    Args:
        control: one value a pair.
        shifted: by shift, one value a pair.
        top: the score's largest value; values outside 0 to it count as its nearer end.

    Returns:
        None where the mean without a shift is 0, so that the ratio is undefined.
    """
    before = np.clip(np.asarray(control, dtype=np.float64), 0, top)
    after = np.clip(np.asarray(shifted, dtype=np.float64), 0, top).mean(axis=0)
    centre = float(before.mean())
    if not centre:
        return None
    ratio = float(after.mean()) / centre
    return Retained(centre, ratio + (after - ratio * before) / centre, top / centre)


def mean(
    values: Sequence[float] | Array,
    labels: Sequence[Any],
    bounds: tuple[float, float],
    certainty: float = CERTAINTY,
) -> Mean:
    """The mean of a value a pair, with Student's interval.

    Pairs of one label are more alike than others. So the standard error is the larger one of two: of independent pairs,
    and of labels as clusters (Liang and Zeger 1986, Biometrika 73, with the factor G/(G − 1) for G labels), each with
    its own degrees of freedom. The interval speaks of other seed vectors and, as far as these
    labels represent them, of other labels.

    Values that are all the same have no spread to be used. Then another value may still come in one of so many pairs as
    chance could have hidden until now (see `unseen_changes`), and move the mean as far as the bounds let it. There
    pairs count as independent, so that it speaks of these labels alone.

    Args:
        values: at least two.
        labels: of the values, in their order.
        bounds: the least and the largest value that there could be; the interval does not leave them.
        certainty: of the interval.
    """
    found = np.asarray(values, dtype=np.float64)
    centre = float(found.mean())
    low, high = min(bounds[0], centre), max(bounds[1], centre)
    if np.ptp(found) <= 1e-9 * (high - low):
        hidden = unseen_changes.most(found.size, certainty=certainty)
        return Mean(centre, centre + hidden * (low - centre), centre + hidden * (high - centre))
    width = max(_width(found, certainty), _width(_by_label(found, labels), certainty))
    return Mean(centre, max(low, centre - width), min(high, centre + width))


def _by_label(found: Array, labels: Sequence[Any]) -> Array:
    """A value a label, with the mean of all pairs, whose spread is that of labels as clusters; all pairs, if of one."""
    names, which = np.unique(np.asarray(labels), return_inverse=True)
    if names.size < 2:
        return found
    sums = np.bincount(which, found - found.mean())
    return np.asarray(found.mean() + sums * names.size / found.size)


def _width(values: Array, certainty: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + certainty) / 2, values.size - 1) * values.std(ddof=1) / math.sqrt(values.size))


def effects(
    crossed: Crossed,
    by_arm: Mapping[str, Mapping[str, Retained | None]],
    labels: Sequence[Any],
    certainty: float = CERTAINTY,
) -> tuple[Effect, ...]:
    """The main effects of all factors, on each score that is above 0 without a shift in every arm.

    Args:
        crossed: the design.
        by_arm: by arm's name and score, the retained score.
        labels: of the pairs.
        certainty: of all intervals together (Bonferroni), so that more of them do not find more by chance.
    """
    columns = columns_of(by_arm)
    wanted = [
        (factor, level, score)
        for factor, levels in crossed.factors.items()
        for level in levels[1:]
        for score in columns
    ]
    return tuple(_effect(crossed, each, columns[each[2]], labels, 1 - (1 - certainty) / len(wanted)) for each in wanted)


def columns_of(by_arm: Mapping[str, Mapping[str, Retained | None]]) -> dict[str, dict[str, Retained]]:
    """By score and arm's name, what is retained; without a score that is 0 without a shift in an arm."""
    found: dict[str, dict[str, Retained]] = {}
    for score in next(iter(by_arm.values())):
        column = {arm: each for arm, scores in by_arm.items() if (each := scores[score]) is not None}
        if len(column) == len(by_arm):
            found[score] = column
    return found


def _effect(
    crossed: Crossed,
    which: tuple[str, str, str],
    column: Mapping[str, Retained],
    labels: Sequence[Any],
    certainty: float,
) -> Effect:
    factor, level, score = which
    against = crossed.factors[factor][0]
    pairs = [(column[one.name], column[other.name]) for one, other in crossed.apart(factor, against, level)]
    changes = np.array([other.by_pair - one.by_pair for one, other in pairs])
    most = max(each.most for each in column.values())
    single = changes.mean(axis=1)
    before, after = zip(*pairs, strict=True)
    return Effect(
        factor,
        level,
        against,
        score,
        (_average(each.control for each in before), _average(each.control for each in after)),
        (_average(each.value for each in before), _average(each.value for each in after)),
        mean(changes.mean(axis=0), labels, (-most, most), certainty),
        (float(single.min()), float(single.max())),
        crossed.causes_of(factor, level),
    )


def _average(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
