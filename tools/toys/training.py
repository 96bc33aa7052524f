"""What every training here shares: a time budget, a learning rate over it, averaged weights, safe files."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Budget:
    """A training's time. ``progress`` goes from 0 to 1 in the given number of minutes, breaks included."""

    def __init__(self, minutes: float, warmup: float = 0.02) -> None:
        self.seconds = minutes * 60
        self.warmup = warmup
        self.start = time.monotonic()

    @property
    def progress(self) -> float:
        """The share of the time that has passed, at most 1."""
        return min(1.0, (time.monotonic() - self.start) / self.seconds)

    def rate(self, peak: float) -> float:
        """The learning rate now: linear warm-up, then half a cosine down to a hundredth of the peak."""
        progress = self.progress
        if progress < self.warmup:
            return peak * (0.05 + 0.95 * progress / self.warmup)
        falling = (progress - self.warmup) / (1 - self.warmup)
        return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * falling)))

    def steps(self, optimizer: torch.optim.Optimizer, peak: float) -> Iterator[int]:
        """Counts steps until the time is up and sets the optimizer's learning rate before each."""
        step = 0
        while self.progress < 1:
            for group in optimizer.param_groups:
                group["lr"] = self.rate(peak)
            yield step
            step += 1


class Average:
    """An exponential moving average of a module's parameters and buffers, warmed up over the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.count = 0
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Takes the module's present weights in."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in module.state_dict().items():
            if value.dtype.is_floating_point:
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)


class Log:
    """Appends one JSON object a line to a file, and prints it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def __call__(self, **values: float | str) -> None:
        """Writes one line; fractions are rounded to five places."""
        line = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()})
        print(line, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def save_weights(values: dict[str, Tensor], path: Path) -> None:
    """Writes tensors to a safetensors file, in one step for whoever reads it meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".writing")
    save_file({name: value.detach().contiguous().clone() for name, value in values.items()}, beside)
    beside.replace(path)


def load_weights(module: nn.Module, path: Path) -> None:
    """Loads what `save_weights` wrote; every name has to match."""
    module.load_state_dict(load_file(path))


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Writes a folder beside its place, then swaps it in, so that a reader never sees a half-written one."""
    beside, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for leftover in (beside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    beside.mkdir(parents=True)
    write(beside)
    for file in beside.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def save_part(part: Any, folder: Path) -> None:
    """Writes a part or a whole pipeline as diffusers has it, in one step for whoever reads it meanwhile.

    Args:
        part: What has `save_pretrained`.
        folder: Where; what lies there goes.
    """

    def write(beside: Path) -> None:
        part.save_pretrained(beside, safe_serialization=True)
        # A path of this machine is nobody's business.
        for config in beside.rglob("*.json"):
            lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
            config.write_text("".join(line for line in lines if '"_name_or_path"' not in line), encoding="utf-8")

    replace_folder(folder, write)
