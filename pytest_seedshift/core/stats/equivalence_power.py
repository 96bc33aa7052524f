"""How many images it takes to show that a version is equivalent to its baseline, before one is made. Pure numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.stats import equivalence, paired, proportions
from pytest_seedshift.core.stats.wealth import Evidence

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.stats.course import Values
    from pytest_seedshift.core.stats.sequential import SequentialTest

_MOST = 1_000_000
"""Of images: more are recommended to nobody."""

TURNED = 0.05
"""The share of pairs that turn, as many wrong as right, for which a number of images is said too."""

_POWER = 0.9
"""How often a version with the baseline's own mean is to be shown to be equivalent."""


def needed(constraint: Constraint, before: Values, level: float, *, exact: bool) -> int | None:
    """About how many images show that a version is within its bound of which no pair has changed: the fewest.

    Args:
        constraint: whose margin has a value.
        before: the baseline's scores, at least one.
        level: of each test.
        exact: whether only the whole design counts.

    Returns:
        None where a million would not do.
    """
    by_bets = _by_bets(constraint, before, level)
    if constraint.score_kind.binary:
        by_bets = min(by_bets, _fixed(_bound(constraint), _of_whole(level, exact=exact)))
    return by_bets if by_bets <= _MOST else None


def _bound(constraint: Constraint) -> float:
    assert constraint.within is not None
    assert constraint.within.value is not None
    return constraint.within.value


def _of_whole(level: float, *, exact: bool) -> float:
    """The level of the exact test of accuracies."""
    return level if exact else level * (1 - paired.EARLY)


def _by_bets(constraint: Constraint, before: Values, level: float) -> int:
    """After how many pairs of which none has changed the bets of both sides are won; more than `_MOST`: never."""
    part = paired.EARLY if constraint.score_kind.binary else 1.0
    sides = equivalence.sides(constraint, np.asarray(before, dtype=np.float64), level, "looks")
    found = [Evidence(side.most_lost, -math.log(level * part)).if_all(side.most_drop, _MOST) for side in sides]
    return max(each or _MOST + 1 for each in found)


def _fixed(bound: float, level: float) -> int:
    """How many pairs of which none has turned the exact test needs."""
    low, high = 1, 2
    while high <= _MOST and proportions.p_value(0, 0, high, -bound) > level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proportions.p_value(0, 0, middle, -bound) <= level else (middle, high)
    return high


def of_turned(bound: float, level: float, turned: float = TURNED) -> int:
    """About how many images show an accuracy to be within a bound where so many pairs turn, as many wrong as right.

    In nine of ten designs, by the normal approximation of both one-sided tests.
    """
    from scipy.stats import norm

    reach = float(norm.isf(level)) + float(norm.isf((1 - _POWER) / 2))
    return math.ceil(reach**2 * turned / bound**2 / 10) * 10


def note(tests: Iterable[SequentialTest]) -> str | None:
    """How many images the bounds of some tests take; None where none asks for equivalence."""
    counts: dict[str, list[int | None]] = {}
    turned: dict[str, int] = {}
    for test in tests:
        for each in test.constraints:
            if each.within is None or each.within.value is None or each.score not in test.baseline:
                continue
            level, title = 1 - test.certainty, f"within = {each.within} of {each.score_kind.title}"
            counts.setdefault(title, []).append(needed(each, test.baseline[each.score], level, exact=test.exact))
            if each.score_kind.binary:
                turned[title] = max(turned.get(title, 0), of_turned(each.within.value, level))
    said = []
    for title, found in counts.items():
        most = None if None in found else max(each for each in found if each is not None)
        said.append(f"{title} takes {'more than a million' if most is None else f'about {most}'} images a case")
        said[-1] += " if no pair has changed"
        if title in turned:
            said[-1] += f", and about {turned[title]} if {100 * TURNED:g} of 100 pairs turn"
    return "; ".join(said) or None


def warnings(tests: Iterable[SequentialTest]) -> list[str]:
    """The bounds that the designs of some tests cannot show, each said once, with how many images could."""
    said: dict[str, None] = {}
    for test in tests:
        for each in test.constraints:
            if each.within is not None and each.within.value is not None and each.score in test.baseline:
                found = warning(each, test.baseline[each.score], 1 - test.certainty, exact=test.exact)
                said |= {} if found is None else {found: None}
    return list(said)


def warning(constraint: Constraint, before: Values, level: float, *, exact: bool) -> str | None:
    """That so many pairs of a baseline are too few for a bound, or may well be; None where they are enough.

    Args:
        constraint: whose margin has a value.
        before: the baseline's scores of all pairs that are compared.
        level: of each test.
        exact: whether only the whole design counts.
    """
    margin, kind, size, bound = constraint.within, constraint.score_kind, len(before), _bound(constraint)
    title = f"within = {margin} of {kind.title}"
    if margin is not None and margin.share is not None:
        title += f" (±{bound:.3g})"
    shown = _by_bets(constraint, before, level) <= size
    if kind.binary and not shown:
        shown = proportions.p_value(0, 0, size, -bound) <= _of_whole(level, exact=exact)
    if not shown:
        fewest = needed(constraint, before, level, exact=exact)
        enough = "more than a million images" if fewest is None else f"about {fewest} images"
        return (
            f"{title} cannot be shown on {size} images, even if no pair has changed. Give {enough} "
            "(--seedshift-images), or a wider bound"
        )
    likely = of_turned(bound, level) if kind.binary else 0
    if likely <= size:
        return None
    return (
        f"{title} is underpowered: {size} images show it only if no pair has changed. If {100 * TURNED:g} of 100 pairs "
        f"turn, as many wrong as right, it takes about {likely} images (--seedshift-images)"
    )
