"""What chance could have hidden among so many pairs. Pure numbers.

Of 32 pairs none has changed: that is no proof that none can. Were more than 13 in 100 pairs of the kind that changes,
32 drawn at random would show one with a probability of at least 0.99. So the interval of a share that was seen to be 0
goes from 0 to 0.13 (Hanley and Lippman-Hand 1983, JAMA 249, *If nothing goes wrong, is everything all right?*). It is
the end of the exact interval of Clopper and Pearson (1934), which speaks of shares that were seen to be larger too.
"""

from __future__ import annotations

import math

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.scores import CERTAINTY, check_certainty


def most(pairs: int, changed: int = 0, *, certainty: float = CERTAINTY) -> float:
    """The largest share of all possible pairs that may be of a kind of which few, or none, were seen.

    Args:
        pairs: how many were looked at, at least one.
        changed: how many of them were of that kind.
        certainty: with which the true share is no larger.

    Returns:
        From 0 to 1; 1 where all pairs were of that kind.

    Raises:
        InvalidValueError: numbers that do not belong together, or a certainty outside its range.
    """
    check_certainty(certainty)
    if not 0 <= changed <= pairs or not pairs:
        raise InvalidValueError(
            f"{changed} of {pairs} pairs: give at least one pair, and no more changed ones than pairs"
        )
    if not changed:
        return float(1 - (1 - certainty) ** (1 / pairs))
    if changed == pairs:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(certainty, changed + 1, pairs - changed))


def needed(share: float, *, certainty: float = CERTAINTY) -> int:
    """How many pairs have to be looked at, and none of them be of a kind, to know that its share is no larger.

    Raises:
        InvalidValueError: a share that does not lie between 0 and 1, or a certainty outside its range.
    """
    check_certainty(certainty)
    if not 0 < share < 1:
        raise InvalidValueError(f"a share of {share!r}: give one above 0 and below 1")
    return math.ceil(math.log(1 - certainty) / math.log1p(-share))
