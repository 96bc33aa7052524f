"""What a search for a breaking point finds and costs, beside a scan of all magnitudes in steps of 0.02.

    python benchmarks/breaking.py [--models NAMES] [--shifts NAMES] [--images N] [--store RUNFOLDER] [--as-stored]
        [--orders N] [--thresholds PATH] [--short]

The scan judges every magnitude from ±0.02 to ±1.00 on its whole design; its breaking point is the first that fails. The
search is the one of `--seedshift-breaking-point`, on the same samples. One search is one draw of the order in which the
pairs are visited, so it is repeated over random orders. The samples come from the run folder `--store`, or are made now
and kept there: a design of N pairs takes 50·N images for each model, shift and sign. With `--as-stored` those that
the store lacks whole are left out, and named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core import thresholds, thresholds_parser
from pytest_seedshift.core.limits import DEFAULT_SHIFTS
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.searches import STEP, Search, grid
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies.breaking_point import bisection
from pytest_seedshift.studies.breaking_point.search import margin

if TYPE_CHECKING:
    from pytest_seedshift.core.stats import sequential

Columns = dict[str, np.ndarray]
"""By score, one value for each pair of the design."""

QUICK = f"""
[models.quick]
pipeline = '{Path(catalogue.__file__).parent / "toys" / "toy-latent"}'
steps = 4
guidance = 1.0
classes = "toy16"
scorers = "toy"
"""

AGREE = 0.04
"""So far may a search be from the scan."""


@dataclass
class Row:
    """A search beside its scan: breaking points without signs (None: holds), images, and orders that are far off."""

    scanned: float | None
    found: float | None
    images: int
    scan: int
    far: int
    worst: int
    monotone: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="toy-latent,toy-glide", help="(default: %(default)s)")
    parser.add_argument("--shifts", default=",".join(DEFAULT_SHIFTS), help="(default: all five)")
    parser.add_argument("--images", type=int, default=48, help="pairs of the design (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="a run folder that has samples, or gets them")
    parser.add_argument("--orders", type=int, default=20, help="random orders besides the design's own")
    parser.add_argument("--thresholds", type=Path, help="(default: the file that is shipped)")
    parser.add_argument("--as-stored", action="store_true", help="make no sample")
    parser.add_argument("--short", action="store_true", help="toy-latent in four steps, nine magnitudes, 16 pairs")
    options = parser.parse_args()
    signs: tuple[int, ...] = (1, -1)
    if options.short:
        options.models, options.shifts, signs = "quick", "mixed:independent=5", (-1,)  # ends before -0.20
        options.images, options.orders = 16, 2
    with tempfile.TemporaryDirectory() as folder:
        models = catalogue.shipped()
        if options.short:
            options.thresholds = Path(folder, "thresholds.toml")
            options.thresholds.write_text(thresholds_parser.default_text() + QUICK, encoding="utf-8")
            models = catalogue.load(Path(folder), options.thresholds)
        asked = thresholds_parser.load(options.thresholds, Path(folder), models.find)
        run_folder = RunFolder(options.store or Path(folder, "run"))
        run_folder.prepare()
        bench = Workbench(run_folder, "cpu", "float32", catalogue=models, batch_size=16, keep="none")
        rows, without = [], []
        print(f"{'':34}{'scan':>8}{'search':>8}{'images':>8}{'of':>7}{'part':>7}   monotone   orders beyond {AGREE:g}")
        for search in grid(options.models.split(","), options.shifts.split(","), signs):
            columns = samples(bench, search, options.images, as_stored=options.as_stored)
            if columns is None:
                without.append(search.id)
                continue
            row = compare(asked, search, columns, options.images, options.orders)
            rows.append(row)
            tell(search, row, options.orders)
        bench.close()
    if without:
        print(f"not scanned: {', '.join(without)}")
    if rows:
        images, scan = sum(row.images for row in rows), sum(row.scan for row in rows)
        off = sum(distance(row.scanned, row.found) > AGREE + 1e-9 for row in rows)
        far, judged = sum(row.far for row in rows), len(rows) * options.orders
        print(f"all {len(rows)}: {images} of {scan} images, {100 * images / scan:.1f} %; {off} beyond {AGREE:g}")
        print(
            f"over {options.orders} random orders each: {far} of {judged} beyond {AGREE:g}; the dearest search took "
            f"{100 * max(row.worst / row.scan for row in rows):.1f} % of its scan"
        )


def samples(bench: Workbench, search: Search, images: int, *, as_stored: bool) -> list[Columns] | None:
    """Of every step from 0 on all samples of the design; None where some are missing and none is to be made."""
    design, columns = bench.catalogue.design(search.model, images), []
    for step in range(search.steps + 1):
        case = search.case(step)
        if as_stored and bench.missing(case, design):
            return None
        if bench.missing(case, design):
            print(f"\r{search.id}: {step}/{search.steps} ", end="", file=sys.stderr, flush=True)
        found = bench.scheduler.collect(case, design).samples
        columns.append({name: np.array([sample.scores[name] for sample in found]) for name in BUILT_IN})
    return columns


def compare(asked: thresholds.Thresholds, search: Search, columns: Sequence[Columns], size: int, orders: int) -> Row:
    """The scan, the search in the design's own order, and in random ones."""
    early = SequentialTest(asked.constraints(search.asked), size, asked.certainty)
    exact = SequentialTest(early.constraints, size, asked.certainty, exact=True)
    holds = [exact.judge(each, columns[0]).passed for each in columns]
    scanned = None if all(holds) else holds.index(False) * STEP
    found = [searched(early, columns, np.arange(size))]
    rng = np.random.default_rng(0)
    found += [searched(early, columns, rng.permutation(size)) for _ in range(orders)]
    points = [None if each.at is None else each.at * STEP for each in found]
    first = holds.index(False) if not all(holds) else len(holds)
    return Row(
        scanned,
        points[0],
        found[0].images,
        (len(columns) - 1) * size,
        sum(distance(scanned, point) > AGREE + 1e-9 for point in points[1:]),
        max(each.images for each in found),
        not any(holds[first:]),
    )


def searched(test: SequentialTest, columns: Sequence[Columns], order: np.ndarray) -> bisection.Found:
    """The search on samples that exist, their pairs visited in an order."""
    control = {name: values[order] for name, values in columns[0].items()}

    def look(step: int) -> bisection.Probe:
        values = {name: column[order] for name, column in columns[step].items()}
        judged: sequential.Judgement = test.judge(values, control)
        return bisection.Probe(step, judged.passed, margin(judged.findings), judged.images)

    return bisection.seek(look, len(columns) - 1, test.size)


def distance(one: float | None, other: float | None) -> float:
    """Between two breaking points; one that lies beyond the end counts as the next step there."""
    return abs((1 + STEP if one is None else one) - (1 + STEP if other is None else other))


def tell(search: Search, row: Row, orders: int) -> None:
    points = "".join(
        f"{'holds' if point is None else f'{search.sign * point:+.2f}':>8}" for point in (row.scanned, row.found)
    )
    part = f"{100 * row.images / row.scan:.1f} %"
    print(
        f"\r{search.id:34}{points}{row.images:8}{row.scan:7}{part:>7}   {'yes' if row.monotone else 'no':8}   "
        f"{row.far} of {orders}"
    )


if __name__ == "__main__":
    main()
