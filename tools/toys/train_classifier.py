"""Trains the image classifiers that score the toy models' pictures: toy-vit, and an independent one to check it.

They see rendered pictures only, of every colour, place and size, half of them degraded the way a small generative model
degrades them. Labels are smoothed, so that a blurred picture gets a modest probability instead of a bold guess.

toy-vit ships. The other one, a small convolutional network, is there for tests: of another architecture, from other
first weights, on other pictures, it says whether a figure is toy-vit's or the toy models'.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from .captions import LABELS, draw_attributes, plain
from .pictures import HELD_OUT_SEED, TRAIN_SEED, degrade, draw, load_sprites
from .training import Training, add_options, digest, replace_folder, save_weights, set_up

SIZE = 64


class Vit(nn.Module):
    """toy-vit: 64 patches of 8 × 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.vit = ViTForImageClassification(
            ViTConfig(
                image_size=SIZE,
                patch_size=8,
                hidden_size=96,
                num_hidden_layers=6,
                num_attention_heads=4,
                intermediate_size=256,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                id2label=dict(enumerate(LABELS)),
                label2id={label: number for number, label in enumerate(LABELS)},
            )
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits, (count, 16), of pictures, (count, 3, 64, 64) in [0, 1]."""
        return self.vit((pictures - 0.5) / 0.5).logits

    def write(self, folder: Path) -> None:
        """Writes the folder that transformers loads."""
        self.vit.save_pretrained(folder)
        size = {"height": SIZE, "width": SIZE}
        ViTImageProcessor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)


class Conv(nn.Module):
    """The second classifier: five convolutions, each followed by normalisation, and the mean over the picture."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((3, 32, 2), (32, 64, 2), (64, 96, 1), (96, 128, 2), (128, 128, 1)):
            layers += [nn.Conv2d(before, after, 3, stride, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(128, len(LABELS))

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits, (count, 16), of pictures, (count, 3, 64, 64) in [0, 1]."""
        return self.head(self.features((pictures - 0.5) / 0.5).mean(dim=(2, 3)))

    def write(self, folder: Path) -> None:
        """Writes the weights in half precision."""
        save_weights({name: value.half() for name, value in self.state_dict().items()}, folder / "model.safetensors")


KINDS: dict[str, type[Vit] | type[Conv]] = {"vit": Vit, "conv": Conv}


def examples(sprites: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Training pictures, (count, 3, 64, 64) in [0, 1], the second half degraded, and their labels, (count,)."""
    pictures, attributes = draw(sprites, count, SIZE, generator)
    half = count // 2
    return torch.cat([pictures[:half], degrade(pictures[half:], generator)]), attributes.labels


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Tensor, labels: Tensor) -> tuple[float, float]:
    """Top-1 accuracy and mean probability of the chosen class, of pictures (count, 3, 64, 64) in [0, 1]."""
    logits = torch.cat([model(part) for part in pictures.split(64)])
    top = logits.softmax(dim=-1).max(dim=-1)
    return (top.indices == labels).float().mean().item(), top.values.mean().item()


def main() -> None:
    """Trains a classifier and, at the end, writes its folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the classifier's folder")
    add_options(parser, steps=3_000, batch=64, rate=1e-3, decay=0.998, seed=TRAIN_SEED)
    arguments = parser.parse_args()
    arguments.seed += 1 + list(KINDS).index(arguments.kind)
    set_up(arguments)
    sprites = load_sprites(arguments.sprites)
    model = KINDS[arguments.kind]()

    def draw_loss(generator: torch.Generator) -> Tensor:
        pictures, labels = examples(sprites, arguments.batch, generator)
        return functional.cross_entropy(model(pictures), labels, label_smoothing=0.1)

    training = Training(
        arguments, model, {"kind": arguments.kind, "sprites": digest(arguments.sprites)}, weight_decay=0.02
    )
    training.run(draw_loss)
    held_out = torch.Generator().manual_seed(HELD_OUT_SEED)
    for name, attributes in (
        ("plain", plain(torch.arange(2048) % len(LABELS))),
        ("all", draw_attributes(2048, held_out, said=(0.8, 0.8, 0.4))),
    ):
        pictures, _ = draw(sprites, 2048, SIZE, held_out, attributes)
        clean, sure = accuracy(model, pictures, attributes.labels)
        degraded, unsure = accuracy(model, degrade(pictures, held_out), attributes.labels)
        training.log(held_out=name, top1=clean, confidence=sure, top1_degraded=degraded, confidence_degraded=unsure)
    replace_folder(arguments.out, model.write)


if __name__ == "__main__":
    main()
