"""What likeness to a baseline costs, and how early bets decide about it.

    python benchmarks/likeness.py [--images N] [--rounds N] [--orders N] [--short]

First table: the seconds of the processor that an image of toy-latent takes on the CPU where nothing is compared, where
SSIM and PSNR to another picture are measured, where CLIP's embeddings are compared too, where those of the baseline's
pictures are kept, as its folder keeps them, and where the pictures are equal; by orders as a run makes them, one after
the other, so that a machine that gets slower or faster meets all alike. Second: the milliseconds that SSIM and PSNR
take for a picture of other sizes. Third: the pictures of toy-latent's control against those of itself, of itself in
bfloat16 and with three of its five steps: the mean SSIM over the design, what a bound says of it, in how many random
orders of the design the early verdict is the same, and how many images that takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_seedshift.core import likeness as names
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.pictures import packed, unpacked
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner import batch_making
from pytest_seedshift.runner.orders import Reference, Row
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices, likeness

if TYPE_CHECKING:
    from pytest_seedshift.runner.generate import Engine

MODEL = "toy-latent"
BOUNDS = (0.80, 0.90, 0.95, 0.99)
BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="of the design")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds, after one to warm up")
    parser.add_argument("--orders", type=int, default=200, help="random orders of the design")
    parser.add_argument("--short", action="store_true", help="16 images, 2 rounds, 10 orders")
    options = parser.parse_args()
    if options.short:
        options.images, options.rounds, options.orders = 16, 2, 10
    known = catalogue.load(Path.cwd(), None)
    device, _ = devices.resolve(None, None)
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(RunFolder(Path(folder)), device, None, catalogue=known, batch_size=BATCH)
        bench.folder.prepare()
        costs(bench, options.rounds)
        sizes()
        orders(bench, options.images, options.orders)
        bench.close()


def rows_of(bench: Workbench, model: str, images: int) -> list[Row]:
    return [Row(Case(model, "none", 0.0), pair, "always") for pair in bench.catalogue.design(model, images)]


def made(engine: Engine, rows: Sequence[Row]) -> list[batch_making.Made]:
    found, failed = batch_making.complete(engine, batch_making.generate(engine, rows))
    assert not failed
    return sorted(found, key=lambda each: rows.index(each.row))


def embeddings(engine: Engine, pictures: Sequence[bytes]) -> list[bytes]:
    """The embeddings of pictures as a baseline keeps them."""
    images = torch.stack([torch.from_numpy(unpacked(each, Path("picture"))) for each in pictures])
    with torch.inference_mode():
        found = engine.embedder().embed(images.to(engine.device))
    return [row.cpu().numpy().tobytes() for row in found.float()]


def costs(bench: Workbench, rounds: int) -> None:
    rows = rows_of(bench, MODEL, 2 * BATCH)
    other = bench.service.engine(f"{MODEL}+dtype=bfloat16")
    pictures = [each.picture or b"" for each in made(other, rows_of(bench, other.model.name, 2 * BATCH))]
    engine = bench.service.engine(MODEL)
    arms = {
        "nothing": rows,
        "SSIM, PSNR": [
            Row(r.case, r.pair, "always", reference=Reference(p)) for r, p in zip(rows, pictures, strict=True)
        ],
        "and CLIP": [
            Row(r.case, r.pair, "always", reference=Reference(p, embeds=True))
            for r, p in zip(rows, pictures, strict=True)
        ],
        "CLIP, kept": [
            Row(r.case, r.pair, "always", reference=Reference(p, embeds=True, embedding=e))
            for r, p, e in zip(rows, pictures, embeddings(engine, pictures), strict=True)
        ],
        "equal": [
            Row(each.row.case, each.row.pair, "always", reference=Reference(each.picture or b"", embeds=True))
            for each in made(engine, rows)
        ],
    }
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds + 1):
        for name, asked in arms.items():
            start = time.process_time()
            made(engine, asked)
            taken[name].append((time.process_time() - start) / len(asked))
    print(f"{'compared':12}{'ms an image':>13}{'more':>9}   (median of {rounds} rounds; lowest)")
    plain = taken["nothing"][1:]
    for name, found in taken.items():
        shares = [one / other - 1 for one, other in zip(found[1:], plain, strict=True)]
        print(
            f"{name:12}{1000 * statistics.median(found[1:]):13.1f}{100 * statistics.median(shares):8.1f} %"
            f"   {1000 * min(found[1:]):.1f}, {100 * (min(found[1:]) / min(plain) - 1):+.1f} %",
            flush=True,
        )


def sizes() -> None:
    print(f"\n{'pixels':>12}{'ms a picture':>14}")
    for side in (64, 256, 512, 1024):
        ours, others = torch.rand(2, 4, 3, side, side)
        likeness.ssim(ours, others)
        start = time.process_time()
        likeness.ssim(ours, others)
        likeness.psnr(ours, others)
        print(f"{f'{side}×{side}':>12}{1000 * (time.process_time() - start) / 4:14.1f}", flush=True)


def orders(bench: Workbench, images: int, number: int) -> None:
    rows = rows_of(bench, MODEL, images)
    engine = bench.service.engine(MODEL)
    references = [Reference(each.picture or packed(torch.zeros(3, 64, 64))) for each in made(engine, rows)]
    print(f"\n{'against itself':22}{'mean SSIM':>10}{'bound':>7}{'whole':>7}{'alike':>8}{'images':>8}{'most':>6}")
    for model in (MODEL, f"{MODEL}+dtype=bfloat16", f"{MODEL}+steps=3"):
        engine = bench.service.engine(model)
        asked = [
            Row(row.case, row.pair, "always", reference=reference)
            for row, reference in zip(rows_of(bench, model, images), references, strict=True)
        ]
        values = np.array([each.likeness["ssim"] for each in made(engine, asked)])
        for bound in BOUNDS:
            alike, seen = decided(values.clip(0, 1), bound, number)
            whole = "pass" if values.clip(0, 1).mean() >= bound else "fail"
            name = model.removeprefix(MODEL) or "the same model"
            print(
                f"{name:22}{values.mean():10.4f}{bound:7.2f}{whole:>7}{100 * alike:6.1f} %"
                f"{statistics.fmean(seen):8.0f}{max(seen):6}",
                flush=True,
            )


def decided(values: np.ndarray, bound: float, number: int) -> tuple[float, list[int]]:
    """In how many random orders the early verdict is that of the whole design, and after how many images."""
    rng = np.random.default_rng(0)
    score = names.score_of("ssim")
    constraint = Constraint(score, bound, own_kind=names.kind_of(score))
    test = SequentialTest((constraint,), values.size, pictured=values.size)
    found = [test.judge({score: rng.permutation(values)}) for _ in range(number)]
    return sum(each.passed == (values.mean() >= bound) for each in found) / number, [each.images for each in found]


if __name__ == "__main__":
    main()
