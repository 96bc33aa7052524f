"""How often the gate finds a drop that is there, and how often it finds one that is not.

    python benchmarks/power.py [--baseline PATH] [--designs N] [--certainty C] [--allowed DROP] [--short]

The samples are those of a baseline file or run folder (`--baseline`; of all its cases the one whose top-1 is nearest to
0.8 on its whole design), or, where none is given, drawn once with that accuracy.

Power: the new version's outcomes are the stored ones, of which some right ones turn wrong and some wrong ones right,
each with the probability that gives the wanted drop and the wanted part of pairs that turn. `gate` is max_regression =
0 as in a run, which may stop early (`images` is how many it looked at, on average); `exact` is McNemar's test on the
whole design; `unpaired` is the z-test of two accuracies, the sharpest of those that know of no pairs.

False regressions: two versions that are equally reliable but not the same: of every pair that has turned, it is tossed
which outcome belongs to which version. At most 1 − certainty of the designs may be found worse; the bound behind it is
what a binomial count with that probability exceeds in one of a thousand benchmarks.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import binom

from pytest_seedshift.core.scores import CERTAINTY, Constraint
from pytest_seedshift.core.stats import paired, proportions
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.results import baseline_sources

DROPS = ((0.02, 0.03), (0.03, 0.04), (0.05, 0.06), (0.05, 0.10), (0.05, 0.20), (0.10, 0.20))
"""Drop, and the part of the pairs that turn."""

SIZES = (100, 400, 1600)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", type=Path, help="a baseline file or a run folder")
    parser.add_argument("--designs", type=int, default=1000, help="simulated designs for each figure")
    parser.add_argument("--certainty", type=float, default=CERTAINTY)
    parser.add_argument("--short", action="store_true", help="40 designs, one drop, one size")
    parser.add_argument("--allowed", type=float, help="max_regression: only what is found of drops beyond it")
    options = parser.parse_args()
    if options.allowed is not None:
        beyond(options.allowed, options.designs, 1 - options.certainty)
        return
    drops, sizes = (DROPS[2:3], SIZES[1:2]) if options.short else (DROPS, SIZES)
    designs = 40 if options.short else options.designs
    rng = np.random.default_rng(0)
    stored = outcomes(options.baseline, rng)
    print(
        f"stored outcomes: {stored.size}, top-1 {stored.mean():.3f}; {designs} designs, certainty {options.certainty}"
    )
    print(f"{'drop':>6}{'turned':>8}{'N':>6}{'gate':>8}{'images':>8}{'exact':>8}{'unpaired':>10}")
    for drop, turned in drops:
        for size in sizes:
            found = [power(stored, drop, turned, size, options.certainty, rng) for _ in range(designs)]
            gate, images, exact, unpaired = np.mean(found, axis=0)
            print(f"{drop:6.2f}{turned:8.2f}{size:6}{gate:8.3f}{images:8.0f}{exact:8.3f}{unpaired:10.3f}")
    most = int(binom.isf(1e-3, designs, 1 - options.certainty))
    for turned in (0.03, 0.06, 0.20):
        wrong, early = np.sum([exchanged(stored, turned, 400, options.certainty, rng) for _ in range(designs)], axis=0)
        pools = sum(pooled(stored, turned, 400, options.certainty, rng) for _ in range(designs))
        said = "ok" if max(wrong, early, pools) <= most else "TOO MANY"
        print(
            f"false regressions, {turned:.2f} of the pairs exchanged: of {designs} {wrong} by the gate, {early} "
            f"against a baseline that stopped early, {pools} by a pool of six cases; at most {most}: {said}"
        )


def beyond(allowed: float, designs: int, level: float) -> None:
    """How often a drop is found where `allowed` is allowed, on whole designs, by what `significant` asks."""
    rng = np.random.default_rng(0)
    print(f"max_regression {allowed:g}, {designs} designs\n{'drop':>6}{'turned':>8}{'N':>6}{'true':>8}{'any':>8}")
    for drop, turned in ((allowed, allowed + 0.01), *DROPS[1:]):
        for size in SIZES:
            won = (turned - drop) / 2
            counts = rng.multinomial(size, [won + drop, won, 1 - turned], designs)[:, :2].astype(float)
            sure = proportions.score(*counts.T, size, allowed) >= proportions.critical(size, allowed, level)
            above = counts[:, 0] - counts[:, 1] > size * allowed + 1e-9
            changed = above & (binom.sf(counts[:, 0] - 1, counts.sum(axis=1), 0.5) <= level)
            print(f"{drop:6.2f}{turned:8.2f}{size:6}{sure.mean():8.2f}{changed.mean():8.2f}", flush=True)


def outcomes(path: Path | None, rng: np.random.Generator) -> np.ndarray:
    """The stored top-1 of a design, 0 or 1 a pair."""
    if path is None:
        return rng.permutation(np.repeat([1.0, 0.0], [320, 80]))
    cases = baseline_sources.load(path).cases.values()
    whole = [np.array(each.scores["top1"]) for each in cases if each.exact]
    if not whole:
        raise SystemExit(f"{path} has no case with its whole design: make it with --seedshift-exact")
    return min(whole, key=lambda values: abs(values.mean() - 0.8))


def turn(stored: np.ndarray, drop: float, turned: float, size: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
    """Outcomes before and after: drawn from the stored ones, some of them turned."""
    before = rng.choice(stored, size)
    lost, won = (turned + drop) / 2 / stored.mean(), (turned - drop) / 2 / (1 - stored.mean())
    flips = rng.random(size) < np.where(before > 0.5, lost, won)
    return before, np.where(flips, 1 - before, before)


def gate_of(before: np.ndarray, certainty: float, *, fixed: bool = True, size: int | None = None) -> SequentialTest:
    asked = (Constraint("top1", max_regression=0.0),)
    return SequentialTest(asked, size or before.size, certainty, baseline={"top1": before}, fixed=fixed)


def power(
    stored: np.ndarray, drop: float, turned: float, size: int, certainty: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Whether the gate finds the drop, after how many images, and whether the two other tests do."""
    before, after = turn(stored, drop, turned, size, rng)
    judged = gate_of(before, certainty).judge({"top1": after})
    lost, won = int((before > after).sum()), int((before < after).sum())
    both = int((before * after).sum())
    level = 1 - certainty
    exact = paired.mcnemar(lost, won) <= level
    return not judged.passed, judged.images, exact, paired.unpaired(lost, won, both, size) <= level


