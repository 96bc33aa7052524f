"""Measures the exported toys by commands of the product: controls, breaking points, what is crossed, positions, paths.

    python -m tools.toys.figures --work WORK --plan     # what each part would take
    python -m tools.toys.figures --work WORK            # all parts; --part names some

The models are those in WORK/out. All parts share the store in WORK/figures/run, so that no image is made twice and what
was stopped goes on. Each part's output is WORK/figures/PART.txt, written when the part has ended; pages and JSON lie
beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .second import VARIABLE

ROOT = Path(__file__).parents[2]

GUIDANCE = 2.0
MODELS = {"latent": ("toy-latent", 10), "latent-zsnr": ("toy-latent", 10), "glide": ("toy-glide", 20)}
"""By name of an entry, the folder in WORK/out and the default steps."""
ALL = "--seedshift-model=latent,latent-zsnr,glide"


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
    shifts = "--shift mean,mixed --magnitude 0.3 --output {out}.html"
    return Part(name, ("pytest_seedshift", "why", *arms.split(), *shifts.split()), ("--plan",))


def _pytest(name: str, options: str) -> Part:
    return Part(name, ("pytest", "seedshift", *options.split()), ("--seedshift-plan",))


def _position(model: str) -> Part:
    words = ("pytest_seedshift", "position", model, "--images", "256", "--output", "{out}.html")
    return Part(f"position-{model}", words, ())


PARTS = (
    # The control by both classifiers: control.toml asks for 0.97 of each.
    _pytest(
        "control", f"{ALL} --seedshift-images=400 --seedshift-exact --seedshift-thresholds=control.toml -k control"
    ),
    # Sampler × guidance × model. Steps and clipping are the same in both, so that all in which they differ is crossed.
    _why("crossed", "latent+steps=20+noclip glide+steps=20+noclip --factors sampler,guidance=1,2,7.5 --images 400"),
    _why("crossed-glide", "glide --factors sampler,clipping"),
    _why("crossed-latent", "latent --factors clipping,steps=5,10,20"),
    _why("crossed-schedule", "latent latent-zsnr --factors sampler,guidance=1,2 --images 128"),
    _pytest("breaking", f"{ALL} --seedshift-breaking-point -k breaking"),
    _pytest("shifts", f"{ALL} --seedshift-images=64 --seedshift-exact"),
    *(_position(model) for model in ("latent", "latent+ancestral", "glide", "glide+ddim")),
    _pytest(
        "trajectories",
        "--seedshift-model=latent,glide,glide+ddim --seedshift-shift=mean --seedshift-magnitude=0.3 "
        "--seedshift-images=64 --seedshift-trajectories=4",
    ),
)


def thresholds(work: Path, least: float) -> str:
    """A thresholds file of the exported toys: their folders and scorers, and the least top-1 by both classifiers."""
    scorers = f'{{ vit = "{work}/out/toy-vit", clip = "{work}/out/toy-clip" }}'
    lines = ["[default]", f"top1 = {least}", f"second = {least}"]
    for name, (folder, steps) in MODELS.items():
        lines += ["", f"[models.{name}]", f'pipeline = "{work}/out/{folder}"', f"steps = {steps}"]
        lines += [f"guidance = {GUIDANCE}", 'classes = "toy16"', f"scorers = {scorers}"]
        if name == "latent-zsnr":
            lines += [
                f'parts = {{ unet = "{work}/out/toy-latent-zsnr/unet" }}',
                'scheduler = { name = "DDIMScheduler", rescale_betas_zero_snr = true, timestep_spacing = "trailing" }',
            ]
    return "\n".join(lines) + "\n"


def command(part: Part, *, plan: bool) -> list[str]:
    """A part's command line, for WORK/figures.

    Args:
        part: Which.
        plan: Whether it only says what it would take.
    """
    words = [word.replace("{out}", part.name) for word in part.words]
    prefix = "--seedshift-" if part.words[0] == "pytest" else "--"
    return [sys.executable, "-m", *words, f"{prefix}dir=run", f"{prefix}device=cpu", *(part.plans if plan else ())]


def environment(work: Path) -> dict[str, str]:
    """What a part's process is given: this package, and the second classifier as a scorer."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "PYTEST_PLUGINS": "tools.toys.second"}
    return {**os.environ, **own, VARIABLE: str(work / "out" / "toy-conv")}


def measure(part: Part, work: Path, *, plan: bool) -> int:
    """Runs a part; its output is kept once it has ended.

    Returns:
        Its exit status; 1 says that a model has broken a threshold, which is a figure like any other.
    """
    folder, words = work / "figures", command(part, plan=plan)
    if plan:
        return subprocess.run(words, env=environment(work), cwd=folder, check=False).returncode if part.plans else 0
    done = subprocess.run(
        words, env=environment(work), cwd=folder, check=False, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    print(done.stdout, end="", flush=True)
    if done.returncode in (0, 1):
        (folder / f"{part.name}.txt").write_text(done.stdout, encoding="utf-8")
    return done.returncode


def main() -> None:
    """Measures the exported toys."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="holds out/, as train_all and the exports leave it")
    parser.add_argument("--part", choices=[part.name for part in PARTS], nargs="+", help="some parts (all)")
    parser.add_argument("--plan", action="store_true", help="say what it would take, and measure nothing")
    parser.add_argument("--again", action="store_true", help="also parts whose output is there")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    folder = work / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, least in (("thresholds", 0.8), ("control", 0.97)):
        (folder / f"{name}.toml").write_text(thresholds(work, least), encoding="utf-8")
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
