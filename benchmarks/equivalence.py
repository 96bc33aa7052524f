"""How often versions are shown to be equivalent to their baseline, by simulation: `within`, as a run judges it.

    python benchmarks/equivalence.py --designs 1000

Of each line two versions are drawn, design by design, whose own means differ by a known drop: by the bound itself, to
either side, where at most 1 of 100 may pass; by half of it; and not at all. Accuracies turn in so many of the pairs;
CLIP scores of about 31 differ by so much of a standard deviation. `one-sided` is what the test of the drop alone would
let pass of versions that have gained the bound: that the simulation would notice. Numbers alone: no model, no image.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np

from pytest_seedshift.core.scores import Constraint, Margin
from pytest_seedshift.core.stats.sequential import SequentialTest

LINES = (
    ("top1", 0.10, 400, 0.20),
    ("top1", 0.05, 400, 0.02),
    ("top1", 0.05, 400, 0.06),
    ("top1", 0.05, 400, 0.10),
    ("top1", 0.02, 1600, 0.02),
    ("top1", 0.02, 1600, 0.05),
    ("top1", 0.02, 5000, 0.05),
    ("clip", 0.60, 400, 0.5),
    ("clip", 0.30, 1600, 0.5),
    ("clip", 0.062, 5000, 0.1),
    ("clip", 0.062, 5000, 0.5),
)
"""Score, bound, images of the design, and the share of pairs that turn, or the standard deviation of drops."""


def drawn(rng: np.random.Generator, score: str, size: int, drop: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """The scores of two versions."""
    if score == "clip":
        before = rng.normal(31, 3, size).clip(20, 42)
        return before, before - drop + rng.normal(0, spread, size)
    turned = max(spread, abs(drop))
    drops = rng.choice([1, -1, 0], size, p=[(turned + drop) / 2, (turned - drop) / 2, 1 - turned])
    before = np.where(drops == 0, rng.random(size) < 0.7, drops > 0).astype(float)
    return before, before - drops


def judged(rng: np.random.Generator, line: tuple, drop: float, designs: int) -> tuple[float, float, float]:
    """The shares of designs that pass, by both tests and by that of the drop alone, and the mean number of images."""
    score, bound, size, spread = line
    both, one, images = 0, 0, []
    for _ in range(designs):
        before, after = drawn(rng, score, size, drop, spread)
        test = SequentialTest((Constraint(score, within=Margin(bound)),), size, baseline={score: before})
        course = test.begin()
        course.add({score: after})
        down, up = course._decisions()  # the verdict alone: its intervals take long
        both += bool(down.holds and up.holds)
        one += bool(down.holds)
        images.append(course.stop or size)
    return both / designs, one / designs, statistics.fmean(images)


def main() -> None:
    """Print a row for each line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    head = ("score", "bound", "images", "spread", "at +bound", "at -bound", "one-sided", "half", "none", "images taken")
    print("  ".join(f"{each:>9}" for each in head))
    for line in LINES:
        bound = line[1]
        above, _, _ = judged(rng, line, bound, options.designs)
        below, one_sided, _ = judged(rng, line, -bound, options.designs)
        half, _, _ = judged(rng, line, bound / 2, options.designs)
        none, _, images = judged(rng, line, 0.0, options.designs)
        shown = (*map(str, line), f"{above:.3f}", f"{below:.3f}", f"{one_sided:.3f}", f"{half:.3f}", f"{none:.3f}")
        print("  ".join(f"{each:>9}" for each in (*shown, f"{images:.0f}")), flush=True)


if __name__ == "__main__":
    main()
