"""How many images a verdict takes, and how often it differs from the one on the whole design.

    python benchmarks/verdicts.py [--images N] [--orders N] [--store RUNFOLDER] [--thresholds PATH] [--short]

Every case of the default grid is judged twice on the same samples: on its whole design, and by the test that stops as
soon as it is certain. `made` is how many images a run generates for that: it works in batches, and may make a few more
than the verdict rests on. The order of a design is one draw, so the same is done over many random orders. The samples
come from the run folder `--store` (of a run with --seedshift-exact and the same --seedshift-images), or are made now,
which takes four minutes for 400 images a case on two cores; what a store lacks is made and kept there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import processes

from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case, grid
from pytest_seedshift.core.limits import DEFAULT_MAGNITUDES, DEFAULT_SHIFTS
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner import sequential
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices

Columns = dict[str, np.ndarray]
"""By score, one value for each pair of the design."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="images of a case")
    parser.add_argument("--orders", type=int, default=200, help="random orders")
    parser.add_argument("--store", type=Path, help="a run folder that has the samples")
    parser.add_argument("--thresholds", type=Path, help="(default: the file that is shipped)")
    parser.add_argument("--batch-size", type=int, help="of the run that `made` is about (default: the store's)")
    parser.add_argument("--short", action="store_true", help="three cases of 32 images, 20 orders")
    options = parser.parse_args()
    shifts, magnitudes = DEFAULT_SHIFTS, DEFAULT_MAGNITUDES
    if options.short:
        shifts, magnitudes, options.images, options.orders = ["mean"], [0.1, 0.3], 32, 20
    cases = grid([processes.MODEL], shifts, magnitudes)
    with tempfile.TemporaryDirectory() as folder:
        asked = thresholds_parser.load(options.thresholds, Path(folder), catalogue.shipped().find)
        tests = {
            case: SequentialTest(asked.constraints(case), options.images, asked.certainty, exact=True) for case in cases
        }
        columns, found_batch = exact_samples(options.store or Path(folder), tests, options.images)
        batch = options.batch_size or found_batch
    control = columns[cases[0]]
    early = {
        case: SequentialTest(test.constraints, test.size, test.certainty, exact=False) for case, test in tests.items()
    }

    print(f"{'':22}{'top-1':>8}{'top-5':>8}{'CLIP':>8}   {'exact':8}{'early':8}{'images':>8}{'made':>8}")
    truth, stops, made, differing = {}, {}, {}, 0
    for case in cases:
        values = columns[case]
        exact, judged = tests[case].judge(values, control), early[case].judge(values, control)
        truth[case], stops[case] = exact.passed, judged.images
        made[case] = generated(early[case], values, control, batch)
        means = "".join(f"{BUILT_IN[name].format(values[name].mean()):>8}" for name in BUILT_IN)
        words = "".join(f"{'pass' if passed else 'FAIL':8}" for passed in (exact.passed, judged.passed))
        differs = exact.passed is not judged.passed
        differing += differs
        print(f"{case.describe():22}{means}   {words}{judged.images:8}{made[case]:8}{'   differs' if differs else ''}")
    whole = len(cases) * options.images
    print(f"{'all':22}{'':24}   {whole:<8}{'':8}{sum(stops.values()):8}{sum(made.values()):8}")
    print(f"made: in batches of {batch} at most")
    average, median = sum(stops.values()) / len(cases), statistics.median(stops.values())
    print(f"images of a verdict: {average:.1f} on average, {median} median")
    print(f"exact / early {whole / sum(stops.values()):10.2f}   (exact / made {whole / sum(made.values()):.2f})")
    print(f"differing verdicts {differing:5} of {len(cases)}")

    ratios, wrong = random_orders(early, columns, truth, options.orders)
    print(f"over {options.orders} random orders of the pairs:")
    print(f"exact / early {statistics.mean(ratios):10.2f}   mean (min {min(ratios):.2f}, max {max(ratios):.2f})")
    judged = options.orders * len(cases)
    print(f"differing verdicts {sum(wrong.values()):5} of {judged}, {100 * sum(wrong.values()) / judged:.2f} %")
    for case in cases:
        if wrong[case]:
            print(
                f"  {case.describe():20}{wrong[case]:5} of {options.orders}, {100 * wrong[case] / options.orders:.1f} %"
            )


def exact_samples(folder: Path, tests: dict[Case, SequentialTest], images: int) -> tuple[dict[Case, Columns], int]:
    """The samples of all cases on the whole design, and the batch size; those that do not exist are made."""
    run_folder = RunFolder(folder)
    run_folder.prepare()
    bench = Workbench(run_folder, *devices.resolve(None, None), keep="none")
    design = catalogue.shipped().design(processes.MODEL, images)
    columns = {}
    for number, (case, test) in enumerate(tests.items(), 1):
        missing = bench.missing(case, design)
        if missing:
            print(f"{number}/{len(tests)} {case.describe()}: {len(missing)} images to make", file=sys.stderr)
        samples = sequential.run(bench, case, test, design).samples
        columns[case] = {name: np.array([sample.scores[name] for sample in samples]) for name in BUILT_IN}
    pace = bench.pace(processes.MODEL)
    bench.close()
    return columns, 16 if pace is None else pace.batch_size


def generated(test: SequentialTest, values: Columns, control: Columns, batch: int) -> int:
    """How many images `sequential.run` generates on the CPU until the verdict stands, all of them made now."""
    seen = 0
    while True:
        so_far = {name: column[:seen] for name, column in values.items()}
        if test.judge(so_far, control).decided:
            return seen
        forecast = test.forecast(so_far, control)
        likely = min(forecast.images, forecast.at_best) - seen
        seen = min(seen + sequential.next_step(batch, likely, 0), test.size)


def random_orders(
    tests: dict[Case, SequentialTest], columns: dict[Case, Columns], truth: dict[Case, bool], orders: int
) -> tuple[list[float], dict[Case, int]]:
    """By order, exact images over early ones; by case, how often its verdict differs. All cases share an order."""
    rng = np.random.default_rng(0)
    ratios: list[float] = []
    wrong = dict.fromkeys(tests, 0)
    control = columns[next(iter(tests))]
    for _ in range(orders):
        order = rng.permutation(next(iter(tests.values())).size)
        stops = []
        for case, test in tests.items():
            judgement = test.judge(ordered(columns[case], order), ordered(control, order))
            stops.append(judgement.images)
            wrong[case] += judgement.passed is not truth[case]
        ratios.append(len(stops) * len(order) / sum(stops))
    return ratios, wrong


def ordered(columns: Columns, order: Sequence[int]) -> Columns:
    return {name: values[order] for name, values in columns.items()}


if __name__ == "__main__":
    main()
