"""What the gate finds in versions of toy-latent that someone might ship, and how many images it needs for that.

    python benchmarks/regressions.py [--images N] [--store FOLDER] [--bound B] [--significant any] [--short]

The baseline is toy-latent on its whole design. It is held against itself at another batch size, against itself with 2 %
noise on its UNet's weights (of each tensor's own root mean square), with the linear layers of its UNet quantised to
int8 (dynamically, by torch), and with three of its five steps. Each case is judged as in a run, by `max_regression` on
top-1, and stops as soon as it is decided. It is worse where "its drop is at most so large" is ruled out, or, if that is
asked for, where "nothing has changed" is: the verdict of the one and of the other on the same images stand side by
side. Last is what intervals that know of no pairs say of them: whether Wilson's two lie apart. Samples are kept in
FOLDER, a folder a version, if one is given.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import processes
import torch
from safetensors.torch import load_file, save_file
from scipy.stats import binomtest

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import ANY, CERTAINTY, Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.results import regression
from pytest_seedshift.results.baseline import Baseline, Design, Samples, Version
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner import sequential
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.runner.generate import Engine

CASES = [Case(processes.MODEL)] + [
    Case(processes.MODEL, shift, magnitude)
    for shift, magnitude in (("mean", -0.2), ("mean", -0.3), ("mixed", -0.3), ("random", -0.3))
]

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="images of a case")
    parser.add_argument("--bound", type=float, default=0.02, help="max_regression of top-1")
    parser.add_argument("--significant", choices=("true", ANY), default="true", help="what ends a case that is worse")
    parser.add_argument("--store", type=Path, help="where samples are kept, and found by the next call")
    parser.add_argument("--short", action="store_true", help="two cases of 16 images, one version")
    options = parser.parse_args()
    cases, versions = CASES, VERSIONS
    if options.short:
        cases, options.images = CASES[:2], 16
        versions = {"three steps": fewer}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.store or Path(temporary)
        entry = catalogue.shipped().find(processes.MODEL)
        least = (Constraint("top1", minimum=0.0),)
        before = judged(folder / "baseline", entry, {case: (least, {}) for case in cases}, options.images, exact=True)
        significant = ANY if options.significant == ANY else True
        asked = (Constraint("top1", max_regression=options.bound, significant=significant),)
        print(f"{'':34}{'':14}{'':21}{'true':>6}{'':9}{'any':>8}")
        print(f"{'':34}{'top-1':>14}  pairs  wrong  right       p  verdict       p  verdict  Wilson's intervals")
        for number, (name, change) in enumerate(versions.items()):
            wanted = {case: (asked, before[case]) for case in cases}
            after = judged(folder / f"version-{number}", entry, wanted, options.images, change=change)
            show(name, before, after, options.bound, options.images)


Columns = dict[str, list[float]]
"""By score, a value a pair."""


def judged(
    folder: Path,
    entry: Entry,
    cases: dict[Case, tuple[Sequence[Constraint], Columns]],
    images: int,
    *,
    exact: bool = False,
    change: Callable[[Entry, Path], tuple[Entry, Callable[[Engine], None]]] | None = None,
) -> dict[Case, Columns]:
    """The samples that the verdicts about some cases of a version rest on, of which some may be in the folder."""
    run_folder = RunFolder(folder)
    run_folder.prepare()
    entry, prepare = (entry, lambda _: None) if change is None else change(entry, folder)
    known = dataclasses.replace(catalogue.shipped(), entries={**catalogue.shipped().entries, entry.name: entry})
    size = 7 if change is same else BATCH
    bench = Workbench(run_folder, *devices.resolve(None, None), catalogue=known, batch_size=size, keep="none")
    prepare(bench.service.engine(entry.name))
    design = known.design(entry.name, images)
    found = {}
    for case, (asked, baseline) in cases.items():
        test = SequentialTest(tuple(asked), images, exact=exact, baseline=baseline)
        samples = sequential.run(bench, case, test, design).samples
        found[case] = {score: [sample.scores[score] for sample in samples] for score in BUILT_IN}
    bench.close()
    return found


def same(entry: Entry, _: Path) -> tuple[Entry, Callable[[Engine], None]]:
    """The same model; the batch size is another."""
    return entry, lambda _: None


def noisy(entry: Entry, folder: Path) -> tuple[Entry, Callable[[Engine], None]]:
    """2 % noise on the UNet's weights."""
    target = folder / "pipeline"
    if not target.exists():
        shutil.copytree(str(files("pytest_seedshift").joinpath("models", "toys", "toy-latent")), target)
        (weights,) = target.glob("unet/*.safetensors")
        generator = torch.Generator().manual_seed(0)
        tensors = {
            name: each + 0.02 * each.float().square().mean().sqrt() * torch.randn(each.shape, generator=generator)
            for name, each in load_file(weights).items()
        }
        save_file({name: each.contiguous() for name, each in tensors.items()}, weights, {"format": "pt"})
    return dataclasses.replace(entry, pipeline=(str(target),)), lambda _: None


