"""What a Ray of its own costs and gains on this machine: images in this process, by one actor, by several.

    python benchmarks/actors.py [--images 64,192] [--actors 1,2] [--rounds N] [--short]

Whole runs of toy-latent on one thread a process, without a shift and under four, their whole designs, in batches of 8,
with no picture kept. Of each way two runs of different size: what starts and ends with a run (pytest, imports, Ray,
weights) is in both, so their difference is what the images take, of the least of all rounds each, as other work only
ever adds to it. "start" is the small run without its images.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from processes import run_seedshift

CASES = 5
GRID = ("--seedshift-shift=mean", "--seedshift-magnitude=-0.3,-0.1,0.1,0.3", "--seedshift-batch-size=8")
PLAIN = ("--seedshift-exact", "--seedshift-keep-images=none", "--seedshift-report=none", "-p", "no:cacheprovider")


def seconds(images: int, cluster: str | None) -> float:
    """The wall time of a run in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        more = [] if cluster is None else [f"--seedshift-cluster={cluster}"]
        return run_seedshift(Path(folder), *GRID, *PLAIN, f"--seedshift-images={images}", *more)


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", default="64,192", metavar="N,N", help="pairs of each case, of the small and the large run"
    )
    parser.add_argument("--actors", default="1,2", metavar="N,…")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="one round of 16 and 32 pairs, one actor")
    given = parser.parse_args()
    few, many = map(int, ("16,32" if given.short else given.images).split(","))
    ways = [None, *(f"local:{count}" for count in ("1" if given.short else given.actors).split(","))]
    os.environ["OMP_NUM_THREADS"] = "1"
    walls: dict[tuple[str | None, int], list[float]] = {}
    for _ in range(1 if given.short else given.rounds):
        for way in ways:
            for images in (few, many):
                walls.setdefault((way, images), []).append(seconds(images, way))
    images = CASES * (many - few)
    print(f"{CASES} cases, {few} and {many} pairs each: {images} images more; seconds, the least of all rounds")
    print(f"{'':<14}{'small':>8}{'large':>8}{'images':>8}{'an image':>10}{'speed':>8}{'start':>8}")
    least = {place: min(each) for place, each in walls.items()}
    here = least[None, many] - least[None, few]
    for way in ways:
        taken = least[way, many] - least[way, few]
        start = least[way, few] - few / (many - few) * taken
        print(
            f"{way or 'this process':<14}{least[way, few]:>8.1f}{least[way, many]:>8.1f}{taken:>8.1f}"
            f"{1000 * taken / images:>7.0f} ms{here / taken:>7.2f}×{start:>8.1f}"
        )


if __name__ == "__main__":
    main()
