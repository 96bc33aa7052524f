"""What every training here shares: steps that follow from a seed, checkpoints, averaged weights, safe files.

A training is told a number of steps and a seed; the learning rate and all chance follow from the number of the step.
It may be stopped at any time (by a signal, a time limit, a power cut) and goes on from its last checkpoint as if it had
never stopped, to the bit on the same kind of machine:

    python -m tools.toys.train_unet --run WORK/unet --steps 40000 ...    the first time and every other time

A run's folder holds ``state.safetensors`` (weights, averaged weights, the optimizer's state, the step),
``weights.safetensors`` (the averaged weights) and ``log.jsonl``.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

LOG_EVERY = 50
#: Seconds between two checkpoints. When one is written changes nothing in what is trained.
SAVE_EVERY = 180.0
#: The exit status of a training that was stopped before its last step.
UNFINISHED = 75
#: The learning rate rises over so many steps, and falls over this share of the steps at the end.
WARMUP, FALL = 200, 0.25


class Average:
    """An exponential moving average of a module's parameters and buffers, warmed up over the first steps."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, count: int) -> None:
        """Takes the module's present weights in, as the ``count``-th, from 1."""
        decay = min(self.decay, (1 + count) / (10 + count))
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

    def cut(self, step: int) -> None:
        """Takes back what was written after a step: a training that goes on from there writes it again."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line).get("step", math.inf) <= step]
            self.path.write_text("".join(kept), encoding="utf-8")


def rate_at(step: int, steps: int, peak: float) -> float:
    """The learning rate of a step: a linear warm-up, then constant, then a linear fall to a hundredth of the peak.

    While it is constant, a training may be given more steps or fewer.

    Args:
        step: From 0.
        steps: Of the whole training.
        peak: The largest rate.
    """
    return peak * min(1.0, (step + 1) / WARMUP, 0.01 + 0.99 * (steps - step) / max(1.0, FALL * steps))


def step_generator(seed: int, step: int) -> torch.Generator:
    """The chance of one step of a training, which needs no memory of the steps before it."""
    return torch.Generator().manual_seed(seed * 10_000_000 + step)


def add_options(
    parser: argparse.ArgumentParser, *, steps: int, batch: int, rate: float, decay: float, seed: int
) -> None:
    """Adds the options that every training has, with a training's own defaults; `Training` reads them."""
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and log")
    parser.add_argument("--steps", type=int, default=steps, help=f"of the whole training ({steps})")
    parser.add_argument("--batch", type=int, default=batch, help=f"pictures a step ({batch})")
    parser.add_argument("--rate", type=float, default=rate, help=f"peak learning rate ({rate})")
    parser.add_argument("--decay", type=float, default=decay, help=f"of the averaged weights ({decay})")
    parser.add_argument("--seed", type=int, default=seed, help=f"of all chance ({seed})")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, to go on another time")
    parser.add_argument("--threads", type=int, default=1)


class Stop(NamedTuple):
    """What a checkpoint knows beside its tensors.

    Attributes:
        step: How many steps are done.
        total: The sum of the losses since the last line of the log.
        seconds: Of processor time, in all sittings.
    """

    step: int
    total: float
    seconds: float


