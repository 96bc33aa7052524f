"""Trains everything in the order of what needs what, and goes on where it was stopped.

    python -m tools.toys.train_all --work WORK --minutes 100

runs stage after stage, each in a process of its own; the time limit or a signal stops the one at work at its next
step, and the same command goes on from there another time. ``--lane`` names what to train: two lanes that share
nothing can be trained at once.
"""

from __future__ import annotations

import argparse
import math
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .training import UNFINISHED


class Stage(NamedTuple):
    """A module to run.

    Attributes:
        name: Of its run's folder.
        module: Of this package.
        options: For it; ``{work}`` stands for the folder of everything.
        out: What it leaves when it has ended, if it shows by that; such a stage is not run again.
        trains: Whether it takes `--run` and `--minutes`.
    """

    name: str
    module: str
    options: Sequence[str]
    out: str = ""
    trains: bool = True


SPRITES = ("--sprites", "{work}/sprites.safetensors")
LANES: dict[str, tuple[Stage, ...]] = {
    "scorers": (
        Stage("vit", "train_classifier", ("--kind", "vit", *SPRITES), "{work}/out/toy-vit"),
        Stage("clip", "train_clip", SPRITES, "{work}/out/toy-clip-first"),
        Stage(
            "clip-range",
            "train_clip",
            (*SPRITES, "--start", "{work}/runs/clip/weights.safetensors", "--steps", "1000", "--rate", "5e-4"),
            "{work}/out/toy-clip",
        ),
        Stage("conv", "train_classifier", ("--kind", "conv", *SPRITES), "{work}/out/toy-conv"),
    ),
    "latent": (
        Stage("vae", "train_vae", SPRITES, "{work}/out/vae"),
        Stage(
            "latents",
            "encode_latents",
            (*SPRITES, "--vae", "{work}/out/vae", "--out", "{work}/latents"),
            trains=False,
        ),
        Stage("unet", "train_unet", ("--latents", "{work}/latents")),
    ),
    "glide": (
        Stage("base", "train_glide", ("--part", "base", *SPRITES)),
        Stage("upsampler", "train_glide", ("--part", "upsampler", *SPRITES, "--steps", "2500")),
    ),
}


def command(stage: Stage, work: Path, minutes: float) -> list[str]:
    """A stage's command line.

    Args:
        stage: Which.
        work: The folder of everything.
        minutes: What is left.
    """
    words = [sys.executable, "-m", f"{__package__}.{stage.module}", *stage.options]
    if stage.trains:
        words += [
            "--run",
            "{work}/runs/" + stage.name,
            *(["--minutes", f"{minutes:.2f}"] if minutes < math.inf else []),
        ]
        words += ["--out", stage.out] if stage.out else []
    return [word.replace("{work}", str(work)) for word in words]


def run(stages: Sequence[Stage], work: Path, minutes: float) -> int:
    """Runs stages one after the other.

    Returns:
        The exit status of the one that stopped, or 0.
    """
    ends = time.monotonic() + minutes * 60
    for stage in stages:
        if stage.out and Path(stage.out.replace("{work}", str(work))).exists():
            continue
        left = ends - time.monotonic()
        if left <= 0:
            return UNFINISHED
        print(stage.name if left == math.inf else f"{stage.name} ({left / 60:.0f} minutes left)", flush=True)
        child = subprocess.Popen(command(stage, work, left / 60))
        signal.signal(signal.SIGTERM, lambda number, _, child=child: child.send_signal(number))
        try:
            status = child.wait(timeout=None if left == math.inf else left)
        except subprocess.TimeoutExpired:
            # A training counts its minutes from its first step; on a busy machine it gets there late.
            child.terminate()
            child.wait()
            status = UNFINISHED
        if status:
            return status
    return 0


def main() -> None:
    """Trains the lanes one after the other."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--work", type=Path, required=True, help="holds sprites.safetensors; gets runs/, latents/, out/"
    )
    parser.add_argument("--lane", choices=LANES, nargs="+", default=list(LANES), help="what to train (everything)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, to go on another time")
    arguments = parser.parse_args()
    if not (arguments.work / "sprites.safetensors").exists():
        sys.exit(f"{arguments.work} holds no sprites.safetensors. Render them by: python -m tools.toys.pictures")
    stages = [stage for lane in arguments.lane for stage in LANES[lane]]
    status = run(stages, arguments.work, arguments.minutes)
    print("all stages have ended" if not status else f"stopped with status {status}; the same command goes on")
    sys.exit(status)


if __name__ == "__main__":
    main()
