"""What a run costs that generates next to nothing, by its size: each part's time and memory, and their slope.

    python benchmarks/scale.py [--sizes 1,4] [--cases N] [--images N] [--pictures N] [--only session|folder] [--short]

Session: models of a conftest, whose pictures are of one colour and cost nothing, scored by two scorers of the conftest:
so what is timed is this package. Of each size, so many models, a grid is run as two shards (cold), these are joined
(merge), the joined run is run again (warm) and planned (plan), its page is made (page), and it is compared with itself
(compare). Folder: run folders with scores, failing cases and pictures of 512 × 512 pixels as real models leave them,
written by the store's own writer; their page, and their comparison.

Each part is a process of its own: its start is in its time, and not in the slope, which is the difference between the
largest and the smallest size.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import processes

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers import synthetic

CONFTEST = """
import zlib
from functools import partial

import pytest_seedshift as seedshift

MODELS = {models}


class Painted:
    seed_shape = (3, 8, 8)

    def __init__(self, device, dtype, *, name):
        self.name = name
        self.fingerprint = f"{{name}}, painted"
        self.seed_axes = seedshift.Axes(channels=0, height=1, width=2)

    def generate(self, pairs, shift=None, on_step=None):
        import torch

        z = torch.zeros(len(pairs), *self.seed_shape)
        z = z if shift is None else shift(z, pairs)
        level = [zlib.crc32(f"{{pair.label.name}} {{pair.seed}}".encode()) % 1000 / 1000 for pair in pairs]
        lost = z.mean((1, 2, 3)).clamp(0, 1) if self.name == "painted-1" else 0
        return (0.05 + torch.tensor(level) - lost).clamp(0, 1)[:, None, None, None].expand(-1, 3, 8, 8).contiguous()


class Lit:
    kind = seedshift.ScoreKind("lit", 1.0, binary=True)
    fingerprint = "lit"

    def __init__(self, device): pass
    def check(self, labels): pass
    def score(self, images, labels): return {{"lit": (images.mean((1, 2, 3)) > 0.2).float()}}


class Level:
    kind = seedshift.ScoreKind("level", 1.0, binary=False)
    fingerprint = "level"

    def __init__(self, device): pass
    def check(self, labels): pass
    def score(self, images, labels): return {{"level": images.mean((1, 2, 3))}}


