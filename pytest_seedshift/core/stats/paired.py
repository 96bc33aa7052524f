"""Whether a drop on the same pairs is beyond chance. Pure numbers: this module knows no model, no tensor and no file.

Two hypotheses, each one-sided; see `Constraint.significant`:

- "the drop is at most so large", the one that is meant by `max_regression` unless it is said otherwise: of the mean
  that the two versions have over all possible pairs, whatever single pairs do;
- "nothing has changed" (`significant = "any"`): the two outcomes of a pair could as well have come the other way round.
  It is another one than "the drop is at most 0": where most pairs lose a little and few gain much, the mean may be 0
  and something has changed all the same.

And three ways to a p-value, by what is known of how many pairs there are:

- their number was fixed beforehand. Accuracies have exact tests: of the first hypothesis that of `proportions`, of the
  second, and of the first with a drop of 0, McNemar's (McNemar 1947, Psychometrika 12). Other scores, and sums over
  cases, have random signs for the second (Fisher 1935), exactly where the sums are whole numbers. For the first the
  bets below: any test that looks at the spread alone is deceived by rare large gains that it has not seen;
- the data decided how many there are, as at an early verdict: a gambler bets on "worse", pair by pair, and where the
  hypothesis holds multiplies the stake by 1/p with a probability of at most p, whenever anyone looks (Ville's
  inequality; the bets are those of `sequential`);
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

from pytest_seedshift.core.scores import DECIMALS
from pytest_seedshift.core.stats import betting, proportions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.score_kinds import ScoreKind

Values: TypeAlias = "Sequence[float] | NDArray[np.float64]"

EARLY = 0.1
"""The part of the level that is kept for the look on the way."""

TESTS: Mapping[str, str] = MappingProxyType(
    {
        "mcnemar": "exact McNemar",
        "proportions": "exact test of paired proportions",
        "signs": "random signs",
        "bets": "betting test, valid at every stop",
        "t": "paired t",  # of runs of earlier versions
    }
)
"""The tests by their names in verdicts.json, in words."""

_ROUNDING = 1e-3
"""Of a score's range: what another batch size, or a file's decimals, may change."""

_DRAWS = 9999
"""Of signs, at least, where they are drawn."""

_CHUNK = 1000


def changes(kind: ScoreKind, before: Values, after: Values) -> NDArray[np.float64]:
    """The drop of each pair, in the score's units, from −span to span; what may be a rounding error is none.

    Both sides are rounded as a baseline file has them: a run folder and its own file say the same.
    """
    drops = differences(kind, before, after)
    return np.where(np.abs(drops) <= unseen(kind) + 1e-9 * kind.span, 0.0, drops)


def differences(kind: ScoreKind, before: Values, after: Values) -> NDArray[np.float64]:
    """The drop of each pair, in the score's units, however small: many small ones are no rounding error of the mean."""
    sides = (np.asarray(each, dtype=np.float64).clip(kind.low, kind.top) for each in (before, after))
    old, new = (np.round(each, DECIMALS) for each in sides)
    return np.asarray(old - new)


def unseen(kind: ScoreKind) -> float:
    """Up to which difference a pair of a score counts as unchanged, in its units."""
    return _ROUNDING * kind.span


def gain(kind: ScoreKind, before: Values) -> float:
    """The most that a pair's score can rise, given all scores of the baseline, in the score's units."""
    top = kind.top
    return top if kind.binary else top - float(np.asarray(before, dtype=np.float64).clip(kind.low, top).min())