def quantised(entry: Entry, _: Path) -> tuple[Entry, Callable[[Engine], None]]:
    """Linear layers of the UNet in int8, their inputs quantised as they come."""

    def prepare(engine: Engine) -> None:
        pipeline = engine.model._pipeline  # type: ignore[attr-defined]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.ao.quantization.quantize_dynamic(pipeline.unet, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)

    return entry, prepare


def fewer(entry: Entry, _: Path) -> tuple[Entry, Callable[[Engine], None]]:
    """A scheduler of three steps in place of five."""
    return dataclasses.replace(entry, steps=3), lambda _: None


VERSIONS = {
    "the same, another batch size": same,
    "2 % noise on the UNet": noisy,
    "int8 linear layers": quantised,
    "three steps": fewer,
}


def show(name: str, before: dict[Case, Columns], after: dict[Case, Columns], bound: float, images: int) -> None:
    sides = as_baseline("before", before, images, exact=True), as_baseline("after", after, images, exact=False)
    asked, other = (
        regression.compare(*sides, regression.Gate(asked={case: [constraint] for case in after}))
        for constraint in (
            Constraint("top1", max_regression=bound),
            Constraint("top1", max_regression=bound, significant=ANY),
        )
    )
    print(name)
    for row, by_any in zip(asked.rows, other.rows, strict=True):
        if row.score != "top1":
            continue
        change = row.change
        told = "  ".join(f"{each.change.p:6.2g}  {verdict(each, bound):7}" for each in (row, by_any))
        print(
            f"  {row.case.describe():32}{row.before:6.3f} → {row.after:5.3f}  {change.pairs:5}  {change.lost:5}  "
            f"{change.won:5}  {told}  {wilson(row.before, row.after, change.pairs)}"
        )
    for pool, by_any in zip(asked.pools, other.pools, strict=True):
        if pool.shift is None:
            told = "  ".join(f"{each.p:6.2g}  {verdict(each, bound):7}" for each in (pool, by_any))
            print(f"  {'all cases, pooled':32}{'drop':>8} {pool.drop:5.3f}  {pool.pairs:5}{'':14}  {told}")
    made = sum(len(each["top1"]) for each in after.values())
    print(f"  images {made:6} of {len(after) * images}")


def verdict(of: regression.Row | regression.Pool, bound: float) -> str:
    """Chance, where a drop beyond the bound fails nobody."""
    return "WORSE" if of.regressed else "chance" if of.drop > bound else "pass"


def wilson(before: float, after: float, pairs: int) -> str:
    """Whether the two accuracies' own intervals lie apart."""
    old, new = (
        binomtest(round(mean * pairs), pairs).proportion_ci(CERTAINTY, method="wilson") for mean in (before, after)
    )
    said = "apart" if new.high < old.low else "overlap"
    return f"{old.low:.2f}–{old.high:.2f} and {new.low:.2f}–{new.high:.2f}: {said}"


def as_baseline(name: str, cases: dict[Case, Columns], images: int, *, exact: bool) -> Baseline:
    labels = tuple(label.name for label in pairs.class_list("toy16"))
    samples = {
        case: Samples(case, "design", exact, {score: tuple(values) for score, values in columns.items()})
        for case, columns in cases.items()
    }
    design = Design("toy16", labels, pairs.PROMPT, images)
    return Baseline(name, {}, {processes.MODEL: Version("", "", "", "", "")}, {"design": design}, samples)


if __name__ == "__main__":
    main()