class Training:
    """One training from its options, which may be stopped and goes on.

    Args:
        arguments: Those of `add_options`.
        model: What is trained, in place. It has its weights of the beginning, which follow from the seed.
        recipe: What else the result depends on: a run goes on only with the same.
        **adam: Options of the optimizer.
    """

    def __init__(
        self, arguments: argparse.Namespace, model: nn.Module, recipe: dict[str, Any] | None = None, **adam: Any
    ) -> None:
        self.arguments = arguments
        self.model = model
        self.folder: Path = arguments.run
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = Log(self.folder / "log.jsonl")
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.rate, fused=True, **adam)
        self.average = Average(model, arguments.decay)
        names = ("batch", "rate", "decay", "seed")
        self.recipe = {name: getattr(arguments, name) for name in names} | (recipe or {})
        self.done, self.total, self.before = 0, 0.0, 0.0
        self.ended = False

    @property
    def _state(self) -> Path:
        return self.folder / "state.safetensors"

    def save(self) -> None:
        """Writes a checkpoint and the averaged weights, each in one step."""
        values = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        values |= {f"average/{name}": value for name, value in self.average.values.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            values |= {f"optimizer/{number}/{name}": value for name, value in state.items()}
        stop = Stop(self.done, self.total, self.before + time.process_time())
        steps = self.arguments.steps
        metadata = {"stop": json.dumps(stop), "recipe": json.dumps(self.recipe), "steps": str(steps)}
        save_weights(values, self._state, metadata)
        save_weights(self.average.values, self.folder / "weights.safetensors", {"step": str(self.done)})

    @torch.no_grad()
    def restore(self) -> None:
        """Takes the last checkpoint in, if there is one."""
        if not self._state.exists():
            self.log.cut(-1)
            return
        with safe_open(self._state, "pt") as file:
            metadata = file.metadata()
        values = load_file(self._state)
        stop, steps = Stop(*json.loads(metadata["stop"])), int(metadata["steps"])
        self._check(json.loads(metadata["recipe"]), steps, stop.step)
        for name, value in self.model.state_dict().items():
            value.copy_(values[f"model/{name}"])
        for name, value in self.average.values.items():
            value.copy_(values[f"average/{name}"])
        # Into tensors laid out like the weights, as the optimizer expects its own.
        for number, weight in enumerate(self.model.parameters()):
            if f"optimizer/{number}/step" in values:
                state = self.optimizer.state[weight]
                state["step"] = values[f"optimizer/{number}/step"]
                for name in ("exp_avg", "exp_avg_sq"):
                    state[name] = torch.empty_like(weight, memory_format=torch.preserve_format)
                    state[name].copy_(values[f"optimizer/{number}/{name}"])
        self.done, self.total, self.before = stop
        self.log.cut(self.done)

    def _check(self, recipe: dict[str, Any], steps: int, done: int) -> None:
        here = json.loads(json.dumps(self.recipe))
        differing = sorted(name for name in recipe | here if recipe.get(name) != here.get(name))
        if differing:
            told = ", ".join(f"{name} {recipe.get(name)!r}, not {here.get(name)!r}" for name in differing)
            sys.exit(f"{self.folder} was begun with {told}. Go on with the same options, or begin in another folder.")
        asked = self.arguments.steps
        if asked != steps and done > (1 - FALL) * min(asked, steps):
            sys.exit(
                f"{self.folder} was begun with --steps {steps} and has done {done}: its learning rate falls already, "
                f"or would have to fall by now with --steps {asked}. Go on with --steps {steps}."
            )

    def run(self, draw_loss: Callable[[torch.Generator], Tensor]) -> None:
        """Trains to the last step. Exits with status `UNFINISHED` if it is stopped before.

        Args:
            draw_loss: The loss of a batch, a scalar, from the only source of chance.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sys.exit(f"{self.folder} is being trained by another process.")
            self.restore()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._end)
            self._steps(draw_loss)
            # The last step is in the folder already if this run only goes on to what follows.
            if self.done < self.arguments.steps:
                print(f"stopped after {self.done} of {self.arguments.steps} steps", flush=True)
                sys.exit(UNFINISHED)
        self.model.load_state_dict(self.average.values)
        self.model.eval()

    def _end(self, *_: object) -> None:
        self.ended = True

    def _steps(self, draw_loss: Callable[[torch.Generator], Tensor]) -> None:
        arguments, started = self.arguments, time.monotonic()
        begun, saved = self.done, started
        while self.done < arguments.steps and not self.ended and time.monotonic() - started < arguments.minutes * 60:
            rate = rate_at(self.done, arguments.steps, arguments.rate)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss = draw_loss(step_generator(arguments.seed, self.done))
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.done += 1
            self.average.update(self.model, self.done)
            self.total += loss.item()
            if self.done % LOG_EVERY == 0:
                seconds = self.before + time.process_time()
                self.log(step=self.done, loss=self.total / LOG_EVERY, rate=f"{rate:.3e}", cpu_s=round(seconds))
                self.total = 0.0
            if time.monotonic() - saved > SAVE_EVERY:
                self.save()
                saved = time.monotonic()
        if self.done > begun:
            self.save()


def set_up(arguments: argparse.Namespace) -> None:
    """Threads, the seed of a model's first weights, and convolutions in bfloat16 where the processor has it."""
    torch.set_num_threads(arguments.threads)
    torch.backends.mkldnn.conv.fp32_precision = "bf16"  # type: ignore[attr-defined]
    torch.manual_seed(arguments.seed)


def digest(*files: Path) -> str:
    """What tells the contents of some files from others."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def save_weights(values: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Writes tensors to a safetensors file, in one step for whoever reads it meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.writing")
    save_file({name: value.detach().contiguous().clone() for name, value in values.items()}, beside, metadata)
    with beside.open(
        "rb"
    ) as file:  # its bytes before its name: a machine that stops leaves the old file or the new one
        os.fsync(file.fileno())
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
