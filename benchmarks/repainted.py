"""Whether a study of position control measures more than colours: from the pictures that it kept.

    seedshift position toy-latent --images 256 --dir run
    python benchmarks/repainted.py toy-latent run

For each direction: by how much the measured position moves from the control's pictures to the shifted ones of the same
pairs; how much of that the mean change of colours would do alone, when it is painted onto the control's pictures as a
constant and a ramp; and by how much the centroid of what differs from the background moves, which asks no classifier
(it suits pictures of one thing on a plain ground, as the toys draw them). In % of the width, along the direction.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.evidence_position import Position
from pytest_seedshift.studies import position_control

FOREGROUND = 0.25
"""How far from the background's colour, summed over the channels, a pixel begins to count."""


def pictures(folder: RunFolder, case: Case) -> dict[tuple[str, str], Tensor]:
    """The pictures of a case that were kept, by label and seed."""
    found = {}
    for path in folder.picture_folder(case).glob("*.png"):
        label, seed, _ = path.stem.rsplit("-", 2)
        found[label, seed] = decode_image(str(path), ImageReadMode.RGB) / 255
    return found


def plane(side: int) -> tuple[Tensor, Tensor]:
    """A constant and two ramps from −0.5 to 0.5, (side·side, 3); and which pixels are at the border."""
    axis = (torch.arange(side) + 0.5) / side - 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    at_border = torch.ones(side, side, dtype=torch.bool)
    at_border[3:-3, 3:-3] = False
    return torch.stack([torch.ones_like(x), x, y], -1).flatten(0, 1), at_border.flatten()


def ramped(images: Tensor, where: Tensor | None = None) -> Tensor:
    """The constant and ramps that fit images (count, 3, side, side) best, all over or where it is said."""
    basis, _ = plane(images.shape[-1])
    rows = slice(None) if where is None else where
    flat = images.flatten(2).mT
    fitted = torch.linalg.lstsq(basis[rows].expand(len(images), -1, -1), flat[:, rows]).solution
    return (basis @ fitted).mT.reshape(images.shape)


def centroid(images: Tensor) -> Tensor:
    """Of what differs from the background, a ramp fitted to the border: (count, 2), in widths from the middle."""
    basis, at_border = plane(images.shape[-1])
    weight = ((images - ramped(images, at_border)).abs().sum(1) - FOREGROUND).clamp(0, 1).flatten(1)
    return weight @ basis[:, 1:] / weight.sum(1, keepdim=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("run", type=Path)
    parser.add_argument("--magnitude", type=float, default=position_control.MAGNITUDE)
    arguments = parser.parse_args()
    entry, folder = catalogue.shipped().find(arguments.model), RunFolder(arguments.run)
    scorer = Position(Classifier.load(entry.classifier, "cpu"), "")
    labels = {label.name: label for label in pairs.class_list(entry.classes)}
    control = pictures(folder, Case(arguments.model))
    print(f"{arguments.model}: % of the width along the direction")
    for arm in position_control.choose(arguments.model, arguments.magnitude, position_control.DIRECTIONS):
        if arm.kind != "towards":
            continue
        shifted = pictures(folder, arm.case)
        common = sorted(control.keys() & shifted.keys())
        before, after = (torch.stack([each[key] for key in common]) for each in (control, shifted))
        paint = ramped((after - before).median(0, keepdim=True).values)
        asked, direction = [labels[label] for label, _ in common], torch.tensor(arm.direction)

        def seen(images: Tensor, asked: list[pairs.Label] = asked) -> Tensor:
            found = scorer.score(images, asked)
            return torch.stack([found["position_x"], found["position_y"]], 1)

        measured, painted, outlined = (
            100 * ((to - of) @ direction).mean().item()
            for to, of in (
                (seen(after), seen(before)),
                (seen((before + paint).clamp(0, 1)), seen(before)),
                (centroid(after), centroid(before)),
            )
        )
        print(
            f"  {arm.name:<6} {len(common):3} pairs: measured {measured:+5.1f}, by paint alone {painted:+5.1f}, "
            f"outline {outlined:+5.1f}"
        )


if __name__ == "__main__":
    main()
