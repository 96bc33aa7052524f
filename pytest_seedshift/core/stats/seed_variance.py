"""Which share of the variance of pictures the seed vector explains: a two-way decomposition. Pure numbers.

In a block, two labels are drawn from the same two seed vectors, so that labels and vectors are crossed. Of a quantity
of pictures, such as their mean colour, a block has three mean squares, each of one degree of freedom: of label, of
seed vector, and of what the two do together. With components of variance L, S and I, their expectations are 2L + I,
2S + I and I (Searle, Casella and McCulloch 1992, *Variance Components*, on the two-way crossed random model). So the
seed vector's share of the whole, (S + I) / (L + S + I), is that of vector and both over that of label and vector: what
changes with the seed vector under one label (the total index of Sobol' 1993). Squares are summed over a quantity's
dimensions and over blocks; the interval is that of `seed_shares.share`, block by block.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import seed_shares
from pytest_seedshift.core.stats.seed_shares import Share, Squares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUANTITIES: Mapping[str, str] = {"position": "position", "colour": "colour", "layout": "layout"}
"""What is looked at of pictures, with titles; see `studies.picture_quantities`."""


def squares(values: NDArray[np.float64]) -> Squares:
    """The mean squares of some blocks.

    Args:
        values: of a quantity, (blocks, 2 labels, 2 seed vectors, dimensions).
    """
    label = values[:, 0].mean(1) - values[:, 1].mean(1)
    vector = values[:, :, 0].mean(1) - values[:, :, 1].mean(1)
    both = (values[:, 0, 0] - values[:, 0, 1] - values[:, 1, 0] + values[:, 1, 1]) / 2
    return Squares(*(tuple((each**2).sum(-1).tolist()) for each in (label, vector, both)))


def explained(found: Squares, certainty: float = CERTAINTY) -> Share | None:
    """The share that the seed vector explains, from 0 to 1, with its interval; None where no picture differs.

    Args:
        found: of at least two blocks.
        certainty: of the interval, between 0.5 and 1.
    """
    whole = [label + vector for label, vector in zip(found.label, found.vector, strict=True)]
    ours = [vector + both for vector, both in zip(found.vector, found.both, strict=True)]
    if not sum(whole):
        return None
    return _within(seed_shares.share(ours, whole, certainty))


def overall(found: Mapping[str, Squares], certainty: float = CERTAINTY) -> Share | None:
    """One number of a model: the share of all quantities together, each of which counts as much as another.

    Each quantity's squares are taken as parts of its own whole, so that none counts more for its unit.

    Args:
        found: by quantity.
        certainty: of the interval, between 0.5 and 1.

    Returns:
        None where a quantity is lacking, or differs in no picture.
    """
    ours, whole = [], []
    for each in QUANTITIES:
        squares_of = found.get(each)
        unit = 0.0 if squares_of is None else sum(squares_of.label) + sum(squares_of.vector)
        if squares_of is None or not unit:
            return None
        rows = zip(squares_of.label, squares_of.vector, squares_of.both, strict=True)
        parts = [((vector + both) / unit, (label + vector) / unit) for label, vector, both in rows]
        ours.append([one for one, _ in parts])
        whole.append([one for _, one in parts])
    above, below = ([sum(row) for row in zip(*each, strict=True)] for each in (ours, whole))
    return _within(seed_shares.share(above, below, certainty))


_ROUNDING = 1e-18
"""A variance below it is what rounding leaves of pictures that are the same."""

LEAST_PICTURES = 4
"""Of a label, for an interval of its own share."""


def by_label(values: Mapping[str, NDArray[np.float64]], certainty: float = CERTAINTY) -> dict[str, Share]:
    """Which share of the variance of each label's own pictures the seed vector explains: V / (V + L).

    V is the variance of a quantity over the seeds of that label. L is that between labels, one number of all: the
    variance of their means, less what V adds to it, at least 0. The interval is that of V, by the jackknife that leaves
    out a picture at a time, on the logarithm; L is taken as it is. It holds over all labels together (Bonferroni).

    Args:
        values: by label, (pictures, dimensions), of at least two labels; those of fewer than `LEAST_PICTURES` pictures
            are left out.
        certainty: of all intervals together, between 0.5 and 1.

    Returns:
        None of labels where nothing differs at all.
    """
    import numpy as np

    usable = {label: each for label, each in values.items() if len(each) >= LEAST_PICTURES}
    if len(usable) < 2:
        return {}
    own = {label: _variance(each) for label, each in usable.items()}
    added = float(np.mean([own[label] / len(each) for label, each in usable.items()]))
    between = max(float(np.array([each.mean(0) for each in usable.values()]).var(0, ddof=1).sum()) - added, 0.0)
    level = 1 - (1 - certainty) / len(usable)
    found = {}
    for label, each in usable.items():
        if not own[label] + between:
            continue
        spread = _spread(each, own[label], level)
        found[label] = Share(*(_part(each, between) for each in spread))
    return found


def _variance(values: NDArray[np.float64]) -> float:
    found = float(values.var(0, ddof=1).sum())
    return found if found > _ROUNDING else 0.0


def _part(own: float, between: float) -> float:
    if math.isinf(own):
        return 1.0
    return own / (own + between) if own + between else 0.0


def _spread(values: NDArray[np.float64], variance: float, certainty: float) -> tuple[float, float, float]:
    """A variance over pictures with its interval; see `by_label`."""
    import numpy as np
    from scipy.stats import t

    if not variance:
        return 0.0, 0.0, 0.0
    count = len(values)
    without = np.array([np.delete(values, place, 0).var(0, ddof=1).sum() for place in range(count)])
    if not (without > 0).all():
        return variance, 0.0, math.inf
    pseudo = count * math.log(variance) - (count - 1) * np.log(without)
    width = float(t.ppf((1 + certainty) / 2, count - 1) * pseudo.std(ddof=1) / math.sqrt(count))
    return variance, variance * math.exp(-width), variance * math.exp(width)


def _within(share: Share) -> Share:
    """A share with its interval as far as a share can go: the estimate is of variances, and may be larger by chance."""
    return Share(*(min(each, 1.0) for each in (share.value, share.low, share.high)))
