"""How well positions are found on rendered pictures whose true centre is known, and what a ramp of brightness does.

    python -m tools.toys.pictures --icons node_modules/@iconify-json --out sprites.safetensors
    python benchmarks/position.py sprites.safetensors

The truth is the centroid of what the icon covers. Beside gradient × input stand the answer "the middle", the gradient
alone, and occlusion by patches of the mean colour. `tools/toys/README.md` says where the icons are from.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from pytest_seedshift.core import pairs
from pytest_seedshift.models import catalogue
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.evidence_position import Position
from tools.toys import pictures

SIZE = 64
RAMP = 0.1


def rendered(sprites: Tensor, count: int, smallest: float, largest: float) -> tuple[Tensor, Tensor]:
    """Pictures, class by class in turn, and their true centres in widths from the middle."""
    chance = torch.Generator().manual_seed(3)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=chance) * (high - low) + low

    styles = torch.randint(sprites.shape[1], (count,), generator=chance)
    scale = uniform(smallest, largest)
    x, y = uniform(-1, 1) * (1 - scale), uniform(-1, 1) * (1 - scale)
    none = torch.zeros(count)
    theta = torch.stack(
        [torch.stack([1 / scale, none, -x / scale], -1), torch.stack([none, 1 / scale, -y / scale], -1)], -2
    )
    grid = functional.affine_grid(theta, [count, 4, 2 * SIZE, 2 * SIZE], align_corners=False)
    layer = functional.grid_sample(sprites[torch.arange(count) % 16, styles], grid, align_corners=False)
    layer = functional.avg_pool2d(layer, 2)
    return (layer[:, :3] + (1 - layer[:, 3:]) * 0.9).clamp(0, 1), centroid(layer[:, 3])


def centroid(weight: Tensor) -> Tensor:
    """Of maps (count, side, side), in widths from the middle, rightwards and downwards."""
    axis = (torch.arange(weight.shape[-1]) + 0.5) / weight.shape[-1] - 0.5
    total = weight.sum((1, 2))
    return torch.stack([(weight.sum(1) * axis).sum(1) / total, (weight.sum(2) * axis).sum(1) / total], 1)


def occluded(position: Position, images: Tensor, labels: list[pairs.Label], side: int = 16, step: int = 8) -> Tensor:
    """How much the logit falls where a patch of the mean colour hides the picture."""
    classifier = position._classifier
    mean = images.mean((2, 3), keepdim=True)
    found = torch.zeros(len(images), *images.shape[-2:])

    def logit(shown: Tensor) -> Tensor:
        with torch.inference_mode():
            logits = classifier._model(classifier.see(shown)).logits  # type: ignore[attr-defined]
            return logits[torch.arange(len(labels)), [label.index for label in labels]]

    whole = logit(images)
    for top in range(step - side, images.shape[-2], step):
        for left in range(step - side, images.shape[-1], step):
            area = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
            hidden = images.clone()
            hidden[..., area[0], area[1]] = mean
            found[:, area[0], area[1]] += (whole - logit(hidden)).clamp(min=0)[:, None, None]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sprites", type=Path)
    parser.add_argument("--count", type=int, default=160)
    arguments = parser.parse_args()
    sprites = pictures.load_sprites(arguments.sprites)
    position = Position(Classifier.load(catalogue.shipped().find("toy-latent").classifier, "cpu"), "")
    by_name = {label.name: label for label in pairs.class_list("toy16")}
    labels = [by_name[pictures.LABELS[index % 16]] for index in range(arguments.count)]

    def scored(images: Tensor) -> Tensor:
        found = position.score(images, labels)
        return torch.stack([found["position_x"], found["position_y"]], 1)

    def gradient(images: Tensor) -> Tensor:
        classifier = position._classifier
        return centroid(classifier.gradients(classifier.see(images), labels).abs().sum(1))

    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "the middle": lambda images: torch.zeros(len(images), 2),
        "gradient × input": scored,
        "gradient": gradient,
        "occlusion": lambda images: centroid(occluded(position, images, labels)),
    }
    ramp = RAMP * torch.linspace(-1, 1, SIZE)
    for smallest, largest in ((0.70, 0.98), (0.40, 0.70)):
        images, truth = rendered(sprites, arguments.count, smallest, largest)
        print(f"icons of {smallest:.2f} to {largest:.2f} of the width, {arguments.count} pictures")
        for name, way in ways.items():
            begin = time.perf_counter()
            found = way(images)
            seconds = time.perf_counter() - begin
            error = (found - truth).norm(dim=1)
            drawn = (way((images + ramp).clamp(0, 1)) - found)[:, 0].mean().item() if name != "occlusion" else None
            print(
                f"  {name:<18} median error {100 * error.median().item():4.1f} %, 90th percentile "
                f"{100 * error.quantile(0.9).item():4.1f} %, {1000 * seconds / len(images):6.1f} ms an image"
                + ("" if drawn is None else f", moved by {100 * drawn:+.1f} % by a ramp of ±{RAMP} in brightness")
            )


if __name__ == "__main__":
    main()
