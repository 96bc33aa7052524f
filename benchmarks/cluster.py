"""What many GPUs would wait for: the real scheduler on GPUs that are simulated, beside the static ways to share them.

    python benchmarks/cluster.py [--gpus N,…] [--images N,…] [--batch N] [--models N] [--cpu] [--short]

20 models of 51 cases each, by default, under the thresholds that hold where nobody says otherwise: a control, and five
shifts of ten magnitudes, whose accuracies fall with them. An image takes 0.75 to 3 seconds on the faster half of the
GPUs, by its model, and twice as long on the others; a model is loaded in 20 seconds, and an actor dies every 20 hours.
The driver's time is its own: all that it does, the store's writing too, is measured, and GPUs wait for it (`--cpu`:
what it takes of a processor, for a machine that has other work).

Of each way: the time from beginning to end; idle, the part of it in which a GPU neither makes an image nor loads a
model; loading; how many images too many were made, as a part of those needed; how often a model was loaded, and the
driver's part of the time. The static ways have no driver and no deaths: shards by hand (case i at GPU i mod n), thin
drivers as pytest-xdist's (a GPU takes the next case when it is free), and one case at a time on all GPUs.
"""

from __future__ import annotations

import argparse
import heapq
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from simulated_gpus import DOWN, KINDS, LOAD, Scores, SimulatedExecutor

from pytest_seedshift.core import pairs, prompt_sets
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.limits import DEFAULT_SHIFTS
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner import sequential
from pytest_seedshift.runner.needs import Expected
from pytest_seedshift.runner.sample_service import SampleService
from pytest_seedshift.runner.samples import Samples
from pytest_seedshift.runner.scheduler import Scheduler
from pytest_seedshift.runner.work import NONE

if TYPE_CHECKING:
    from pytest_seedshift.runner.orders import Row

MAGNITUDES = (-1.0, -0.5, -0.3, -0.2, -0.1, 0.1, 0.2, 0.3, 0.5, 1.0)

HOURS = 20.0

NO_PAIRS = SimpleNamespace(beside=lambda _: {})
"""Scorers of which none is of a pair of pictures."""

MOST_IDLE, MOST_TOO_MANY = 0.10, 0.04
"""What the short form allows: in simulated time and in images, so that it says the same on any machine."""


@dataclass(frozen=True)
class Grid:
    """What is judged: the cases of some models, what each image would score, and how long it takes."""

    cases: list[Case]
    design: tuple[pairs.Pair, ...]
    test: SequentialTest
    values: dict[Case, np.ndarray]
    """By case, the three scores of each pair of the design."""
    seconds: dict[str, float]


def drawn(models: int, size: int, seed: int = 0) -> Grid:
    rng = np.random.default_rng(seed)
    names = [f"model-{number:02}" for number in range(models)]
    design = pairs.design(pairs.class_list("imagenet100"), size)
    cases, values = [], {}
    for name in names:
        best, falls = rng.uniform(0.85, 0.99), rng.choice([0.1, 0.3, 1.0, 3.0])
        for case in (Case(name), *(Case(name, shift, each) for shift in DEFAULT_SHIFTS for each in MAGNITUDES)):
            right = np.clip(best - falls * abs(case.magnitude) * rng.uniform(0.5, 1.0), 0.01, 1)
            top1 = rng.random(size) < right
            top5 = top1 | (rng.random(size) < 0.6)
            clip = np.clip(rng.normal(16 + 9 * right, 3, size), 0, 50)
            cases.append(case)
            values[case] = np.stack((top1, top5, clip), axis=1).astype(float)
    test = SequentialTest((Constraint("top1", 0.6), Constraint("top5", 0.8), Constraint("clip", 20.0)), size)
    return Grid(cases, design, test, values, {name: float(rng.uniform(0.75, 3)) for name in names})


# The real scheduler ---------------------------------------------------------------------------------------------------