def p_fixed(
    kind: ScoreKind, drops: NDArray[np.float64], allowed: float, level: float, *, any_change: bool
) -> tuple[float, str] | None:
    """The p-value of drops whose number was fixed, and the test's name; None where only bets are valid.

    Args:
        kind: of the score.
        drops: of each pair.
        allowed: the largest drop of the mean under the null hypothesis, in the score's units.
        level: the significance level.
        any_change: whether "nothing has changed" is the hypothesis; `allowed` has no part in that.
    """
    if kind.binary:
        lost, won = int((drops > 0).sum()), int((drops < 0).sum())
        if any_change or allowed <= 0:
            return mcnemar(lost, won), "mcnemar"
        if allowed < 1:
            return proportions.p_value(lost, won, drops.size, float(allowed)), "proportions"
        return 1.0, "proportions"
    return (signs(drops, level), "signs") if any_change else None


def p_of_bets(drops: NDArray[np.float64], allowed: float, gain: float) -> float:
    """The p-value of drops, whatever decided how many there are: 1 over the most that bets on "larger" have had.

    Args:
        drops: of each pair, in the order in which they were visited.
        allowed: the mean drop of the hypothesis, or 0.
        gain: the most that a pair can gain, above −`allowed`.
    """
    if not drops.size or gain + allowed <= 0:
        return 1.0
    return math.exp(-float(betting.evidence(np.maximum(drops + gain, 0.0), gain + allowed).max()))


def mcnemar(lost: int, won: int) -> float:
    """The exact one-sided McNemar test: the probability of at least `lost` among `lost + won` tosses of a coin."""
    if not lost:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue)


def signs(drops: NDArray[np.float64], level: float) -> float:
    """How probable such a sum of drops, or a larger one, is where each could as well have had the other sign.

    Exactly where the drops are whole numbers, as sums of accuracies over cases are; else by signs that are drawn, the
    same for the same drops, at least ten times as many as `level` needs. 1 where the sum is not above 0.
    """
    total = math.fsum(drops)
    if total <= 0:
        return 1.0
    sizes = np.abs(drops[drops != 0])
    if np.array_equal(sizes, np.round(sizes)) and sizes.sum() < 1e6:
        return _signs_of_integers(sizes.astype(np.int64), round(total))
    generator = np.random.default_rng(0)
    draws = max(_DRAWS, math.ceil(10 / level) - 1)
    as_large = 0
    for start in range(0, draws, _CHUNK):
        tossed = generator.integers(0, 2, (min(_CHUNK, draws - start), sizes.size), np.int8)
        as_large += int(((2.0 * tossed - 1) @ sizes >= total - 1e-9).sum())
    return (1 + as_large) / (1 + draws)


def _signs_of_integers(sizes: NDArray[np.int64], total: int) -> float:
    from scipy.stats import binom

    chances = np.ones(1)  # of how much of `sizes` is positive
    for size, number in zip(*np.unique(sizes, return_counts=True), strict=True):
        positive = np.zeros(int(size) * int(number) + 1)
        positive[:: int(size)] = binom.pmf(np.arange(int(number) + 1), int(number), 0.5)
        chances = np.convolve(chances, positive)
    positive_part = (int(sizes.sum()) + total) // 2
    return float(min(1.0, chances[positive_part:].sum()))


def t_test(drops: NDArray[np.float64]) -> float:
    """Student's one-sided test that the mean drop is not above 0; 1 where there is nothing to compute it from.

    No verdict rests on it: benchmarks and tests hold other tests beside it.
    """
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


def holm(p_values: Sequence[float], number: int, alpha: float) -> list[float]:
    """Against which level each p-value of a family is held (Holm 1979, Scandinavian Journal of Statistics 6).

    The smallest p-value is compared with `alpha` over `number`, the next against `alpha` over one less, and so on while
    each is found; what comes after the first that is not found is compared with the level of that one.

    Args:
        p_values: those that are known.
        number: how many tests the family has, at least as many.
        alpha: the chance that any of those is found where none should be.

    Returns:
        In the order of the p-values. A test is found where its p-value is at most its level.
    """
    levels, steps = [alpha / number] * len(p_values), 0
    for place in sorted(range(len(p_values)), key=p_values.__getitem__):
        levels[place] = alpha / (number - steps)
        steps += p_values[place] <= levels[place]
    return levels


