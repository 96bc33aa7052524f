"""Simulations of what intervals and verdicts say: how often it is true. Numbers alone, for tests and benchmarks.

Each gives a share of designs for what the package does and, as a control that must fail, for the rule that knows only
of what was seen. `benchmarks/figures.py` prints them as a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats import betting, power, seed_shares, unseen_changes
from pytest_seedshift.core.stats import robustness as gap
from pytest_seedshift.core.stats.null_control import chance
from pytest_seedshift.core.stats.sequential import SequentialTest, estimate
from pytest_seedshift.studies import position_control

CERTAINTY = 0.99
ALPHA = 1 - CERTAINTY
CLIP_TOP = 50.0

Array = np.ndarray
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


@dataclass(frozen=True)
class Rates:
    """In which share of designs an interval held the truth: by the rule that knows only what was seen, and by ours."""

    naive: float
    ours: float
    designs: int

    def __str__(self) -> str:
        return f"{self.naive:.3f} → {self.ours:.3f}"


# Scores that are no accuracies ---------------------------------------------------------------------------------------


def rare(low: float, share: float) -> Draw:
    """Values of 46, but `low` in a share of pairs."""
    return lambda rng, shape: np.where(rng.random(shape) < share, low, 46.0)


VALUES: Mapping[str, tuple[Draw, float]] = {
    "46, but 2 in 2 % of pairs": (rare(2.0, 0.02), 46.0 - 0.02 * 44.0),
    "46, but 2 in 10 % of pairs": (rare(2.0, 0.1), 46.0 - 0.1 * 44.0),
    "2, but 46 in 3 % of pairs": (lambda rng, shape: np.where(rng.random(shape) < 0.03, 46.0, 2.0), 2.0 + 0.03 * 44.0),
    "normal, sd 3": (lambda rng, shape: rng.normal(22.0, 3.0, shape), 22.0),
    "gamma, skewed": (lambda rng, shape: rng.gamma(2.0, 5.0, shape).clip(0, CLIP_TOP), math.nan),
}
"""How CLIP's values are spread, and their mean; NaN: that of a million draws."""


def clip_means(name: str, pairs: int, designs: int, seed: int = 0) -> Rates:
    """Whether the interval of a mean of CLIP holds the model's own, where the number of pairs was fixed.

    The control is a percentile bootstrap. Of ours every design is held against the bets at the true mean, which is
    where the interval ends if it misses, and some against the interval itself.
    """
    draw, mean = VALUES[name]
    rng = np.random.default_rng(seed)
    if math.isnan(mean):
        mean = float(draw(rng, (1_000_000,)).mean())
    values = draw(rng, (designs, pairs))
    misses = np.array([_misses(row / CLIP_TOP, mean / CLIP_TOP) for row in values])
    for row, missed in zip(values[:20], misses[:20], strict=True):
        found = estimate(BUILT_IN["clip"], row, certainty=CERTAINTY)
        # An interval always has the design's own mean within it, and so may be wider than what the bets leave.
        assert missed or found.low - 0.01 <= mean <= found.high + 0.01
    held = [_bootstrap(row, rng, mean) for row in values]
    return Rates(float(np.mean(held)), float(1 - misses.mean()), designs)


def _misses(goodness: Array, mean: float) -> bool:
    needed = math.log(2 / ALPHA)
    above, below = betting.log_wealth(goodness, mean, math.inf), betting.log_wealth(1 - goodness, 1 - mean, math.inf)
    return bool(max(above.max(), below.max()) >= needed)


def _bootstrap(values: Array, rng: np.random.Generator, mean: float, draws: int = 1000) -> bool:
    means = values[rng.integers(0, values.size, (draws, values.size))].mean(axis=1)
    low, high = np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2])
    return bool(low - 1e-9 <= mean <= high + 1e-9)


