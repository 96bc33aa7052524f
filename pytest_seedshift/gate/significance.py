"""Whether a drop on the same pairs is beyond chance. Pure numbers: this module knows no model, no tensor and no file.

The hypothesis is that nothing has become worse: a pair is as likely to turn from right to wrong as the other way round,
or, of other scores, the mean drop is not above 0. All tests are one-sided, against "it has become worse".

Three ways to a p-value, by what is known of how many pairs there are:

- their number was fixed beforehand: the exact McNemar test for accuracies (McNemar 1947, Psychometrika 12: given the
  number of pairs that turned, those that turned to wrong are binomial with ½), Student's t for other scores;
- the data decided how many there are, as at an early verdict: a gambler bets on "worse", pair by pair, and where the
  hypothesis holds multiplies the stake by 1/p with a probability of at most p, whenever anyone looks (Ville's
  inequality; the bets are those of `verdict`);
- the number is fixed, but a look is taken on the way: p is the smaller of p₁/0.9, of the first way at the end, and
  p₂/0.1, of the second on the way. By the union bound it is at most a with a probability of at most a. A tenth is
  enough for what an early look is good for, a model that has gone to pieces, and costs the end hardly anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.scores import SCORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values: TypeAlias = "Sequence[float] | NDArray[np.float64]"

EARLY = 0.1
"""The part of the level that is kept for the look on the way."""

TESTS: Mapping[str, str] = MappingProxyType(
    {"mcnemar": "exact McNemar", "t": "paired t", "bets": "bets, which hold at every stop"}
)
"""The tests by their names in verdicts.json, in words."""

_ROUNDING = 1e-3
"""Of a score's range: what another batch size, or a file's decimals, may change."""


def changes(score: str, before: Values, after: Values) -> NDArray[np.float64]:
    """The drop of each pair, in the score's units, from −top to top; what may be a rounding error counts as none."""
    top = SCORES[score].top
    drops = np.asarray(before, dtype=np.float64).clip(0, top) - np.asarray(after, dtype=np.float64).clip(0, top)
    return np.where(np.abs(drops) <= _ROUNDING * top, 0.0, drops)


def fixed_test(score: str) -> str:
    """The test of a score where the number of pairs was fixed: a key of `TESTS`."""
    return "mcnemar" if SCORES[score].binary else "t"


def p_fixed(score: str, drops: NDArray[np.float64]) -> float:
    """The p-value of drops whose number was fixed; 1 where nothing has changed."""
    if SCORES[score].binary:
        return mcnemar(int((drops > 0).sum()), int((drops < 0).sum()))
    return t_test(drops)


def mcnemar(lost: int, won: int) -> float:
    """The exact one-sided McNemar test: the probability of at least `lost` among `lost + won` tosses of a coin."""
    if not lost:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue)


def t_test(drops: NDArray[np.float64]) -> float:
    """Student's one-sided test that the mean drop is not above 0; 1 where there is nothing to compute it from."""
    if drops.size < 2 or not np.any(drops):
        return 1.0
    if np.ptp(drops) == 0:  # every pair dropped by the same: only its sign is left to judge by
        return mcnemar(int(drops.size), 0) if drops[0] > 0 else 1.0
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(drops, 0.0, alternative="greater").pvalue)


def unpaired(lost: int, won: int, right_in_both: int, pairs: int) -> float:
    """What two accuracies without their pairing would say: the one-sided z-test of two proportions.

    It is the sharpest of the usual unpaired tests; here to be compared with, see benchmarks/power.py.
    """
    from scipy.stats import norm

    before, after = (right_in_both + lost) / pairs, (right_in_both + won) / pairs
    spread = (before + after) / 2 * (1 - (before + after) / 2) * 2 / pairs
    return 1.0 if spread == 0 else float(norm.sf((before - after) / math.sqrt(spread)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number: each may be held against the level of the whole family (Holm 1979)."""
    ordered = sorted(range(len(p_values)), key=p_values.__getitem__)
    steps = [min(1.0, (len(p_values) - rank) * p_values[place]) for rank, place in enumerate(ordered)]
    adjusted = dict(zip(ordered, np.maximum.accumulate(steps).tolist() if steps else [], strict=True))
    return [adjusted[place] for place in range(len(p_values))]


def least_fixed(score: str, drops: NDArray[np.float64], level: float) -> float | None:
    """The smallest mean drop that the test for a fixed number would have found, in the score's units.

    Of an accuracy: with as many pairs won as there are. Of another score: with the spread that the drops have. It is
    the edge itself: where the true drop is as large, every second design shows it.
    """
    if not drops.size:
        return None
    if SCORES[score].binary:
        won = int((drops < 0).sum())
        found = next((lost for lost in range(won + 1, drops.size + 1) if mcnemar(lost, won) <= level), None)
        return None if found is None else (found - won) / drops.size
    if drops.size < 2:
        return None
    from scipy.stats import t

    return float(t.isf(level, drops.size - 1) * drops.std(ddof=1) / math.sqrt(drops.size))
