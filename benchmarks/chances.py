"""How good the chances are that a case needs its further pairs: what is said before a look, and what comes of it.

    python benchmarks/chances.py [--cases N] [--size N] [--seed N] [--short]

Cases are drawn: one to three bounds, true means from far below to far above them, also right at them. Each is looked at
after every batch of 4. The first table holds what was said of pairs that may be needed (those before the first look at
which the verdict can stand are certain) beside the part that was. The second one is of making images in advance: where
all pairs with at least such a chance are made at each look, how many images too many are made, as a part of those
needed, and how many times a case waits for its images; beside it single images, and batches of 4 and 16.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import numpy as np

from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import Course, SequentialTest

BATCH = 4

Columns = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--size", type=int, default=400, help="of each design")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="20 cases")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    cases = [drawn(rng, options.size) for _ in range(20 if options.short else options.cases)]
    calibrate(cases, rng)
    in_advance(cases)


def drawn(rng: np.random.Generator, size: int) -> tuple[SequentialTest, Columns, Columns]:
    asked, scores, control = [], {}, {}
    for score in rng.permutation(["top1", "top5", "clip"])[: rng.integers(1, 4)]:
        bound, off = rng.choice([0.5, 0.6, 0.8]), rng.choice([0.35, 0.2, 0.1, 0.05, 0.02, 0.0]) * rng.choice([-1, 1, 1])
        mean = min(max(bound + off, 0.0), 1.0)
        if score == "clip":
            asked.append(Constraint("clip", 20.0))
            scores["clip"] = rng.normal(20 + 20 * off, 3, size)
            control["clip"] = rng.normal(24, 3, size)
            continue
        scores[score] = (rng.random(size) < mean).astype(float)
        control[score] = np.where(rng.random(size) < 0.7, scores[score], rng.random(size) < bound + 0.1)
        asked.append(Constraint(str(score), bound, 0.2 if rng.random() < 0.3 else None))
    return SequentialTest(tuple(asked), size, thresholds=int(rng.choice([0, 0, 60]))), scores, control


def calibrate(cases: list[tuple[SequentialTest, Columns, Columns]], rng: np.random.Generator) -> None:
    said, needed, looks, seconds = list[float](), list[bool](), 0, 0.0
    for test, scores, control in cases:
        stop, course = test.judge(scores, control).images, test.begin()
        while course.seen < stop:
            begun = time.process_time()
            found = course.chances()
            seconds, looks = seconds + time.process_time() - begun, looks + 1
            for ahead in np.unique(np.geomspace(1, test.size, 12).astype(int)):
                pair = found.certain + int(ahead) - 1
                if pair < test.size and rng.random() < 0.3:
                    said.append(found.of(pair))
                    needed.append(stop > pair)
            add(course, scores, control, BATCH)
    told, was = np.array(said), np.array(needed)
    print(f"{len(cases)} cases, {looks} looks, {1e6 * seconds / looks:.0f} microseconds each")
    print(f"{'said':>12}{'pairs':>9}{'said, mean':>12}{'needed':>9}")
    edges = [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0001]
    for low, high in itertools.pairwise(edges):
        inside = (told >= low) & (told < high)
        if inside.any():
            print(
                f"{low:6.2f}{min(high, 1):6.2f}{inside.sum():9}{told[inside].mean():12.3f}{was[inside].mean():9.3f}",
                flush=True,
            )
    print(f"Brier score {((told - was) ** 2).mean():.4f}; of the share itself {was.var():.4f}")


def in_advance(cases: list[tuple[SequentialTest, Columns, Columns]]) -> None:
    ways: dict[str, Callable[[Course], int]] = {
        f"chance {least:g}": lambda course, least=least: course.chances().needed(least)
        for least in (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.3, 0.1)
    }
    ways["certain"] = Course.soonest
    ways |= {f"batches of {size}": lambda course, size=size: course.seen + size for size in (1, 4, 16)}
    print(f"{'made in advance':>16}{'too many':>10}{'looks a case':>14}")
    for name, until in ways.items():
        made = needed = looks = 0
        for test, scores, control in cases:
            course, there = test.begin(), 0
            while course.stop is None:
                there = min(max(until(course), course.seen + 1), test.size)
                add(course, scores, control, there - course.seen)
                looks += 1
            made, needed = made + there, needed + course.stop
        print(f"{name:>16}{made / needed - 1:10.2%}{looks / len(cases):14.1f}", flush=True)


def add(course: Course, scores: Columns, control: Columns, number: int) -> None:
    seen = course.seen
    course.add(*({name: each[seen : seen + number] for name, each in part.items()} for part in (scores, control)))


if __name__ == "__main__":
    main()
