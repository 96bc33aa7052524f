"""What a null control can see: the smallest change that it would find. Pure numbers.

The minimum detectable change of a score is the one that the test finds in a given share of designs, all else being as
it was measured: as many pairs that turn by chance, or as large a spread. At a share of a half it is the edge itself,
where every second design shows the change; nine of ten is what one can count on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.score_kinds import ScoreKind

SHARES = (0.5, 0.9)
"""The power levels that are reported, as parts of all designs."""

_STEPS = 24


def detectable(kind: ScoreKind, drops: NDArray[np.float64], alpha: float, share: float) -> float | None:
    """The smallest change of the mean, of either sign, that random signs find in a share of designs.

    Args:
        kind: of the score.
        drops: of each pair, the control's score less the other's, at least one; no change is thought to be in them.
        alpha: the probability with which a change may be found where there is none.
        share: of designs, between 0 and 1.

    Returns:
        In the score's units; None where so few pairs show no change at all.
    """
    if kind.binary:
        return _of_outcomes(drops.size, float((drops != 0).mean()), alpha, share)
    from scipy.stats import norm

    pairs, held, wanted = drops.size, float(norm.isf(alpha / 2)), float(norm.ppf(share))
    rest = 1 - held**2 / pairs
    if rest <= 0 or 2.0 ** (1 - pairs) > alpha:  # all signs alike are not rare enough
        return None
    error = float(drops.std(ddof=1)) / math.sqrt(pairs)
    # A change widens what random signs give: change − wanted·error = held·√(error² + change²/pairs).
    change = error * (wanted + math.sqrt(wanted**2 + rest * (held**2 - wanted**2))) / rest
    return None if change > kind.span else change


def _of_outcomes(pairs: int, turned: float, alpha: float, share: float) -> float | None:
    """By bisection; a change turns so much more of the pairs to wrong than turn by chance, a half of `turned`."""
    from scipy.stats import binom

    by_chance = min(turned / 2, (1 - 1 / pairs) / 2)
    number = np.arange(pairs + 1)
    rejects = binom.isf(alpha / 2, number, 0.5) + 1  # so many of them turned to wrong, of so many that turned, or more
    rejects = np.where(2 * 0.5 ** number.astype(float) > alpha, pairs + 1, np.maximum(rejects, number / 2))

    def found(change: float) -> float:
        all_turned = min(1.0, 2 * by_chance + change)
        of_turned = (by_chance + change) / all_turned
        return float(binom.pmf(number, pairs, all_turned) @ binom.sf(rejects - 1, number, min(1.0, of_turned)))

    low, high = 0.0, 1 - 2 * by_chance
    if found(high) < share:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= share else (middle, high)
    return high