def exchanged(
    stored: np.ndarray, turned: float, size: int, certainty: float, rng: np.random.Generator
) -> tuple[bool, bool]:
    """Whether an equally reliable version is found worse: by the gate, and against a baseline that stopped early."""
    one, other = turn(stored, 0.0, turned, size, rng)
    swap = rng.random(size) < 0.5
    before, after = np.where(swap, one, other), np.where(swap, other, one)
    whole = gate_of(before, certainty).judge({"top1": after})
    floor = SequentialTest((Constraint("top1", minimum=0.6),), size, certainty)
    part = before[: floor.judge({"top1": before}).images]
    early = gate_of(part, certainty, fixed=False, size=size).judge({"top1": after})
    return not whole.passed, not early.passed


def pooled(stored: np.ndarray, turned: float, size: int, certainty: float, rng: np.random.Generator) -> bool:
    """Whether six cases of an equally reliable version, all of one mind about each pair, are found worse together."""
    one, other = turn(stored, 0.0, turned, size, rng)
    alike = [np.where(rng.random(size) < 0.8, one - other, 0.0) for _ in range(6)]
    swap = np.where(rng.random(size) < 0.5, 1, -1)
    return paired.signs(swap * np.sum(alike, axis=0), 1 - certainty) <= 1 - certainty


if __name__ == "__main__":
    main()