def pytest_seedshift_models(): return {{name: partial(Painted, name=name) for name in MODELS}}
def pytest_seedshift_scorers(): return {{"lit": Lit, "level": Level}}
"""
THRESHOLDS = """
[default]
lit = {{ min = 0.6, max_drop = 0.2 }}
level = {{ min = 0.2 }}
"""
ENTRY = """
[models.{name}]
classes = "imagenet100"
"""
PARTS = ("cold", "merge", "warm", "plan", "page", "compare")


@dataclass(frozen=True)
class Spent:
    """What a part took: seconds of the clock and of a core, and the most memory, in MiB."""

    seconds: float
    cpu: float
    memory: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.cpu + other.cpu, max(self.memory, other.memory))


@dataclass(frozen=True)
class Size:
    """What a run of some size took, by part."""

    models: int
    cases: int
    samples: int
    parts: dict[str, Spent]
    page: int
    """Bytes of the page."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1,4", help="how many models a run has, in ascending order (default: 1,4)")
    parser.add_argument("--cases", type=int, default=31, help="cases of a model, the control among them, 5 N + 1")
    parser.add_argument("--images", type=int, default=400, help="images of a case")
    parser.add_argument("--pictures", type=int, default=24, help="kept pictures of a case of a folder")
    parser.add_argument("--only", choices=("session", "folder"), help="(default: both)")
    parser.add_argument("--short", action="store_true", help="one and two models, 6 cases of 100 images")
    options = parser.parse_args()
    if options.short:
        options.sizes, options.cases, options.images, options.pictures = "1,2", 6, 100, 4
    sizes = [int(size) for size in options.sizes.split(",")]
    magnitudes = [round(0.1 * step, 3) for step in range(1, 1 + (options.cases - 1) // len(synthetic.SHIFTS))]
    if options.only != "folder":
        told("session", [session(size, magnitudes, options.images) for size in sizes])
    if options.only != "session":
        told("folder", [folder(size, magnitudes, options.images, options.pictures) for size in sizes])


def session(models: int, magnitudes: list[float], images: int) -> Size:
    names = [f"painted-{number}" for number in range(1, models + 1)]
    with tempfile.TemporaryDirectory() as place:
        Path(place, "conftest.py").write_text(CONFTEST.format(models=names))
        entries = "".join(ENTRY.format(name=name) for name in names)
        Path(place, "thresholds.toml").write_text(THRESHOLDS.format() + entries)
        grid = (
            f"--seedshift-shift={','.join(synthetic.SHIFTS)}",
            f"--seedshift-magnitude={','.join(map(str, magnitudes))}",
        )
        run = (*processes.PYTEST, "-q", f"--seedshift-model={','.join(names)}", *grid, "--seedshift-exact")
        run = (*run, f"--seedshift-images={images}", "--seedshift-sensitivity=never", "-p", "no:cacheprovider")
        quiet = (*run, "--seedshift-report=none", "--seedshift-batch-size=16")
        command = ("-m", "pytest_seedshift")
        shards = [(*quiet, f"--seedshift-shard={number}/2", f"--seedshift-dir=shard-{number}") for number in (1, 2)]
        parts = {"cold": spent(shards[0], place) + spent(shards[1], place)}
        parts["merge"] = spent((*command, "merge", "shard-1", "shard-2", "--output", "run"), place)
        parts["warm"] = spent((*quiet, "--seedshift-dir=run"), place)
        parts["plan"] = spent((*quiet, "--seedshift-dir=run", "--seedshift-plan"), place)
        parts["page"] = spent((*command, "report", "run"), place)
        parts["compare"] = spent((*command, "compare", "run", "run"), place)
        cases = models * (1 + len(synthetic.SHIFTS) * len(magnitudes))
        return Size(models, cases, cases * images, parts, Path(place, "run", "report.html").stat().st_size)


def folder(models: int, magnitudes: list[float], images: int, pictures: int) -> Size:
    names = tuple(f"model-{number}" for number in range(1, models + 1))
    plan = synthetic.Plan(
        names,
        synthetic.SHIFTS,
        tuple(magnitudes),
        tuple(f"label {number}" for number in range(100)),
        images,
        512,
        pictures,
    )
    with tempfile.TemporaryDirectory() as place:
        run = synthetic.write(Path(place, "run"), plan)
        synthetic.add_head(run, plan)
        command = ("-m", "pytest_seedshift")
        parts = {
            "page": spent((*command, "report", "run"), place),
            "compare": spent((*command, "compare", "run", "run"), place),
        }
        cases = models * (1 + len(plan.shifts) * len(magnitudes))
        return Size(models, cases, cases * images, parts, (run.path / "report.html").stat().st_size)


def spent(arguments: tuple[str, ...], place: str) -> Spent:
    """Run a Python process in a folder; a case that fails its thresholds is no mistake."""
    start = time.perf_counter()
    with Path(place, "output.txt").open("w") as output:
        process = subprocess.Popen([sys.executable, *arguments], cwd=place, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(
            f"{' '.join(arguments)} ended with {process.returncode}\n{Path(place, 'output.txt').read_text()}"
        )
    return Spent(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def told(what: str, sizes: list[Size]) -> None:
    print(f"{what}: {sizes[0].samples // sizes[0].cases} samples a case")
    print(
        f"{'':10}" + "".join(f"{size.cases:>9} cases, {size.samples:>7} samples" for size in sizes) + f"{'slope':>14}"
    )
    first, last = sizes[0], sizes[-1]
    for part in (part for part in PARTS if part in first.parts):
        row = "".join(
            f"{spent.seconds:12.1f} s {spent.cpu:7.1f} s {spent.memory:5.0f} MiB"
            for spent in (size.parts[part] for size in sizes)
        )
        more = last.parts[part].cpu - first.parts[part].cpu
        by_case, by_sample = (more / max(1, getattr(last, of) - getattr(first, of)) for of in ("cases", "samples"))
        print(f"{part:10}{row}{1000 * by_case:8.1f} ms a case{1000 * by_sample:8.3f} ms a sample")
    print(f"{'the page':10}" + "".join(f"{size.page / 1e6:28.2f} MB" for size in sizes))


if __name__ == "__main__":
    main()
