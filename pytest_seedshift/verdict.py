"""What a case's scores say: means with intervals, and whether its constraints hold on the design.

Pure numbers: this module knows no model, no tensor and no file. The verdict is about the whole design: a constraint
holds if the design's own mean (or paired drop against the control) meets its bound. The intervals beside it say how far
another draw of pairs could lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

CERTAINTY = 0.99
"""The confidence level of all intervals."""


@dataclass(frozen=True, slots=True)
class ScoreKind:
    """A score's title for people, its largest value (the smallest is 0), and whether a value is 0 or 1."""

    title: str
    top: float
    binary: bool

    def format(self, value: float) -> str:
        """A value with as many decimals as are worth reading."""
        return f"{value:.2f}" if self.top <= 1 else f"{value:.1f}"


SCORES: Mapping[str, ScoreKind] = MappingProxyType(
    {
        "top1": ScoreKind("top-1", 1.0, binary=True),
        "top5": ScoreKind("top-5", 1.0, binary=True),
        "clip": ScoreKind("CLIP", 100.0, binary=False),
    }
)
"""The scores by their name in thresholds.toml and verdicts.json."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is asked of a score: at least `minimum`, at most `max_drop` below the control on the same pairs."""

    score: str
    minimum: float | None = None
    max_drop: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score's mean over the samples, and its interval at `CERTAINTY`."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One bound of one constraint, held against the measurement.

    `kind` is "min" (`measured` is the mean) or "max_drop" (`measured` is the control's mean less the case's, over the
    same pairs).
    """

    score: str
    kind: str
    bound: float
    measured: float

    @property
    def holds(self) -> bool:
        """Whether the bound is met. Sums of floats may miss a bound by their last bits: 0.7 asked, 7 of 10 right."""
        slack = 1e-9
        return self.measured >= self.bound - slack if self.kind == "min" else self.measured <= self.bound + slack


def estimate(score: str, values: Sequence[float]) -> Estimate:
    """The mean of a score's values with its interval.

    For accuracies Wilson's interval (Wilson 1927), for other scores a percentile bootstrap of the mean with a fixed
    seed (Efron 1979), both by scipy.

    Raises:
        ValueError: no values, or one that is not finite. What was not measured has no mean.
    """
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    mean = _mean(score, values)
    if SCORES[score].binary:
        from scipy.stats import binomtest

        interval = binomtest(int(array.sum()), array.size).proportion_ci(CERTAINTY, method="wilson")
        return Estimate(mean, float(interval.low), float(interval.high))
    if array.size == 1 or np.ptp(array) == 0:
        return Estimate(mean, mean, mean)
    from scipy.stats import bootstrap

    interval = bootstrap(
        (array,),
        np.mean,
        confidence_level=CERTAINTY,
        method="percentile",
        n_resamples=2000,
        batch=200,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))


def judge(
    constraints: Sequence[Constraint],
    scores: Mapping[str, Sequence[float]],
    control: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Finding, ...]:
    """Hold a case's scores against its constraints, bound by bound.

    Args:
        constraints: what is asked, not empty.
        scores: by score, one value for each pair of the design, finite.
        control: the control's values for the same pairs in the same order; needed where a `max_drop` is asked.

    Returns:
        One finding for each bound. The case passes if all hold.

    Raises:
        ValueError: no constraint or one without a bound, a score that is missing or not finite, or a control that does
            not fit.
    """
    if not constraints or any(constraint.minimum is constraint.max_drop is None for constraint in constraints):
        raise ValueError("no constraint: what is not checked has not passed")
    findings = []
    for constraint in constraints:
        mean = _mean(constraint.score, scores.get(constraint.score, ()))
        if constraint.minimum is not None:
            findings.append(Finding(constraint.score, "min", constraint.minimum, mean))
        if constraint.max_drop is not None:
            values = (control or {}).get(constraint.score, ())
            if len(values) != len(scores[constraint.score]):
                raise ValueError(
                    f"max_drop of {constraint.score}: the control has {len(values)} values for the case's "
                    f"{len(scores[constraint.score])} pairs"
                )
            drop = _mean(constraint.score, values) - mean
            findings.append(Finding(constraint.score, "max_drop", constraint.max_drop, drop))
    return tuple(findings)


def _mean(score: str, values: Sequence[float]) -> float:
    """The mean, of at least one value, all finite: what was not measured has no mean."""
    if not values:
        raise ValueError(f"{SCORES[score].title} has no values")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"{SCORES[score].title} has values that are not finite")
    return math.fsum(values) / len(values)
