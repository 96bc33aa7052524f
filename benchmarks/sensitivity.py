"""How well a seed sensitivity of eight blocks tells that of many.

Measures the toys on many blocks, and draws eight of them again and again.

    python benchmarks/sensitivity.py [--short]
"""

from __future__ import annotations

import argparse

import numpy as np

from pytest_seedshift.core import pairs
from pytest_seedshift.core.stats import seed_shares
from pytest_seedshift.models import catalogue, load
from pytest_seedshift.scorers.clip import ClipScore
from pytest_seedshift.studies import sensitivity

DRAWS = 2000
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="of toy-latent alone, by few blocks: to see that it runs")
    short = parser.parse_args().short
    names = ("toy-latent",) if short else ("toy-latent", "toy-glide", "toy-glide-ddim")
    rows = sensitivity.design(pairs.class_list("toy16"), 4 if short else 128)
    draws = 100 if short else DRAWS
    print(f"{'model':<16}{'what differs':<14}{'by':<8}{'share':>8}  99 % intervals of eight blocks that hold it")
    for name in names:
        entry = catalogue.shipped().find(name)
        model, clip = load.load(entry, "cpu", "float32"), ClipScore.load(entry.clip, "cpu")
        found = sensitivity.measure(model, clip, rows, batch_size=BATCH)
        for kind, distances in found.distances.items():
            for what, values in (("seed vector", distances.vector), ("later noise", distances.later)):
                value = sum(values) / sum(distances.label)
                print(f"{name:<16}{what:<14}{kind:<8}{value:>8.4f}  {_held(values, distances.label, value, draws):.3f}")


def _held(values: tuple[float, ...], units: tuple[float, ...], truth: float, draws: int) -> float:
    """How often an interval holds the share of all blocks."""
    draw = np.random.default_rng(0)
    chosen = draw.integers(0, len(values), (draws, sensitivity.BLOCKS))
    above, below = np.asarray(values)[chosen], np.asarray(units)[chosen]
    shares = [seed_shares.share(one.tolist(), other.tolist()) for one, other in zip(above, below, strict=True)]
    return sum(share.low <= truth <= share.high for share in shares) / draws


if __name__ == "__main__":
    main()
