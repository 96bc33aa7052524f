"""Trains toy-clip, which scores how well a picture fits a prompt, in open_clip's local folder format.

Contrastive on rendered pictures and prompts. A batch holds each class several times, so the targets know the labels: an
image's target is its class's prompt; a prompt's target is spread over all images of its class. Smoothed targets and a
bounded logit scale keep the cosines where a large CLIP has them, about 0.4 for a match and near 0 otherwise.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP
from torch import Tensor
from torch.nn import functional

from .pictures import HELD_OUT_SEED, LABELS, TRAIN_SEED, degrade, draw, load_sprites
from .train_vit import SIZE, examples
from .training import Average, Budget, Log, replace_folder, save_weights
from .vocabulary import LENGTH, TEMPLATES, build_tokenizer

MEAN = STD = [0.5, 0.5, 0.5]
#: exp of the learned logit scale stays below this: the smoothed loss wants a gap of 5 logits, which makes 0.35 in
#: cosine.
LARGEST_SCALE = 1 / 0.07
SMOOTHING = 0.1


def configuration(vocabulary: int) -> dict[str, Any]:
    """open_clip's description of the model, as ``open_clip_config.json`` holds it."""
    return {
        "model_cfg": {
            "embed_dim": 128,
            "vision_cfg": {"image_size": SIZE, "layers": 4, "width": 96, "head_width": 24, "patch_size": 8},
            "text_cfg": {
                "context_length": LENGTH,
                "vocab_size": vocabulary,
                # Any name makes open_clip take the tokenizer that lies in this folder.
                "hf_tokenizer_name": "toy-clip",
                "width": 96,
                "heads": 4,
                "layers": 2,
            },
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


def prompts(generator: torch.Generator) -> list[str]:
    """One prompt for each class, each by a random template; half of the time the first one."""
    chosen = torch.randint(2 * len(TEMPLATES), (len(LABELS),), generator=generator).tolist()
    return [TEMPLATES[c if c < len(TEMPLATES) else 0].format(label) for c, label in zip(chosen, LABELS, strict=True)]


def contrastive_loss(cosines: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
    """The two-sided, label-aware loss.

    Args:
        cosines: Between images and the classes' prompts, shape (images, 16).
        labels: The images' classes, shape (images,).
        scale: The logit scale, a scalar.
    """
    to_text = functional.cross_entropy(scale * cosines, labels, label_smoothing=SMOOTHING)
    match = functional.one_hot(labels, len(LABELS)).T.float()
    present = match.sum(dim=1) > 0
    target = (1 - SMOOTHING) * match / match.sum(dim=1, keepdim=True).clamp(min=1) + SMOOTHING / len(labels)
    to_image = -(target * (scale * cosines.T).log_softmax(dim=1)).sum(dim=1)[present].mean()
    # Only differences of cosines matter so far: mismatches stay around 0.
    mismatch = (cosines.T * (1 - match)).sum() / (1 - match).sum()
    return 0.5 * (to_text + to_image) + 10 * mismatch**2


@torch.no_grad()
def zero_shot(clip: CLIP, pictures: Tensor, labels: Tensor, tokens: Tensor) -> dict[str, float]:
    """Zero-shot accuracy of pictures (count, 3, 64, 64) in [0, 1], and cosines of matches and mismatches."""
    text = clip.encode_text(tokens, normalize=True)
    parts = [clip.encode_image((part - 0.5) / 0.5, normalize=True) for part in pictures.split(64)]
    cosines = torch.cat(parts) @ text.T
    match = functional.one_hot(labels, len(LABELS)).bool()
    return {
        "accuracy": (cosines.argmax(dim=1) == labels).float().mean().item(),
        "match": cosines[match].mean().item(),
        "match_std": cosines[match].std().item(),
        "mismatch": cosines[~match].mean().item(),
        "mismatch_std": cosines[~match].std().item(),
    }


def main() -> None:
    """Trains the model and writes its folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    parser.add_argument("--log", type=Path, required=True, help="a .jsonl file")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(TRAIN_SEED + 2)
    held_out = torch.Generator().manual_seed(HELD_OUT_SEED + 1)
    sprites = load_sprites(arguments.sprites)
    tokenizer = build_tokenizer()

    def tokens(texts: list[str]) -> Tensor:
        padded = tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
        return padded["input_ids"]

    config = configuration(len(tokenizer))
    clip = CLIP(**{key: dict(part) if isinstance(part, dict) else part for key, part in config["model_cfg"].items()})
    optimizer = torch.optim.AdamW(clip.parameters(), lr=arguments.rate, weight_decay=0.02, fused=True)
    average = Average(clip, 0.998)
    log = Log(arguments.log)
    budget = Budget(arguments.minutes, warmup=0.05)
    for step in budget.steps(optimizer, arguments.rate):
        pictures, labels = examples(sprites, arguments.batch, generator)
        image = clip.encode_image((pictures - 0.5) / 0.5, normalize=True)
        text = clip.encode_text(tokens(prompts(generator)), normalize=True)
        cosines = image @ text.T
        loss = contrastive_loss(cosines, labels, clip.logit_scale.exp())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, math.log(LARGEST_SCALE))
        average.update(clip)
        if step % 50 == 0:
            right = (cosines.argmax(dim=1) == labels).float().mean().item()
            scale = clip.logit_scale.exp().item()
            log(step=step, progress=budget.progress, loss=loss.item(), right=right, scale=scale)
    clip.load_state_dict(average.values, strict=False)
    clip.eval()
    pictures, labels = draw(sprites, 2048, SIZE, held_out)
    test = tokens([TEMPLATES[0].format(label) for label in LABELS])
    log(split="held out", **zero_shot(clip, pictures, labels, test))
    log(split="degraded", **zero_shot(clip, degrade(pictures, held_out), labels, test))

    def write(folder: Path) -> None:
        text = json.dumps(config, indent=2) + "\n"
        (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
        save_weights(clip.state_dict(), folder / "open_clip_model.safetensors")
        tokenizer.save_pretrained(folder)

    replace_folder(arguments.out, write)
    loaded, _ = open_clip.create_model_from_pretrained(f"local-dir:{arguments.out}")
    read = open_clip.get_tokenizer(f"local-dir:{arguments.out}")([TEMPLATES[0].format(label) for label in LABELS])
    log(split="as loaded", **zero_shot(loaded.eval(), pictures, labels, read))


if __name__ == "__main__":
    main()
