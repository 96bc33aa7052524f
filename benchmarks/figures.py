"""How often the figures of a run say what is true: each interval and verdict, simulated.

    python benchmarks/figures.py [--designs N] [--only WORD] [--short]

A row for each claim: what a rule that knows only of what was seen gives, which is the control that has to fail, and
what the package gives. No model is run and no image made.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import simulations
from simulations import Curves

Row = tuple[str, str, Callable[[int], object]]
"""What it is of, what is claimed, and what simulates so many designs."""


def intervals() -> Iterator[Row]:
    """Intervals at 99 %."""
    for pairs in (16, 64, 400):
        for name in simulations.VALUES:
            yield (
                f"CLIP's mean, {pairs} pairs: {name}",
                "holds it in 0.99",
                lambda designs, name=name, pairs=pairs: simulations.clip_means(name, pairs, designs),
            )
    for labels, seeds in ((16, 1), (16, 4), (100, 1), (100, 4)):
        for share in (0.5, 0.9, 0.95, 0.98, 0.99):
            for alike in (True, False):
                curves = Curves(labels, seeds, share, alike, before=0.95)
                yield (
                    f"robustness {share:.2f}, {labels}×{seeds} pairs, magnitudes {'alike' if alike else 'independent'}",
                    "holds it in 0.99",
                    lambda designs, curves=curves: simulations.robustness(curves, designs),
                )
    for one, other in ((0.99, 0.98), (0.98, 0.9)):
        for seeds in (1, 4):
            yield (
                f"gap of {one:.2f} and {other:.2f}, 16×{seeds} pairs",
                "holds it in 0.99",
                lambda designs, one=one, other=other, seeds=seeds: simulations.robustness(
                    Curves(16, seeds, one), designs, Curves(16, seeds, other)
                ),
            )
    for images in (32, 64):
        for share in (0.02, 0.05, 0.1):
            yield (
                f"noise floor of {images} images, {share:.2f} of outcomes change",
                "no larger in 0.99",
                lambda designs, share=share, images=images: simulations.noise_floor(share, images, designs),
            )
    yield (
        "displacement that 2 % of 64 pairs have",
        "holds it in 0.99",
        lambda designs: simulations.displacement(0.02, 64, designs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=3000, help="designs of a row (default: 3000)")
    parser.add_argument("--only", default="", metavar="WORD", help="the rows that have it in their name")
    parser.add_argument("--short", action="store_true", help="50 designs, to see that it runs")
    options = parser.parse_args()
    designs = 50 if options.short else options.designs
    print(f"{'figure':<66}{'claimed':<22}{'control → package':<22}seconds")
    for name, claimed, simulate in intervals():
        if options.only in name and (not options.short or ("400" not in name and "100×4" not in name)):
            start = time.perf_counter()
            print(f"{name:<66}{claimed:<22}{simulate(designs)!s:<22}{time.perf_counter() - start:.1f}", flush=True)


if __name__ == "__main__":
    main()
