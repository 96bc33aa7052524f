"""What it costs to look at a case: microseconds a look, by the size of its design.

    python benchmarks/looks.py [--rounds N] [--short]

A look is what a driver does after each batch of 4: the new scores are added to the case's course, which is asked
whether the verdict stands, how soon it can stand at the earliest, and how likely further pairs are to be needed. Beside
it what it costs where nothing is carried from look to look, by the test's own methods, which go through all samples;
and what else can be asked. The scores lie a little above the bounds, where cases take long; each figure is the mean
over the looks of a course of up to 400 pairs, each look the fastest of the rounds, in seconds of the processor.

Tests: `bounds` has two minima and a drop against the control, `grid` the same with the certainty of the whole grid,
`baseline` one minimum and a largest regression.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import Course, SequentialTest

BATCH = 4

Columns = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--short", action="store_true", help="designs of 400, one round, up to 40 pairs")
    options = parser.parse_args()
    sizes, rounds, most = ((400,), 1, 40) if options.short else ((400, 5000), options.rounds, 400)
    asked: dict[str, Callable[[Course], object]] = {
        "a look": look,
        "verdict": Course.judgement,
        "forecast": Course.forecast,
        "about": Course.about,
    }
    print(f"{'N':>6} {'test':10}" + "".join(f"{name:>12}" for name in asked) + f"{'nothing carried':>18}")
    for size in sizes:
        for name, test in tests(size).items():
            found = [measured(test, most, asked) for _ in range(rounds)]
            best = (statistics.fmean(map(min, zip(*each, strict=True))) for each in zip(*found, strict=True))
            *carried, bare = (1e6 * each for each in best)
            print(f"{size:6} {name:10}" + "".join(f"{each:12.0f}" for each in carried) + f"{bare:18.0f}", flush=True)


def look(course: Course) -> None:
    if course.stop is None:
        course.soonest()


def tests(size: int) -> dict[str, SequentialTest]:
    rng = np.random.default_rng(0)
    bounds = (Constraint("top1", 0.6, 0.2), Constraint("clip", 20.0))
    return {
        "bounds": SequentialTest(bounds, size),
        "grid": SequentialTest(bounds, size, thresholds=60),
        "baseline": SequentialTest(
            (Constraint("top1", 0.3, max_regression=0.02),), size, baseline={"top1": drawn(rng, size, 0.62, 0)["top1"]}
        ),
    }


def drawn(rng: np.random.Generator, pairs: int, right: float, clip: float) -> Columns:
    return {"top1": (rng.random(pairs) < right).astype(float).tolist(), "clip": rng.normal(clip, 3, pairs).tolist()}


def measured(test: SequentialTest, most: int, asked: dict[str, Callable[[Course], object]]) -> list[list[float]]:
    """Of one course the seconds of each look: for all that is asked, and, of some looks, where nothing is carried."""
    rng = np.random.default_rng(1)
    scores, control = drawn(rng, most, 0.63, 20.6), drawn(rng, most, 0.75, 21)
    spent, course = [list[float]() for _ in asked], test.begin()
    for values, before in zip(batches(scores), batches(control), strict=True):
        begun = time.process_time()
        course.add(values, before)
        for seconds, ask in zip(spent, asked.values(), strict=True):
            ask(course)
            ended = time.process_time()
            seconds.append(ended - begun)
            begun = ended
        if course.stop is not None:
            break
    bare = []
    for seen in range(BATCH, course.seen + 1, max(course.seen // 20, 1) * BATCH):
        known, before = ({name: each[:seen] for name, each in part.items()} for part in (scores, control))
        begun = time.process_time()
        test.judge(known, before)
        test.soonest(known, before)
        bare.append(time.process_time() - begun)
    return [*spent, bare]


def batches(columns: Columns) -> Iterator[Columns]:
    for start in range(0, len(columns["top1"]), BATCH):
        yield {name: values[start : start + BATCH] for name, values in columns.items()}


if __name__ == "__main__":
    main()