# Robustness ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curves:
    """Designs of labels × seeds at so many magnitudes, where a model keeps a share of what it had right."""

    labels: int
    seeds: int
    share: float
    alike: bool = True
    """Whether a pair's outcome is the same at all magnitudes."""
    before: float = 1.0
    """How much is right without a shift."""
    magnitudes: int = 6

    def columns(self, rng: np.random.Generator, designs: int, before: Array) -> list[gap.Columns]:
        pairs = self.labels * self.seeds
        shape = (1 if self.alike else self.magnitudes, pairs, designs)
        kept = (rng.random(shape) < self.share) * before
        return [gap.Columns(kept[at % len(kept)], before, pairs) for at in range(self.magnitudes)]

    def right(self, rng: np.random.Generator, designs: int) -> Array:
        return (rng.random((self.labels * self.seeds, designs)) < self.before).astype(float)


def robustness(one: Curves, designs: int, other: Curves | None = None, seed: int = 0) -> Rates:
    """Whether the interval of a robustness, or of the gap of two models of the same pairs, holds the true one.

    The control is the bootstrap alone, with all of the error.
    """
    rng = np.random.default_rng(seed)
    draws = gap.draw((one.seeds,) * one.labels)
    truth = one.share - (0.0 if other is None else other.share)
    signs = [1.0] if other is None else [1.0, -1.0]
    naive = ours = 0
    step = max(1, 200_000 // (one.labels * one.seeds * one.magnitudes))
    for start in range(0, designs, step):
        count = min(step, designs - start)
        curves = [each.columns(rng, count, each.right(rng, count)) for each in (one, other) if each is not None]
        low, high = gap.interval(draws, curves, signs, CERTAINTY, 1.0)
        ours += int(((low <= truth + 1e-9) & (truth <= high + 1e-9)).sum())
        naive += _naive_gap(draws, curves, signs, truth)
    return Rates(naive / designs, ours / designs, designs)


def _naive_gap(draws: Array, curves: list[list[gap.Columns]], signs: list[float], truth: float) -> int:
    drawn = np.zeros(())
    for sign, columns in zip(signs, curves, strict=True):
        kept = np.mean([each.shifted for each in columns], axis=0)
        drawn = drawn + sign * (draws @ kept) / np.maximum(draws @ columns[0].before, 1e-9)
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    return int(((low - 1e-9 <= truth) & (truth <= high + 1e-9)).sum())


# The noise floor -----------------------------------------------------------------------------------------------------


def noise_floor(share: float, images: int, designs: int, seed: int = 0) -> Rates:
    """Whether a share of outcomes that change lies within what a noise floor says; the control says what was seen."""
    changed = np.random.default_rng(seed).binomial(images, share, designs)
    most = np.array([unseen_changes.most(images, count, certainty=CERTAINTY) for count in range(images + 1)])
    return Rates(float((share <= changed / images).mean()), float((share <= most[changed]).mean()), designs)


# Early verdicts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Early:
    """What comes of designs that are judged early: shares of those that were decided before their end."""

    around: float
    """How often the two-sided interval of the model's own mean holds the bound that the verdict was held against."""
    false: float
    """How often what the verdict says of the design is false."""
    lean: float
    """By how much the mean so far exceeds that of the whole design, on average."""
    spread: float
    """The standard deviation of that."""
    images: float
    """How many images a verdict takes, on average over all designs."""
    designs: int

    def __str__(self) -> str:
        figures = f"{self.around:.2f} → {self.false:.4f}; leans {self.lean:+.3f}, sd {self.spread:.3f}"
        return f"{figures}, {self.images:.0f} images"


def early(mean: float, bound: float, designs: int, *, size: int = 400, useless: int = 0, seed: int = 0) -> Early:
    """Accuracies of a mean, held against a minimum, and beside it against so many that nothing can break."""
    rng = np.random.default_rng(seed)
    others = [Constraint("top5", minimum=0.0), Constraint("clip", minimum=0.0)][:useless]
    test = SequentialTest((Constraint("top1", minimum=bound), *others), size, CERTAINTY)
    found = []
    stops = []
    for values in (rng.random((designs, size)) < mean).astype(float):
        judged = test.judge({"top1": values, "top5": values, "clip": 50 * values})
        stops.append(judged.images)
        if judged.images == size:
            continue
        seen, broken = values[: judged.images], judged.findings[0].holds is False
        interval = estimate(BUILT_IN["top1"], seen, certainty=CERTAINTY, stopped=True)
        wrong = broken == (values.mean() >= bound - 1e-9)
        found.append((interval.low < bound <= interval.high, wrong, seen.mean() - values.mean()))
    around, false, lean = np.array(found).T
    return Early(around.mean(), false.mean(), lean.mean(), lean.std(), float(np.mean(stops)), designs)


# The null control ----------------------------------------------------------------------------------------------------


def null_control(score: str, pairs: int, share: float, designs: int, *, turned: float = 0.06, seed: int = 0) -> float:
    """How often a null control shows the change that it says it shows in such a share of designs.

    Of an accuracy a share `turned` of pairs turns by chance; CLIP's pairs differ by a normal with standard deviation 3.
    """
    rng = np.random.default_rng(seed)
    alpha = ALPHA / 3
    if score == "clip":
        typical = rng.normal(0, 3, pairs)
        typical = (typical - typical.mean()) / typical.std(ddof=1) * 3  # no more, no less than the designs below
        change = power.detectable(BUILT_IN[score], typical, alpha, share)
        assert change is not None
        drops = rng.normal(change, 3, (designs, pairs))
        held = [abs(row.mean()) > chance(row, alpha) for row in drops]
        return float(np.mean(held))
    drops = np.zeros(pairs)
    drops[: round(turned * pairs)] = 1.0
    change = power.detectable(BUILT_IN[score], drops, alpha, share)
    assert change is not None
    by_chance = round(turned * pairs) / pairs / 2
    at = rng.random((designs, pairs))
    lost, won = (at < by_chance + change).sum(axis=1), (at > 1 - by_chance).sum(axis=1)
    p = 2 * binom.sf(np.maximum(lost, won) - 1, lost + won, 0.5)
    return float(((p <= alpha) & (lost > won)).mean())


# Seed sensitivity ----------------------------------------------------------------------------------------------------


def said_to_ignore(blocks: int, looking: float, designs: int, seed: int = 0) -> float:
    """How often a model is said to ignore its seed vector that looks at it wholly in a share of blocks, else hardly."""
    rng = np.random.default_rng(seed)
    said = []
    for _ in range(designs):
        looks = rng.random(blocks) < looking
        distances = {}
        for kind in seed_shares.KINDS:
            vector, label = np.where(looks, 1.0, 0.02) * rng.lognormal(0, 0.3, blocks), rng.lognormal(0, 0.3, blocks)
            distances[kind] = seed_shares.Distances(tuple(vector), tuple(vector), tuple(label))
        said.append(seed_shares.Sensitivity("any", distances, 6 * blocks, 1.0, CERTAINTY).ignores_vector)
    return float(np.mean(said))


# Positions -----------------------------------------------------------------------------------------------------------


def displacement(share: float, pairs: int, designs: int, seed: int = 0) -> Rates:
    """Whether the interval of a mean displacement holds the true one where few pairs move, and by half a picture.

    The control has no width where nothing was seen to move.
    """
    rng = np.random.default_rng(seed)
    labels = [f"label {index % 16}" for index in range(pairs)]
    moves = np.where(rng.random((designs, pairs)) < share, 0.5, 0.0)
    held = []
    for row in moves:
        found = position_control.clustered(row.tolist(), labels, CERTAINTY)
        held.append(found.low <= 0.5 * share <= found.high)
    seen = moves.any(axis=1)
    return Rates(float((np.array(held) & seen).mean()), float(np.mean(held)), designs)
