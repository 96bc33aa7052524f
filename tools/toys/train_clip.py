"""Trains toy-clip, which scores how well a picture fits a prompt, in open_clip's local folder format.

Contrastive on rendered pictures and captions. Every picture comes with its own caption and with one in which a single
word is wrong: another class, colour, place or size. Many captions of a batch are true of many pictures, so the targets
know the attributes: a picture's target is spread over all captions that are true of it, and the other way round; pairs
of which that cannot be known are left out (`captions.agreement`).

Smoothed targets bound the gaps between logits, so the bound of the logit scale says how large cosines become. With the
first bound a match has 0.67. A second, shorter training (`--start`) has a larger one and brings a match to where a
large CLIP has it, about 0.4, within the range that the product gives CLIP's score.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from .captions import (
    COLOURS,
    LABELS,
    PLACES,
    SIZES,
    TEMPLATES,
    Attributes,
    agreement,
    draw_attributes,
    fill,
    phrase,
    write_captions,
)
from .pictures import HELD_OUT_SEED, TRAIN_SEED, degrade, draw, load_sprites, natural_colours
from .train_classifier import SIZE
from .training import Log, Training, add_options, digest, replace_folder, save_weights, set_up
from .vocabulary import LENGTH, build_tokenizer

MEAN = STD = [0.5, 0.5, 0.5]
#: exp of the learned logit scale stays below these, in the first training and in the second one.
LARGEST_SCALES = (1 / 0.07, 1 / 0.046)
SMOOTHING = 0.1
#: How often a picture has a colour, a place and a size to speak of. Places are learned last, so most pictures have one.
SHOWN = (0.45, 0.8, 0.3)


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


def spoil(attributes: Attributes, generator: torch.Generator) -> Attributes:
    """Changes one attribute of each row to another value: mostly the colour, place or size where one is said."""
    count = len(attributes.labels)
    said = torch.stack([torch.ones(count), *((values > 0).float() for values in attributes[1:])], dim=1)
    which = torch.multinomial(said, 1, generator=generator)[:, 0]
    changed = []
    for number, (values, words) in enumerate(zip(attributes, (LABELS, COLOURS, PLACES, SIZES), strict=True)):
        # The values of an attribute that is said are those from `least` on.
        least = 0 if number == 0 else 1
        choices = len(words) - least
        step = torch.randint(1, choices, (count,), generator=generator)
        other = (values - least + step) % choices + least
        changed.append(torch.where(which == number, other, values))
    return Attributes(*changed)


def contrastive_loss(cosines: Tensor, truth: Tensor, scale: Tensor) -> Tensor:
    """The two-sided loss that knows which captions are true of which pictures.

    Args:
        cosines: Between pictures and captions, shape (pictures, captions).
        truth: Of the same shape: 1 true, 0 false, −1 open.
        scale: The logit scale, a scalar.
    """
    total = torch.zeros(())
    for logits, answers in ((scale * cosines, truth), (scale * cosines.T, truth.T)):
        match, known = (answers == 1).float(), answers >= 0
        some = match.sum(dim=1) > 0
        weights = known.float() / known.sum(dim=1, keepdim=True).clamp(min=1)
        target = (1 - SMOOTHING) * match / match.sum(dim=1, keepdim=True).clamp(min=1) + SMOOTHING * weights
        logarithms = logits.masked_fill(~known, -1e4).log_softmax(dim=1).masked_fill(~known, 0.0)
        total = total - 0.5 * (target * logarithms).sum(dim=1)[some].mean()
    # Only differences of cosines matter so far: mismatches stay around 0.
    false = (truth == 0).float()
    return total + 10 * ((cosines * false).sum() / false.sum()) ** 2


@torch.no_grad()
def zero_shot(clip: CLIP, pictures: Tensor, labels: Tensor, tokens: Tensor) -> dict[str, float]:
    """Zero-shot accuracy of pictures (count, 3, 64, 64) in [0, 1] among texts, and cosines of matches and mismatches.

    Args:
        clip: The model.
        pictures: What to classify.
        labels: The number of each one's true text, (count,).
        tokens: The texts, (texts, length).
    """
    text = clip.encode_text(tokens, normalize=True)
    parts = [clip.encode_image((part - 0.5) / 0.5, normalize=True) for part in pictures.split(64)]
    cosines = torch.cat(parts) @ text.T
    match = functional.one_hot(labels, len(tokens)).bool()
    return {
        "accuracy": (cosines.argmax(dim=1) == labels).float().mean().item(),
        "match": cosines[match].mean().item(),
        "match_std": cosines[match].std().item(),
        "mismatch": cosines[~match].mean().item(),
        "mismatch_std": cosines[~match].std().item(),
    }


def tests() -> dict[str, tuple[list[str], str]]:
    """Zero-shot questions: what each is about, its texts, and the attribute that tells the true one.

    The texts on colours, places and sizes name no class.
    """
    return {
        "class": ([fill(TEMPLATES[0], phrase(label)) for label in range(len(LABELS))], "labels"),
        "colour": ([f"A photo of a {colour} {{}}" for colour in COLOURS[1:]], "colours"),
        "place": ([f"A photo of a {{}} {place}" for place in PLACES[1:]], "places"),
        "size": ([f"A photo of a {size} {{}}" for size in SIZES[1:]], "sizes"),
    }


class Reader:
    """Texts to tokens, (texts, LENGTH)."""

    def __init__(self) -> None:
        self.tokenizer = build_tokenizer()

    def __call__(self, texts: list[str]) -> Tensor:
        """The tokens of some texts."""
        padded = self.tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
        return padded["input_ids"]


@torch.no_grad()
def examine(clip: CLIP, read: Callable[[list[str]], Tensor], sprites: Tensor, log: Log, split: str) -> None:
    """Logs zero-shot accuracies on pictures drawn apart from those of the training."""
    generator = torch.Generator().manual_seed(HELD_OUT_SEED + 1)
    count = 1024
    for name, (texts, attribute) in tests().items():
        said = tuple(1.0 if name == other else 0.0 for other in ("colour", "place", "size"))
        attributes = draw_attributes(count, generator, said)  # type: ignore[arg-type]
        pictures, _ = draw(sprites, count, SIZE, generator, attributes)
        if split == "degraded":
            pictures = degrade(pictures, generator)
        if name == "class":
            log(split=split, question=name, **zero_shot(clip, pictures, attributes.labels, read(texts)))
            continue
        right = torch.zeros(count, dtype=torch.bool)
        answers = getattr(attributes, attribute) - 1
        for label, word in enumerate(LABELS):
            chosen = attributes.labels == label
            text = clip.encode_text(read([text.format(word) for text in texts]), normalize=True)
            image = clip.encode_image((pictures[chosen] - 0.5) / 0.5, normalize=True)
            right[chosen] = (image @ text.T).argmax(dim=1) == answers[chosen]
        log(split=split, question=name, accuracy=right.float().mean().item())


def main() -> None:
    """Trains the model and, at the end, writes its folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    parser.add_argument("--start", type=Path, help="weights of the first training: this is the second one")
    add_options(parser, steps=4_000, batch=64, rate=1e-3, decay=0.998, seed=TRAIN_SEED + 3)
    arguments = parser.parse_args()
    set_up(arguments)
    sprites = load_sprites(arguments.sprites)
    natural, read = natural_colours(sprites), Reader()
    config = configuration(len(read.tokenizer))
    clip = CLIP(**{key: dict(part) if isinstance(part, dict) else part for key, part in config["model_cfg"].items()})
    largest, inputs = math.log(LARGEST_SCALES[arguments.start is not None]), {"sprites": digest(arguments.sprites)}
    if arguments.start is not None:
        clip.load_state_dict(load_file(arguments.start))
        clip.logit_scale.data.fill_(largest)
        inputs["start"] = digest(arguments.start)

    def draw_loss(generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            clip.logit_scale.clamp_(0, largest)
        asked = draw_attributes(arguments.batch, generator, SHOWN)
        pictures, attributes = draw(sprites, arguments.batch, SIZE, generator, asked)
        half = arguments.batch // 2
        pictures = torch.cat([pictures[:half], degrade(pictures[half:], generator)])
        said = Attributes(*(torch.cat(pair) for pair in zip(attributes, spoil(attributes, generator), strict=True)))
        image = clip.encode_image((pictures - 0.5) / 0.5, normalize=True)
        text = clip.encode_text(read(write_captions(said, generator)), normalize=True)
        truth = agreement(attributes, said, natural)
        return contrastive_loss(image @ text.T, truth, clip.logit_scale.exp())

    training = Training(arguments, clip, inputs, weight_decay=0.02)
    training.run(draw_loss)
    for split in ("held out", "degraded"):
        examine(clip, read, sprites, training.log, split)

    def write(folder: Path) -> None:
        text = json.dumps(config, indent=2) + "\n"
        (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
        save_weights(clip.state_dict(), folder / "open_clip_model.safetensors")
        read.tokenizer.save_pretrained(folder)

    replace_folder(arguments.out, write)
    loaded, _ = open_clip.create_model_from_pretrained(f"local-dir:{arguments.out}")
    examine(loaded.eval(), open_clip.get_tokenizer(f"local-dir:{arguments.out}"), sprites, training.log, "as loaded")


if __name__ == "__main__":
    main()