class Service(SampleService):
    """The service of a store in which models need no weights to have their samples."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(
            SimpleNamespace(overlaps=False, is_here=False, scorers=NO_PAIRS), folder, batch_size=4, keep="none"
        )
        self._of_model: dict[str, Samples] = {}
        self._settings = SimpleNamespace(keep=lambda *_: None)

    def samples(self, model: str) -> Samples:
        """Those of a model, whose name is its fingerprint."""
        if model not in self._of_model:
            self._of_model[model] = Samples(
                self.store, self.folder, model, ("classifier", "clip"), SHIPPED, self._known
            )
        return self._of_model[model]


def bench_of(folder: RunFolder) -> Any:
    """What a case on its way asks of a workbench."""
    service = Service(folder)
    return SimpleNamespace(
        service=service,
        samples=service.samples,
        catalogue=SimpleNamespace(find=lambda _: SimpleNamespace(prompt_set=prompt_sets.class_list("imagenet100"))),
        keep_going=False,
        pool=SimpleNamespace(
            scorers=SimpleNamespace(measures=lambda _: SHIPPED, beside=NO_PAIRS.beside), overlaps=False
        ),
        measured=lambda _: NONE,
        device="simulated",
        dtype=lambda _: "float16",
    )


@dataclass(frozen=True)
class Outcome:
    """How a way did; all in seconds, and numbers of images and loads."""

    way: str
    wall: float
    making: float
    loading: float
    gpus: int
    made: int
    needed: int
    loads: int
    driver: float = 0.0
    note: str = ""

    @property
    def idle(self) -> float:
        """The part of the GPUs' time in which they neither make images nor load models."""
        return 1 - (self.making + self.loading) / (self.wall * self.gpus)

    @property
    def too_many(self) -> float:
        """The images that no verdict needed, as a part of those that one did."""
        return self.made / self.needed - 1

    def row(self) -> str:
        """Of the table."""
        return (
            f"  {self.way:28}{self.wall / 60:9.1f}{self.idle:9.1%}{self.loading / (self.wall * self.gpus):9.1%}"
            f"{self.too_many:10.1%}{self.loads:7}{self.driver / self.wall:9.1%}  {self.note}"
        )


def scheduled(grid: Grid, gpus: int, batch: int, clock: Callable[[], float] = lambda: 0.0) -> Outcome:
    """The real scheduler; `clock` measures the driver's time, which is nothing where nothing else is said."""
    place = {pair: row for row, pair in enumerate(grid.design)}

    def scores(row: Row) -> Scores:
        top1, top5, clip = grid.values[row.case][place[row.pair]].tolist()
        return {"top1": top1, "top5": top5}, {"clip": clip}

    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(Path(path))
        folder.prepare()
        bench = bench_of(folder)
        with closing(bench.service):
            executor = SimulatedExecutor(gpus, batch, grid.seconds, scores, hours=HOURS, clock=clock)
            scheduler = Scheduler(bench.service, executor)
            of_control: dict[str, int] = {}
            jobs = [
                Expected(case.id, case.model, lambda case=case: watched(bench, grid, case, of_control), case.is_control)
                for case in grid.cases
            ]
            scheduler.expect(jobs)
            for job, case in zip(jobs, grid.cases, strict=True):
                images = len(scheduler.result(job).samples)
                of_control[case.id if not case.is_control else case.model] = max(
                    images, of_control.get(case.model, 0) if case.is_control else 0
                )
    making, loading = (sum(getattr(gpu, each) for gpu in executor.gpus) for each in ("busy", "loading"))
    loads, down = sum(gpu.loads for gpu in executor.gpus), executor.deaths * DOWN
    note = f"{executor.orders} batches of {executor.images / executor.orders:.2f}, {executor.deaths} deaths"
    needed = sum(of_control.values())
    return Outcome(
        "pooled", executor.now, making + down, loading, gpus, executor.images, needed, loads, executor.driver, note
    )


def watched(bench: Any, grid: Grid, case: Case, of_control: dict[str, int]) -> Iterator[Any]:
    """A case's steps; what it needs of its control counts as needed."""
    steps = sequential.steps(bench, case, grid.test, grid.design)
    need = next(steps)
    while True:
        if need.case.is_control and not case.is_control:
            of_control[case.model] = max(need.until, of_control.get(case.model, 0))
        supply = yield need
        try:
            need = steps.send(supply)
        except StopIteration as end:
            return end.value


# The static ways ------------------------------------------------------------------------------------------------------


def lengths(grid: Grid) -> dict[Case, int]:
    """On how many images each verdict rests."""
    names = [each.score for each in grid.test.constraints]
    found = {}
    for case, values in grid.values.items():
        course = grid.test.begin()
        for start in range(0, len(values), 64):
            course.add({name: values[start : start + 64, column] for column, name in enumerate(names)})
            if course.stop is not None:
                break
        found[case] = course.stop
    return found


