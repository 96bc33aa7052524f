"""The minimum detectable drop of a design, before an image is made. Pure numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_seedshift.core.scores import ANY
from pytest_seedshift.core.stats import proportions

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint

TIMES = 2
"""A design that would miss so many times the drop that is allowed is underpowered. The limit is ours."""

_MOST = 100_000
"""Of images: more are recommended to nobody."""


def least(constraint: Constraint, size: int, level: float) -> float | None:
    """The minimum detectable drop of an accuracy on a whole design, where no pair improves; None: there is none.

    Args:
        constraint: with `max_regression`.
        size: how many pairs the design has.
        level: the significance level.
    """
    allowed = constraint.max_regression or 0.0
    if constraint.significant == ANY or not allowed:
        lost: int | None = math.ceil(-math.log2(level) - 1e-9)  # as many tosses of a coin in a row
        lost = lost if lost is not None and lost <= size else None
    else:
        lost = proportions.least_lost(0, size, allowed, level) if allowed < 1 else None
    return None if lost is None else max(lost / size, math.floor(allowed * size + 1) / size)


def warning(constraint: Constraint, size: int, level: float) -> str | None:
    """That a drop of `TIMES` what is allowed would be missed, and how many images detect it; None where it is not."""
    allowed = constraint.max_regression or 0.0
    if not constraint.score_kind.binary or not 0 < TIMES * allowed < 1:
        return None
    wanted, edge = TIMES * allowed, least(constraint, size, level)
    if edge is not None and edge <= wanted + 1e-9:
        return None
    title = constraint.score_kind.title
    power = "no drop is detectable" if edge is None else f"minimum detectable drop in {title}: {edge:.3f}"
    enough = _enough(constraint, level, size)
    more = "" if enough is None else f"; about {enough} images detect a drop of {wanted:g} (--seedshift-images)"
    return (
        f"max_regression = {allowed:g} of {title} is underpowered: {power} ({size} images, level {level:.2g}, "
        f"even where no pair improves){more}"
    )


def _enough(constraint: Constraint, level: float, size: int) -> int | None:
    """From about how many images on a drop of `TIMES` what is allowed is detected."""
    from scipy.stats import norm

    allowed = constraint.max_regression or 0.0
    if constraint.significant == ANY:
        return math.ceil(math.ceil(-math.log2(level)) / (TIMES * allowed))
    edge, images = float(norm.isf(level)) + 0.2, max(size, 8)
    while images <= _MOST and float(proportions.score(TIMES * allowed * images, 0.0, images, allowed)) < edge:
        images = math.ceil(images * 1.05)
    while images <= _MOST and ((found := least(constraint, images, level)) is None or found > TIMES * allowed):
        images = math.ceil(images * 1.05)  # the test is exact, and a little more careful than that
    return math.ceil(images / 10) * 10 if images <= _MOST else None
