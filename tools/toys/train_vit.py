"""Trains toy-vit, the image classifier that scores the toy models' pictures.

It sees rendered pictures only, half of them degraded the way a small generative model degrades them, and its labels are
smoothed, so that a blurred picture gets a modest probability instead of a bold guess.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from .pictures import HELD_OUT_SEED, LABELS, TRAIN_SEED, degrade, draw, load_sprites
from .training import Average, Budget, Log, replace_folder

SIZE = 64


def build_vit() -> ViTForImageClassification:
    """The untrained classifier: 64 patches of 8 × 8 pixels."""
    config = ViTConfig(
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
    return ViTForImageClassification(config)


def prepare(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1] as the classifier wants them (mean 0.5, standard deviation 0.5)."""
    return (pictures - 0.5) / 0.5


def examples(sprites: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Training pictures, (count, 3, 64, 64) in [0, 1], the second half degraded, and their labels, (count,)."""
    pictures, labels = draw(sprites, count, SIZE, generator)
    half = count // 2
    return torch.cat([pictures[:half], degrade(pictures[half:], generator)]), labels


@torch.no_grad()
def accuracy(vit: ViTForImageClassification, pictures: Tensor, labels: Tensor) -> tuple[float, float]:
    """Top-1 accuracy and mean probability of the chosen class, of pictures (count, 3, 64, 64) in [0, 1]."""
    logits = torch.cat([vit(prepare(part)).logits for part in pictures.split(64)])
    top = logits.softmax(dim=-1).max(dim=-1)
    return (top.indices == labels).float().mean().item(), top.values.mean().item()


def main() -> None:
    """Trains the classifier and writes its folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the classifier's folder")
    parser.add_argument("--log", type=Path, required=True, help="a .jsonl file")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(TRAIN_SEED + 1)
    held_out = torch.Generator().manual_seed(HELD_OUT_SEED)
    sprites = load_sprites(arguments.sprites)
    vit = build_vit()
    optimizer = torch.optim.AdamW(vit.parameters(), lr=arguments.rate, weight_decay=0.02, fused=True)
    average = Average(vit, 0.998)
    log = Log(arguments.log)
    budget = Budget(arguments.minutes, warmup=0.05)
    for step in budget.steps(optimizer, arguments.rate):
        pictures, labels = examples(sprites, arguments.batch, generator)
        logits = vit(prepare(pictures)).logits
        loss = functional.cross_entropy(logits, labels, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vit.parameters(), 1.0)
        optimizer.step()
        average.update(vit)
        if step % 50 == 0:
            right = (logits.argmax(dim=-1) == labels).float().mean().item()
            log(step=step, progress=budget.progress, loss=loss.item(), right=right)
    vit.load_state_dict(average.values)
    vit.eval()
    pictures, labels = draw(sprites, 2048, SIZE, held_out)
    clean, sure = accuracy(vit, pictures, labels)
    degraded, unsure = accuracy(vit, degrade(pictures, held_out), labels)
    log(held_out=clean, confidence=sure, held_out_degraded=degraded, confidence_degraded=unsure)

    def write(folder: Path) -> None:
        vit.save_pretrained(folder)
        size = {"height": SIZE, "width": SIZE}
        ViTImageProcessor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)

    replace_folder(arguments.out, write)


if __name__ == "__main__":
    main()
