"""Means of paired displacements, with intervals that know that pairs of one label are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.scores import Estimate, check_certainty
from pytest_seedshift.core.stats import unseen_changes

_SAME = 1e-9
"""Values that differ by less are the same."""


@dataclass(frozen=True, slots=True)
class Displacement:
    """By how much one pair's evidence lies elsewhere than without the shift: rightwards and downwards, in widths."""

    label: str
    seed: int
    right: float
    down: float


def clustered(values: Sequence[float], labels: Sequence[str], certainty: float) -> Estimate:
    """The mean of values that are grouped by label, and its interval.

    Seeds of one label share what the label does, so labels are what varies independently: the standard error is that of
    clusters, √(L/(L−1)·Σ_l(Σ_i(v_i − v̄))²)/N, and the interval Student's t with L − 1 degrees of freedom (Cameron and
    Miller 2015, A Practitioner's Guide to Cluster-Robust Inference, sections II and VI). With one label, pairs are the
    clusters, and also where all labels have one and the same sum, as labels of few 0s and 1s may by chance: what would
    be left is an interval without a width. Values that are all the same have no spread to be used; then as many pairs
    as chance could have hidden may lie anywhere within one width or height: see `unseen_changes`.

    Args:
        values: at least two, from −1 to 1.
        labels: one a value.
        certainty: of the interval, between 0.5 and 1.

    Raises:
        InvalidValueError: fewer than two values, or a certainty outside its range.
    """
    from scipy.stats import t

    check_certainty(certainty)
    if len(values) < 2:
        raise InvalidValueError(
            f"{len(values)} pairs have a position with and without the shift: an interval needs two"
        )
    residuals = np.asarray(values, dtype=np.float64)
    mean = float(residuals.mean())
    if np.ptp(residuals) <= _SAME:
        hidden = unseen_changes.most(len(residuals), certainty=certainty)
        return Estimate(mean, mean - hidden * (1 + mean), mean + hidden * (1 - mean))
    residuals = residuals - mean
    _, group = np.unique(np.asarray(labels), return_inverse=True)
    if group.max() == 0:
        group = np.arange(len(residuals))
    sums = np.asarray(np.bincount(group, residuals), dtype=np.float64)
    clusters = len(sums)  # also where pairs stand in for them: how the labels vary is known no better for that
    if np.abs(sums).max() <= _SAME:
        sums = residuals * math.sqrt(len(residuals) / (len(residuals) - 1) * (clusters - 1) / clusters)
    error = math.sqrt(clusters / (clusters - 1) * float((sums**2).sum())) / len(residuals)
    reach = float(t.ppf((1 + certainty) / 2, clusters - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)


def spread_within(values: Sequence[float], labels: Sequence[str]) -> float:
    """The standard deviation from seed to seed of one label, pooled over labels; NaN where no label has two values."""
    by_label: dict[str, list[float]] = {}
    for value, label in zip(values, labels, strict=True):
        by_label.setdefault(label, []).append(value)
    squares = sum(float(np.var(group)) * len(group) for group in by_label.values())
    freedom = sum(len(group) - 1 for group in by_label.values())
    return math.sqrt(squares / freedom) if freedom else math.nan
