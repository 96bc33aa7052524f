"""How often the figures of a run say what is true: each interval and verdict, simulated.

    python benchmarks/figures.py [--designs N] [--only WORD] [--short]

A row for each claim: what a rule that knows only of what was seen gives, which is the control that has to fail, and
what the package gives; of early verdicts, powers and blind spots what is said there. No model is run, no image made.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers import simulations, simulations_margins
from helpers.simulations import Curves
from pytest_seedshift.core.stats import power
from pytest_seedshift.studies import sensitivity

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


def verdicts() -> Iterator[Row]:
    """Early verdicts: how often the model's interval beside one holds its bound → how often the verdict is false."""
    for mean, bound in ((0.5, 0.6), (0.55, 0.6), (0.7, 0.6), (0.7, 0.8), (0.9, 0.8), (0.95, 0.8)):
        yield (
            f"early verdict, mean {mean:.2f} against {bound:.2f}",
            "false in 0.01",
            lambda designs, mean=mean, bound=bound: simulations.early(mean, bound, designs),
        )
    for useless in (0, 2):
        yield (
            f"early verdict, mean 0.50 against 0.60, {useless} bounds that cannot break",
            "takes as many images",
            lambda designs, useless=useless: simulations.early(0.5, 0.6, designs, useless=useless),
        )


def powers() -> Iterator[Row]:
    """Changes that are said to be seen, and blind spots."""
    for score, pairs in (("top1", 64), ("top1", 400), ("clip", 64)):
        for share in power.SHARES:
            yield (
                f"null control of {pairs} pairs, a change of {score}",
                f"seen in {share:g}",
                lambda designs, score=score, pairs=pairs, share=share: (
                    f"{simulations.null_control(score, pairs, share, designs):.3f}"
                ),
            )
    for blocks in (sensitivity.BLOCKS, sensitivity.MORE):
        yield (
            f"seed vector looked at in a tenth of blocks, {blocks} measured",
            "called blind in 0.01",
            lambda designs, blocks=blocks: f"{simulations.said_to_ignore(blocks, 0.1, designs):.4f}",
        )


def thresholds() -> Iterator[Row]:
    """Another draw of a grid of 31 cases, held against bounds that a run has written; 50 designs are too few for it."""
    for pairs in (64, 400):
        for share in (0.5, 0.8, 0.95, 0.985):
            yield (
                f"written thresholds, another grid: top-1 {share:g}, {pairs} pairs",
                "met by 0.99",
                lambda designs, share=share, pairs=pairs: simulations_margins.another_grid(share, pairs, designs),
            )
        for name in simulations.VALUES:
            yield (
                f"written thresholds, another grid: CLIP {pairs} pairs: {name}",
                "met by 0.99",
                lambda designs, name=name, pairs=pairs: simulations_margins.another_grid_of_clip(name, pairs, designs),
            )
    for share in (0.7, 0.8, 0.985):
        yield (
            f"written thresholds, another grid: top-1 {share:g}, early, 400 pairs",
            "met by 0.99",
            lambda designs, share=share: simulations_margins.another_grid_after_early(share, designs),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=3000, help="designs of a row (default: 3000)")
    parser.add_argument("--only", default="", metavar="WORD", help="the rows that have it in their name")
    parser.add_argument("--short", action="store_true", help="50 designs, to see that it runs")
    options = parser.parse_args()
    designs = 50 if options.short else options.designs
    print(f"{'figure':<74}{'claimed':<24}{'control → package':<48}seconds")
    for name, claimed, simulate in (*intervals(), *verdicts(), *powers(), *thresholds()):
        if options.only in name and (not options.short or ("400" not in name and "100×4" not in name)):
            start = time.perf_counter()
            print(f"{name:<74}{claimed:<24}{simulate(designs)!s:<48}{time.perf_counter() - start:.1f}", flush=True)


if __name__ == "__main__":
    main()
