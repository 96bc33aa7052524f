"""Measures the shipped toys by commands of the product: controls, breaking points, what is crossed, positions, paths.

    python -m tools.toys.figures --work WORK --plan     # what each part would take
    python -m tools.toys.figures --work WORK            # all parts; --part names some

All parts are scored by the second classifier too. They share the store in WORK/figures/run, so that no image is made
twice and what was stopped goes on. Each part's output is WORK/figures/PART.txt, written when the part has ended; pages
and JSON lie beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

ALL = "--seedshift-model=toy-latent,toy-latent-zsnr,toy-glide"
SAMPLERS = f"{ALL},toy-latent+ancestral,toy-latent-zsnr+ancestral,toy-glide-ddim"


class Part(NamedTuple):
    """A figure or a table.

    Attributes:
        name: Of the files.
        words: The command, after `python -m`; `{out}` is where pages go, without a suffix.
        plans: The options by which it says what it would take; none where it cannot.
    """

    name: str
    words: Sequence[str]
    plans: Sequence[str]


def _why(name: str, arms: str) -> Part:
    return Part(name, ("pytest_seedshift", "why", *arms.split(), "--output", "{out}.html"), ("--plan",))


def _pytest(name: str, options: str) -> Part:
    return Part(name, ("pytest", "seedshift", *options.split()), ("--seedshift-plan",))


def _position(model: str) -> Part:
    words = ("pytest_seedshift", "position", model, "--images", "256", "--output", "{out}.html")
    return Part(f"position-{model}", words, ())


PARTS = (
    # The control by both classifiers: control.toml asks for 0.97 of each.
    _pytest(
        "control",
        f"{ALL} --seedshift-images=400 --seedshift-exact --seedshift-thresholds=control.toml --seedshift-magnitude=0",
    ),
    # Sampler × guidance × model. Steps and clipping are the same in both, so that all in which they differ is crossed.
    _why(
        "crossed",
        "toy-latent+steps=10+noclip toy-glide+steps=10+noclip --factors sampler,guidance=1,2,7.5 --shift mixed "
        "--images 400",
    ),
    _why("crossed-glide", "toy-glide --factors sampler,clipping"),
    _why("crossed-latent", "toy-latent --factors clipping,steps=5,10,20"),
    _why("crossed-schedule", "toy-latent toy-latent-zsnr --factors sampler,guidance=1,2 --images 128"),
    _pytest("breaking", f"{ALL} --seedshift-breaking-point -k breaking"),
    _pytest("shifts", f"{SAMPLERS} --seedshift-magnitude=-0.3,0.3 --seedshift-images=64 --seedshift-exact"),
    *(_position(model) for model in ("toy-latent", "toy-latent+ancestral", "toy-glide", "toy-glide-ddim")),
    _pytest(
        "trajectories",
        "--seedshift-model=toy-latent,toy-glide,toy-glide-ddim --seedshift-shift=mean --seedshift-magnitude=-0.3 "
        "--seedshift-images=64 --seedshift-trajectories=4",
    ),
)


def thresholds(least: float) -> str:
    """A thresholds file of all scores: the least top-1 by both classifiers, the rest as it ships."""
    return f"[default]\ntop1 = {least}\nsecond = {least}\ntop5 = 0.8\nclip = 20.0\n"


def command(part: Part, *, plan: bool) -> list[str]:
    """A part's command line, for WORK/figures.

    Args:
        part: Which.
        plan: Whether it only says what it would take.
    """
    words = [word.replace("{out}", part.name) for word in part.words]
    prefix = "--seedshift-" if part.words[0] == "pytest" else "--"
    return [sys.executable, "-m", *words, f"{prefix}dir=run", f"{prefix}device=cpu", *(part.plans if plan else ())]


def environment() -> dict[str, str]:
    """What a part's process is given: this package, and the second classifier as a scorer."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_PLUGINS": "tools.toys.second"}


def measure(part: Part, work: Path, *, plan: bool) -> int:
    """Runs a part; its output is kept once it has ended.

    Returns:
        Its exit status; 1 says that a model has broken a threshold, which is a figure like any other.
    """
    folder, words = work / "figures", command(part, plan=plan)
    if plan:
        return subprocess.run(words, env=environment(), cwd=folder, check=False).returncode if part.plans else 0
    done = subprocess.run(
        words, env=environment(), cwd=folder, check=False, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    print(done.stdout, end="", flush=True)
    if done.returncode in (0, 1):
        (folder / f"{part.name}.txt").write_text(done.stdout, encoding="utf-8")
    return done.returncode


def main() -> None:
    """Measures the shipped toys."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="gets figures/")
    parser.add_argument("--part", choices=[part.name for part in PARTS], nargs="+", help="some parts (all)")
    parser.add_argument("--plan", action="store_true", help="say what it would take, and measure nothing")
    parser.add_argument("--again", action="store_true", help="also parts whose output is there")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    folder = work / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, least in (("thresholds", 0.6), ("control", 0.97)):
        (folder / f"{name}.toml").write_text(thresholds(least), encoding="utf-8")
    for part in PARTS:
        asked = not arguments.part or part.name in arguments.part
        if not asked or ((folder / f"{part.name}.txt").exists() and not (arguments.again or arguments.plan)):
            continue
        print(f"== {part.name}", flush=True)
        status = measure(part, work, plan=arguments.plan)
        if status not in (0, 1):
            sys.exit(status)


if __name__ == "__main__":
    main()
