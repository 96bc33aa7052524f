"""What a model card says in numbers, from the runs' logs and the exported files: tables in Markdown, and loss curves.

    python -m tools.toys.cards --work WORK --curves WORK/curves.png > WORK/card.md

No figure of a card is written by hand: trainings from their logs, parts from the weights' headers, what was measured
from the output of `figures.py`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from .figures import PARTS

FOLDERS = ("toy-latent", "toy-latent-zsnr", "toy-glide", "toy-vit", "toy-clip", "toy-conv")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; a last one that was cut short is left."""
    found = []
    for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def training(run: Path) -> list[str] | None:
    """A run as a row: steps, minutes of processor time, loss of the first and of the last 50 steps."""
    steps = [line for line in read_log(run) if "loss" in line]
    if not steps:
        return None
    first, last = steps[0], steps[-1]
    return [run.name, str(last["step"]), f"{last['cpu_s'] / 60:.0f}", f"{first['loss']:.4f}", f"{last['loss']:.4f}"]


def held_out(run: Path) -> Iterator[list[str]]:
    """What a scorer's training says of pictures that it was not trained on, a row a line of its log."""
    for line in read_log(run):
        if "held_out" in line or "question" in line:
            what = " ".join(str(line[key]) for key in ("held_out", "split", "question") if key in line)
            numbers = {key: value for key, value in line.items() if isinstance(value, float)}
            yield [run.name, what, ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in numbers.items())]


def parts(folder: Path) -> Iterator[list[str]]:
    """The weights of a folder, a row a file: parameters in millions, number types, megabytes."""
    for file in sorted(folder.rglob("*.safetensors")):
        count, types = weights(file)
        name = "/".join(file.relative_to(folder.parent).parent.parts)
        yield [name, f"{count / 1e6:.2f} M", ", ".join(sorted(types)), f"{file.stat().st_size / 1e6:.2f} MB"]


def weights(file: Path) -> tuple[int, set[str]]:
    """How many numbers a file of weights has, and of which types; only its header is read."""
    count, types = 0, set()
    with safe_open(file, "pt") as opened:
        for name in opened.keys():  # noqa: SIM118  # it is no mapping
            part = opened.get_slice(name)
            count += math.prod(part.get_shape())
            types.add(str(part.get_dtype()))
    return count, types


def measured(figures: Path) -> Iterator[str]:
    """What `figures.py` has measured, each with the command that measures it."""
    for part in PARTS:
        file = figures / f"{part.name}.txt"
        if file.is_file():
            yield f"`python -m tools.toys.figures --work WORK --part {part.name}`\n"
            yield f"```\n{file.read_text(encoding='utf-8').rstrip()}\n```\n"


def curves(logs: Mapping[str, list[dict[str, Any]]], path: Path) -> None:
    """Draws the loss of each run against its steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.4 * math.ceil(len(logs) / 3)), layout="constrained")
    for axes, (name, lines) in zip(
        figure.subplots(math.ceil(len(logs) / 3), 3, squeeze=False).flat, logs.items(), strict=False
    ):
        steps = [line for line in lines if "loss" in line]
        axes.plot([line["step"] for line in steps], [line["loss"] for line in steps], linewidth=1)
        axes.set_title(name)
        axes.set_yscale("log")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Prints what a model card says in numbers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="holds runs/, out/ and figures/")
    parser.add_argument("--curves", type=Path, help="also draw the losses, as a picture")
    arguments = parser.parse_args()
    runs = sorted(log.parent for log in arguments.work.glob("runs/*/log.jsonl"))
    print("## Training\n")
    rows = [row for run in runs if (row := training(run)) is not None]
    print(table(["run", "steps", "minutes of one core", "first loss", "last loss"], rows))
    if rows := [row for run in runs for row in held_out(run)]:
        print("\n## Scorers, on pictures drawn apart\n")
        print(table(["scorer", "pictures", ""], rows))
    print("\n## Parts\n")
    rows = [row for name in FOLDERS for row in parts(arguments.work / "out" / name)]
    print(table(["part", "parameters", "stored as", "file"], rows))
    if found := list(measured(arguments.work / "figures")):
        print("\n## Measured\n", *found, sep="\n")
    if arguments.curves:
        curves({run.name: read_log(run) for run in runs}, arguments.curves)


if __name__ == "__main__":
    main()
