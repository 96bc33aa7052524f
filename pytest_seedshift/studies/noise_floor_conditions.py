"""Measures the noise floor: the control again under what should not matter; see `noise_floor`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError, ModelError, SeedshiftUsageError
from pytest_seedshift.core.limits import DTYPES
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices, likeness
from pytest_seedshift.studies import likeness_floor
from pytest_seedshift.studies.noise_floor import Arm, Noise, Skipped, compare

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.studies.likeness_floor import Alike

_AT_ONCE = 16
"""Pairs of pictures that are compared together."""

_DEVICES = ("cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class Setting:
    """Under what a model's control is made. All of it should not matter."""

    device: str
    dtype: str
    batch_size: int
    threads: int
    """Of torch on the CPU."""
    reverse: bool = False
    """Whether the pairs are visited from the last to the first."""

    def describe(self) -> str:
        """`float32 on cpu, batches of 16, 2 threads`."""
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else ""
        return f"{self.dtype} on {self.device}, batches of {self.batch_size}{threads}"


def variations(reference: Setting) -> Iterator[tuple[str, Setting | Skipped]]:
    """Each arm's name, with its setting or why it cannot be had; those that share a loaded model come together."""

    def change(**what: object) -> Setting:
        return dataclasses.replace(reference, **what)  # type: ignore[arg-type]

    yield "once more", reference
    for size in dict.fromkeys((1, reference.batch_size // 2)):
        if 0 < size < reference.batch_size:
            yield f"batch size {size}", change(batch_size=size)
    if reference.batch_size == 1:
        yield "batch size 2", change(batch_size=2)
    yield "reversed order", change(reverse=True)
    other = 1 if reference.threads > 1 else 2
    name = f"{other} thread{'s' if other > 1 else ''}"
    on_cpu = reference.device == "cpu"
    yield name, change(threads=other) if on_cpu else Skipped(name, f"the model runs on {reference.device}")
    for dtype in DTYPES:
        if dtype != reference.dtype:
            yield f"dtype {dtype}", change(dtype=dtype)
    for device in _DEVICES:
        if device != reference.device.partition(":")[0]:
            name = f"device {device}"
            try:
                devices.check(device)
            except SeedshiftUsageError as error:
                yield name, Skipped(name, str(error))
            else:
                yield name, change(device=device)


def measure(
    model: str,
    reference: Setting,
    design: Sequence[Pair],
    catalogue: Catalogue,
    folder: RunFolder,
    tell: Callable[[str], None] = print,
    kinds: ScoreRegistry = SHIPPED,
) -> Noise:
    """Make a model's control under a reference setting and under each variation of it. No store is read or written.

    Args:
        model: its name.
        reference: the setting that the others are compared with.
        design: the pairs, at least one.
        catalogue: where the model is found.
        folder: for the workbench's locks.
        tell: is called with a line before each arm.
        kinds: what the scores are that are asked for.

    Raises:
        CaseError: the model cannot be run under the reference setting.
    """
    bench = _bench(reference, catalogue, folder, kinds)
    tell(f"{model}: {reference.describe()}, {len(design)} images")
    before, pictures = _made(bench, model, reference, design)
    embedded = _embedded(bench, model, pictures)
    scorers = bench.samples(model).scorers
    arms, skipped = [], []
    for name, setting in variations(reference):
        if isinstance(setting, Skipped):
            skipped.append(setting)
            continue
        tell(f"{model}: {name}")
        try:
            if (setting.device, setting.dtype) != (bench.device, bench.dtype(model)):
                bench.close()
                bench = _bench(setting, catalogue, folder, kinds)
            if bench.dtype(model) != setting.dtype:
                skipped.append(Skipped(name, f"the name of the model says {bench.dtype(model)}"))
                continue
            after, changed = _made(bench, model, setting, design)
            arms.append(
                Arm(name, compare(before, after), _alike(pictures, changed, embedded, _embedded(bench, model, changed)))
            )
        except (ModelError, RuntimeError, NotImplementedError, TypeError) as error:
            skipped.append(Skipped(name, " ".join(str(error).split())))
    bench.close()
    return Noise(model, scorers, len(design), reference.describe(), tuple(arms), tuple(skipped), kinds)


def _bench(setting: Setting, catalogue: Catalogue, folder: RunFolder, kinds: ScoreRegistry) -> Workbench:
    return Workbench(folder, setting.device, setting.dtype, catalogue=catalogue, forget=True, kinds=kinds)


def _made(
    bench: Workbench, model: str, setting: Setting, design: Sequence[Pair]
) -> tuple[list[dict[str, float]], Tensor]:
    """The scores and the picture of each pair, uint8, (pairs, 3, height, width), in the order of the design."""
    engine = Engine(bench.model(model), bench.scorers(model), setting.batch_size, overlap=False, dtype=setting.dtype)
    pairs = list(reversed(design)) if setting.reverse else list(design)
    found: dict[Pair, dict[str, float]] = {}
    pictures: dict[Pair, Tensor] = {}
    with _threads(setting.threads):
        for batch in engine.run(Case(model), pairs):
            for pair, by_scorer in zip(batch.pairs, batch.scores, strict=True):
                found[pair] = {name: value for values in by_scorer for name, value in values.items()}
            pictures |= zip(batch.pairs, batch.images.mul(255).round().byte().cpu(), strict=True)
    return [found[pair] for pair in design], torch.stack([pictures[pair] for pair in design])


@torch.inference_mode()
def _embedded(bench: Workbench, model: str, pictures: Tensor) -> Tensor:
    """What the model's CLIP makes of pictures, (pictures, width), each of length 1."""
    embedder = bench.pool.scorers.embedder(model)
    parts = [embedder.embed(part.float().div(255).to(bench.device)) for part in torch.split(pictures, _AT_ONCE)]
    return torch.cat(parts).float().cpu()


def _alike(pictures: Tensor, others: Tensor, embedded: Tensor, others_embedded: Tensor) -> Alike | None:
    """How like pictures are; None of those that are too small to say."""
    ssim: list[float] = []
    psnr: list[float] = []
    try:
        for one, other in zip(*(torch.split(each, _AT_ONCE) for each in (pictures, others)), strict=True):
            ssim += likeness.ssim(other.float().div(255), one.float().div(255)).tolist()
            psnr += likeness.psnr(other.float().div(255), one.float().div(255)).tolist()
    except InvalidValueError:
        return None
    equal = sum(value == math.inf for value in psnr)
    cosines = likeness.cosines(embedded, others_embedded).tolist()
    return likeness_floor.of_pairs(equal, ssim=ssim, psnr=psnr, embedding=cosines)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
