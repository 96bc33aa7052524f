"""How far below a measurement a bound has to lie so that another draw of the whole grid meets it. Pure numbers.

A bound at the measured mean would be missed by every other draw of an equally good model, and one at the lower end of
an interval by some case of a large grid: such an interval is of the model's own mean, while another draw has chance of
its own, and a grid has many cases. What is wanted is a lower prediction limit for the mean of another design, with the
error that is allowed over the whole grid shared by all bounds (Bonferroni), so that it holds however cases depend on
each other:

- for accuracies of a whole design the exact limit: given the number of right answers in both draws together, that of
  the second is hypergeometric, whatever the model's own accuracy is (Thatcher 1964, JRSS B 26(2), *Relationships
  between Bayesian and confidence limits for predictions*; Meeker, Hahn and Escobar 2017, *Statistical Intervals*, 2nd
  ed., on prediction limits for proportions). A design has as many pairs of each label as another, which makes it only
  safer;
- for all else, and for early verdicts, whose numbers of images are no fixed ones, the arm of the measured interval,
  made wider by the other draw's chance, √(1 + n/N) for n of N images (the same, on prediction limits for a mean), and
  taken to the level of one bound: of accuracies by the normal quantiles, of other scores by the logarithms of the
  levels, since a few rare low values make a mean's tail fall like an exponential and not like a normal one. That is a
  rule and no theorem; `benchmarks/figures.py` simulates it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from pytest_seedshift.core.scores import check_certainty


def limit(
    mean: float, low: float, images: int, design: int, *, bounds: int, certainty: float, binary: bool = False
) -> float:
    """What another design's mean lies above, for all bounds of a grid together with a certainty.

    Args:
        mean: as it was measured.
        low: the lower end of its interval at that certainty, not above the mean.
        images: how many were looked at, 1 to `design`.
        design: how many pairs a design has.
        bounds: how many of them the grid has, at least one.
        certainty: that none is missed, if the model is the same.
        binary: whether each value is 0 or 1.

    Returns:
        Not above the mean; it may be below the score's range.

    Raises:
        SeedshiftError: a certainty outside of its range.
    """
    check_certainty(certainty)
    level = (1 - certainty) / bounds
    if binary and images == design:
        return _right(round(mean * images), design, level) / design
    quantile, end = NormalDist().inv_cdf, (1 - certainty) / 2  # of the interval, which has two
    wider = quantile(1 - level) / quantile(1 - end) if binary else math.log(level) / math.log(end)
    return mean - (mean - low) * max(1.0, wider) * math.sqrt(1 + images / design)


def _right(right: int, design: int, level: float) -> int:
    """The least number of right answers in another design that is not rarer than a level."""
    import numpy as np
    from scipy.stats import hypergeom

    others = np.arange(right + 1)
    return int(np.argmax(hypergeom.cdf(others, 2 * design, right + others, design) > level))


def of_versions(means: Sequence[float], *, bounds: int, certainty: float, least: float) -> float:
    """What the mean of another version lies above, for all bounds together with a certainty.

    The lower prediction limit for one further value of a normal distribution, mean - t·s·√(1 + 1/n) with Student's t
    of n - 1 degrees of freedom (Meeker, Hahn and Escobar 2017, on prediction intervals for a normal distribution); the
    error is shared by all bounds (Bonferroni). It is exact where versions are independent draws of one normal
    distribution. It is no higher than the lowest of the means, so that all of them meet it.

    Args:
        means: of the versions, at least two.
        bounds: how many bounds there are, at least one.
        certainty: that another version meets all of them.
        least: the smallest spread that is taken for one, at least 0: equal means of a few versions do not say that
            versions cannot differ.

    Returns:
        It may be below the score's range.

    Raises:
        SeedshiftError: a certainty outside of its range.
    """
    import numpy as np
    from scipy.stats import t

    check_certainty(certainty)
    count, values = len(means), np.asarray(means, dtype=float)
    spread = max(float(values.std(ddof=1)), least)
    quantile = float(t.ppf(1 - (1 - certainty) / bounds, count - 1))
    return min(float(values.min()), float(values.mean()) - quantile * spread * math.sqrt(1 + 1 / count))