def least_fixed(
    kind: ScoreKind, drops: NDArray[np.float64], allowed: float, level: float, *, any_change: bool
) -> float | None:
    """The smallest mean drop that the test for a fixed number would have found, in the score's units.

    Of an accuracy: with as many pairs won as there are. Of another score: with the spread that the drops have. It is
    the edge itself: where the true drop is as large, every second design shows it.
    """
    if not drops.size:
        return None
    if kind.binary:
        won = int((drops < 0).sum())
        if any_change or allowed <= 0:
            found = next((lost for lost in range(won + 1, drops.size + 1) if mcnemar(lost, won) <= level), None)
        else:
            found = proportions.least_lost(won, drops.size, float(allowed), level) if allowed < 1 else None
        return None if found is None else (found - won) / drops.size
    if drops.size < 2 or not any_change:
        return None
    from scipy.stats import norm

    centred = drops - drops.mean()
    return float(norm.isf(level) * math.sqrt(float((centred**2).sum())) / drops.size)


def least_of_sums(sums: NDArray[np.float64], level: float) -> float:
    """As `least_fixed`, of sums over cases by random signs: per pair, by the normal limit of these."""
    from scipy.stats import norm

    return float(norm.isf(level)) * math.sqrt(float((sums**2).sum())) / sums.size


def least_of_bets_on(excess: NDArray[np.float64], gain: float, level: float) -> float | None:
    """The smallest mean excess over what is allowed that bets on "above 0" would have found, with that spread.

    Args:
        excess: of each pair.
        gain: the most by which a pair can lie below 0.
        level: of the test.
    """
    needed, centred = -math.log(level), excess - excess.mean()
    low, high = 0.0, gain

    def wealth(mean: float) -> float:
        return float(betting.log_wealth(np.maximum(centred + mean + gain, 0.0), gain, math.inf)[-1])

    if gain <= 0 or wealth(high) < needed:
        return None
    while high - low > 1e-3 * gain:
        middle = (low + high) / 2
        low, high = (low, middle) if wealth(middle) >= needed else (middle, high)
    return high


def least_of_bets(
    kind: ScoreKind, drops: NDArray[np.float64], allowed: float, gain: float, level: float
) -> float | None:
    """As `least_fixed`, for bets."""
    if not drops.size or gain + allowed <= 0:
        return None
    if kind.binary:
        needed, won = -math.log(level), int((drops < 0).sum())
        lost = np.arange(drops.size - won + 1)[:, np.newaxis]
        most = gain + allowed
        tied = drops.size - won - lost
        logs = sum(
            number * np.log1p(betting.STAKES * ((value + gain) / most - 1))
            for number, value in ((lost, 1.0), (won, -1.0), (tied, 0.0))
        )
        found = np.flatnonzero(np.logaddexp.reduce(logs, axis=1) - math.log(betting.STAKES.size) >= needed)
        found = found[found > won]
        return float(found[0] - won) / drops.size if found.size else None
    excess = least_of_bets_on(drops - allowed, gain + allowed, level)
    return None if excess is None else min(excess + allowed, kind.span)


def in_nine_of_ten(kind: ScoreKind, drops: NDArray[np.float64], least: float | None) -> float | None:
    """The mean drop that is found in nine of ten designs, where `least` is the edge of the test.

    By the normal approximation; of an accuracy with as many pairs won as there are.
    """
    if least is None or drops.size < 2:
        return None
    from scipy.stats import norm

    reach, top = float(norm.isf(0.1)) / math.sqrt(drops.size), kind.span
    if not kind.binary:
        return min(top, least + reach * float(drops.std(ddof=1)))
    won = float((drops < 0).mean())
    found = least
    for _ in range(20):  # a larger drop turns more pairs, and so has the larger spread
        found = least + reach * math.sqrt(max(2 * won + found - found**2, 0.0))
    return min(found, 1.0)
