"""What the gate says of chance, held against simulated versions: claimed, as it was before, as it is.

    python benchmarks/figures_gate.py [--designs N] [--only WORD] [--short]

Each line simulates designs of which the truth is known and counts how often something is said that is not so. "before"
is the rule that the gate had, on the same designs: it is the control, as it has to break the claim for the simulation
to be worth anything. A figure that a claim speaks of may exceed it by what a binomial count exceeds in one of a
thousand benchmarks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, t

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.scores import ANY, Constraint
from pytest_seedshift.core.stats import paired, proportions
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.results import regression
from pytest_seedshift.results.baseline import Baseline, Design, Samples, Version

LEVEL = 0.01

LABELS = tuple("abcdefgh")


@dataclass(frozen=True)
class Line:
    """A claim and what became of it: how often it was broken, of `designs`, by the rule before and by the one now."""

    point: str
    what: str
    claim: float
    before: int
    after: int
    designs: int
    control: int | None = None
    """Where the rule before kept the claim, or there was none: how often it is broken where it has to be."""

    @property
    def most(self) -> int:
        """What a claim that holds exceeds in one of a thousand."""
        return int(binom.isf(1e-3, self.designs, self.claim))

    @property
    def holds(self) -> bool:
        """Whether the claim holds now, as far as these designs tell."""
        return self.after <= self.most

    @property
    def notices(self) -> bool:
        """Whether the simulation finds a claim broken that is."""
        return (self.before if self.control is None else self.control) > self.most

    def __str__(self) -> str:
        shown = [f"{each / self.designs:8.4f}" for each in (self.before, self.after)]
        said = "ok" if self.holds and self.notices else "BROKEN" if self.notices else "BLIND"
        return f"{self.point:<5}{self.what:<76}{self.claim:7.3f}{shown[0]}{shown[1]}  {said}"


def turned(rng: np.random.Generator, designs: int, pairs: int, lost: float, won: float) -> np.ndarray:
    """How many pairs were lost and won, a row a design."""
    return rng.multinomial(pairs, [lost, won, 1 - lost - won], designs)[:, :2]


def judged(test: Callable[[int, int], float], counts: np.ndarray, level: float) -> np.ndarray:
    """For each design, whether a test of lost and won finds it; each pair of counts is looked at once."""
    kinds, places = np.unique(counts, axis=0, return_inverse=True)
    found = np.array([test(int(lost), int(won)) <= level for lost, won in kinds])
    return found[places.ravel()]


# Point 4: a drop of exactly what is allowed ---------------------------------------------------------------------------


def allowed_drop(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """A version whose own drop is `max_regression` is found worse in at most 1 % of designs."""
    cells = [
        (16, 0.1, 0.0), (64, 0.02, 0.1), (400, 0.02, 0.0), (400, 0.02, 0.005), (400, 0.02, 0.02), (400, 0.02, 0.09),
        (400, 0.05, 0.005), (1600, 0.02, 0.02),
    ]  # fmt: skip
    for pairs, allowed, won in cells:
        counts = turned(rng, designs, pairs, won + allowed, won)
        above = counts[:, 0] - counts[:, 1] > pairs * allowed + 1e-9
        before = above & judged(paired.mcnemar, counts, LEVEL)
        after = judged(lambda lost, won, n=pairs, a=allowed: proportions.p_value(lost, won, n, a), counts, LEVEL)
        worse = turned(rng, designs, pairs, min(won + 3 * allowed + 0.1, 0.95 - won), won)
        found = judged(lambda lost, won, n=pairs, a=allowed: proportions.p_value(lost, won, n, a), worse, LEVEL)
        what = f"drop {allowed} of allowed {allowed}, {2 * won + allowed:g} of {pairs} pairs turn, whole"
        yield Line("4", what, LEVEL, int(before.sum()), int(after.sum()), designs, int(found.sum()))


def allowed_drop_early(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """The same by the test of a run, which may stop after every image."""
    for pairs, allowed, won in ((64, 0.05, 0.02), (400, 0.02, 0.02)):
        wrong = {True: 0, ANY: 0}
        for _ in range(designs):
            drops = rng.choice([1, -1, 0], pairs, p=[won + allowed, won, 1 - 2 * won - allowed])
            before = np.where(drops == 0, rng.random(pairs) < 0.8, drops > 0).astype(float)
            for significant in wrong:
                asked = (Constraint("top1", max_regression=allowed, significant=significant),)
                test = SequentialTest(asked, pairs, baseline={"top1": before})
                wrong[significant] += not test.judge({"top1": before - drops}).passed
        what = f"drop {allowed} of allowed {allowed}, {2 * won + allowed:g} of {pairs} pairs turn, early"
        yield Line("4", what, LEVEL, wrong[ANY], wrong[True], designs)


# Point 11: scores that are not 0 or 1, and pools ----------------------------------------------------------------------


def found_by_t(drops: np.ndarray) -> np.ndarray:
    """What Student's t finds, a row a design; of drops that are all alike their sign decides."""
    spread = drops.std(axis=1, ddof=1)
    alike = (drops.max(axis=1) == drops.min(axis=1)) & (drops[:, 0] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = drops.mean(axis=1) / spread * np.sqrt(drops.shape[1])
    return np.where(alike, 2.0 ** -drops.shape[1] <= LEVEL, t.sf(values, drops.shape[1] - 1) <= LEVEL)


def rare_gains(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """CLIP drops by 0.2 in 98 of 100 pairs and gains 9.8 in two: the mean is what it was."""
    for pairs in (16, 64, 400):
        drops = np.where(rng.random((designs, pairs)) < 0.02, -9.8, 0.2)
        before = int(found_by_t(drops).sum())
        after = sum(paired.p_of_bets(each, 0.0, 25.0) <= LEVEL for each in drops)
        yield Line("11", f"CLIP falls by 0.2, gains 9.8 in 2 %, {pairs} pairs", LEVEL, before, after, designs)


def pools(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """Six cases of a version that has not changed, by the number of pairs that turned in any of them."""
    for number in (9, 400):
        signs = rng.choice([-1.0, 1.0], (designs, number))
        sums = np.zeros((designs, 400))
        sums[:, :number] = signs * (1 if number == 9 else rng.integers(1, 3, (designs, number)))
        before = int(found_by_t(sums).sum())
        after = sum(paired.signs(each, LEVEL) <= LEVEL for each in sums)
        worse = sum(paired.signs(np.abs(each), LEVEL) <= LEVEL for each in sums)
        yield Line("11", f"pool of six unchanged cases, {number} pairs turned", LEVEL, before, after, designs, worse)


def pools_allowed(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """Six cases that each drop by what is allowed; where all of them gain at once, that is rare and large."""
    for pairs, allowed, all_gain in ((64, 0.02, 0.02), (400, 0.02, 0.02), (400, 0.02, 0.0)):
        before = after = worse = 0
        for _ in range(designs):
            gained = rng.random(pairs) < all_gain
            lost = rng.random((6, pairs)) < (allowed + all_gain) / (1 - all_gain)
            sums = np.where(gained, -6.0, lost.sum(axis=0))
            above = sums.mean() > 6 * allowed + 1e-9
            before += above and paired.t_test(sums) <= LEVEL
            after += paired.p_of_bets(sums - 6 * allowed, 0.0, 6 + 6 * allowed) <= LEVEL
            worse += paired.p_of_bets(sums + 3 - 6 * allowed, 0.0, 6 + 6 * allowed) <= LEVEL
        what = f"pool of six, each drops {allowed} of {allowed}, all gain in {all_gain:g}, {pairs} pairs"
        yield Line("4", what, LEVEL, int(before), int(after), designs, int(worse))


# Points 2, 3 and 7: many tests, few pairs -----------------------------------------------------------------------------


def side(name: str, columns: dict[Case, np.ndarray], size: int, *, exact: bool = True) -> Baseline:
    """One side of a comparison, by case its top-1."""
    design = Design("letters.csv", LABELS, "{label}", size)
    version = Version("print", "cpu", "float32", "vit", "clip")
    cases = {case: Samples(case, "d", exact, {"top1": tuple(map(float, each))}) for case, each in columns.items()}
    return Baseline(name, {}, {case.model: version for case in cases}, {"d": design}, cases)


def families(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """Sessions of 12 cases of 64 pairs in which nothing has changed: whether anything in them is found worse."""
    cases = [Case("m", shift, (at + 1) / 10) for shift in ("mean", "std") for at in range(6)]
    asked = {case: [Constraint("top1", max_regression=0.0, significant=ANY)] for case in cases}
    parts = [cases[:3], cases[3:6], cases[6:9], cases[9:]]
    alone = regression.Gate(asked=asked)
    own = [regression.Gate(asked={case: asked[case] for case in part}, family=True) for part in parts]
    shard = regression.Gate(asked=asked, family=True, partial=True)
    whole = regression.Gate(asked=asked, family=True)
    count = dict.fromkeys(("alone", "own", "shards", "whole"), 0)
    for _ in range(designs):
        one = rng.random((12, 64)) < 0.8
        other = one ^ (rng.random((12, 64)) < 0.25)
        swap = rng.random(64) < 0.5
        old, new = (dict(zip(cases, np.where(swap, *each), strict=True)) for each in ((one, other), (other, one)))

        def compare(gate: regression.Gate, part: list[Case], old: dict = old, new: dict = new) -> bool:
            sides = (side(name, {case: all_[case] for case in part}, 64) for name, all_ in (("a", old), ("b", new)))
            return regression.compare(*sides, gate).regressed

        count["alone"] += compare(alone, cases)
        count["whole"] += compare(whole, cases)
        count["own"] += any(compare(gate, part) for gate, part in zip(own, parts, strict=True))
        count["shards"] += any(compare(shard, part) for part in parts)
    yield Line(
        "7", "unchanged, 12 cases and their pools: a red session", LEVEL, count["alone"], count["whole"], designs
    )
    yield Line("2", "the same in four shards, family: a red shard", LEVEL, count["own"], count["shards"], designs)


def flagged(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """Another bound ends a case after ten images; nothing has changed, and `significant = false`."""
    case, before, after, found = Case("m"), 0, 0, 0
    asked = {case: [Constraint("top1", max_regression=0.02, significant=False)]}
    gate = regression.Gate(asked=asked, decided={(case, "top1"): None})
    known = regression.Gate(asked=asked, decided={(case, "top1"): False})
    for _ in range(designs):
        old, new = (rng.random((2, 400)) < 0.5).astype(float)
        sides = side("a", {case: old}, 400), side("b", {case: new[:10]}, 400, exact=False)
        before += old[:10].mean() - new[:10].mean() > 0.02 + 1e-9
        after += regression.compare(*sides, gate).regressed
        found += regression.compare(*sides, known).regressed
    yield Line("3", "significant = false, ended after 10 images: flagged", LEVEL, int(before), after, designs, found)


def thresholds_family(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """31 cases of a model whose own means lie 0.05 above both bounds, independent: whether any of them fails."""
    for above, pairs in ((0.05, 400), (0.03, 400)):
        means = np.array([0.6 + above, 0.8 + above])
        right = rng.binomial(pairs, means, (designs, 31, 2))
        before = (right < np.ceil(pairs * np.array([0.6, 0.8]) - 1e-9)).any(axis=(1, 2))
        tested = binom.cdf(right, pairs, np.array([0.6, 0.8])) <= LEVEL / 62
        after = tested.any(axis=(1, 2))
        poor = binom.cdf(rng.binomial(pairs, 0.45, designs), pairs, 0.6) <= LEVEL / 62
        what = f"31 cases, own means {above} above 0.6 and 0.8, whole: a red session"
        yield Line("7", what, LEVEL, int(before.sum()), int(after.sum()), designs, int(poor.sum()))


# Point 13: the sentence -----------------------------------------------------------------------------------------------


def sentences(designs: int, rng: np.random.Generator) -> Iterator[Line]:
    """How often the true drop is larger than "at 99 %, … loses at most …"; before, Wald's interval is the control."""
    for pairs, drop, won in ((64, 0.05, 0.05), (400, 0.0, 0.03), (400, 0.02, 0.0), (400, 0.01, 0.005), (400, 0.1, 0.1)):
        counts = turned(rng, designs, pairs, won + drop, won)
        kinds, places = np.unique(counts, axis=0, return_inverse=True)
        ends = np.array([proportions.most(int(lost), int(won), pairs, 1 - LEVEL) for lost, won in kinds])
        missed = (ends < drop - 1e-9)[places.ravel()]
        lost, gained = counts.T / pairs
        half = (lost - gained + 1.0 * np.sqrt((lost + gained - (lost - gained) ** 2) / pairs)) < drop
        what = f"at most … at 99 %: drop {drop}, {2 * won + drop:g} of {pairs} pairs turn"
        yield Line("13", what, LEVEL, int(half.sum()), int(missed.sum()), designs)


def cost(designs: int) -> None:
    """What a family of thresholds costs in images, by how good the model is, and how often a case fails."""
    asked = (Constraint("top1", 0.6), Constraint("top5", 0.8))
    print(f"{'own means':>12}{'images':>10}{'fails':>8}{'of a family of 62':>22}{'fails':>8}")
    for top1, top5 in ((0.95, 0.99), (0.85, 0.95), (0.75, 0.9), (0.65, 0.85), (0.55, 0.75), (0.45, 0.7), (0.3, 0.5)):
        rng, found = np.random.default_rng(1), []
        for _ in range(designs):
            first = rng.random(400) < top1
            columns = {"top1": first * 1.0, "top5": (first | (rng.random(400) < (top5 - top1) / (1 - top1))) * 1.0}
            both = [SequentialTest(asked, 400, thresholds=number).judge(columns) for number in (0, 62)]
            found.append([figure for each in both for figure in (each.images, not each.passed)])
        alone, failed, family, failed_too = np.mean(found, axis=0)
        print(f"{top1:6} {top5:5}{alone:10.0f}{failed:8.2f}{family:22.0f}{failed_too:8.2f}", flush=True)


LINES = (
    allowed_drop, allowed_drop_early, rare_gains, pools, pools_allowed, families, flagged, thresholds_family, sentences,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=3000, help="simulated designs for each figure")
    parser.add_argument("--only", default="", help="those whose name has this word")
    parser.add_argument("--short", action="store_true", help="200 designs, three of the simulations")
    options = parser.parse_args()
    if options.only == "cost":
        cost(options.designs)
        return
    chosen = (allowed_drop, pools, sentences) if options.short else LINES
    designs = 200 if options.short else options.designs
    print(f"{designs} designs a line, certainty {1 - LEVEL:g}")
    print(f"{'point':<6}{'what is counted':<75}{'claim':>7}{'before':>8}{'after':>8}")
    for number, simulate in enumerate(chosen):
        if options.only in simulate.__name__:
            for line in simulate(designs, np.random.default_rng(number)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