def static(grid: Grid, needed: dict[Case, int], gpus: int, batch: int) -> Iterator[Outcome]:
    total = sum(needed.values())
    made = {case: math.ceil(images / batch) * batch for case, images in needed.items()}

    def outcome(way: str, share: Sequence[Sequence[Case]]) -> Outcome:
        ends, making, loads = [], 0.0, 0
        for number, cases in enumerate(share):
            slow = KINDS[number % len(KINDS)]
            of_gpu = sum(made[case] * grid.seconds[case.model] for case in cases) * slow
            of_loads = sum(LOAD for case, before in zip(cases, (None, *cases), strict=False) if _other(case, before))
            making, loads = making + of_gpu, loads + round(of_loads / LOAD)
            ends.append(of_gpu + of_loads)
        return Outcome(way, max(ends), making, loads * LOAD, gpus, sum(made.values()), total, loads)

    yield outcome("static shards", [grid.cases[number::gpus] for number in range(gpus)])
    free = [(0.0, number) for number in range(gpus)]
    taken: list[list[Case]] = [[] for _ in range(gpus)]
    for case in grid.cases:
        at, number = heapq.heappop(free)
        load = LOAD if _other(case, taken[number][-1] if taken[number] else None) else 0.0
        taken[number].append(case)
        heapq.heappush(free, (at + load + made[case] * grid.seconds[case.model] * KINDS[number % len(KINDS)], number))
    yield outcome("thin xdist drivers", taken)
    wall = making = 0.0
    rows = 0
    for model in grid.seconds:  # all GPUs load it, and make a batch each of what its case needs next
        wall += LOAD
        for case in (case for case in grid.cases if case.model == model):
            rounds = _rounds(grid, case, needed[case], batch, gpus)
            for images in rounds:
                batches = math.ceil(images / batch)
                wall += math.ceil(batches / gpus) * batch * grid.seconds[model] * max(KINDS[: min(batches, gpus)])
                making += images * grid.seconds[model] * sum(KINDS) / len(KINDS)
                rows += images
    loads = len(grid.seconds) * gpus
    yield Outcome("one case at a time", wall, making, loads * LOAD, gpus, rows, total, loads)


def _other(case: Case, before: Case | None) -> bool:
    return before is None or before.model != case.model


def _rounds(grid: Grid, case: Case, needed: int, batch: int, gpus: int) -> list[int]:
    """How many images of a case are made at once, again and again: those that are certain, at least a batch."""
    names, course, found = [each.score for each in grid.test.constraints], grid.test.begin(), []
    while course.seen < needed:
        images = min(max(course.soonest() - course.seen, batch), gpus * batch, grid.test.size - course.seen)
        rows = grid.values[case][course.seen : course.seen + images]
        course.add({name: rows[:, column] for column, name in enumerate(names)})
        found.append(images)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=_numbers, default=[8, 64, 512])
    parser.add_argument("--images", type=_numbers, default=[400, 5000], help="of the designs")
    parser.add_argument("--batch", type=int, help="(default: 4, at 512 GPUs 8)")
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--cpu", action="store_true", help="count the driver's processor time, not the clock's")
    parser.add_argument(
        "--short",
        action="store_true",
        help="2 models on 8 GPUs, no driver's time, and limits",
    )
    options = parser.parse_args()
    gpus, sizes, models = ([8], [400], 2) if options.short else (options.gpus, options.images, options.models)
    clock = (lambda: 0.0) if options.short else time.process_time if options.cpu else time.perf_counter
    for size in sizes:
        grid = drawn(models, size)
        needed = lengths(grid)
        for number in gpus:
            batch = options.batch or (8 if number > 64 else 4)
            print(
                f"{models} models x {len(grid.cases) // models} cases, designs of {size}, {number} GPUs of "
                f"{len(KINDS)} kinds, batches of {batch}: {sum(needed.values())} images, {max(needed.values())} "
                f"of the longest case"
            )
            print(f"  {'':28}{'minutes':>9}{'idle':>9}{'loading':>9}{'too many':>10}{'loads':>7}{'driver':>9}")
            pooled = scheduled(grid, number, batch, clock)
            print(pooled.row(), flush=True)
            for outcome in static(grid, needed, number, batch):
                print(outcome.row(), flush=True)
            if options.short and (pooled.idle > MOST_IDLE or pooled.too_many > MOST_TOO_MANY):
                raise SystemExit(f"more than {MOST_IDLE:.0%} idle, or more than {MOST_TOO_MANY:.0%} too many")


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


if __name__ == "__main__":
    main()
