"""Trains an adapter (LoRA) that lets a toy model draw in one of the four icon styles, in minutes.

    python -m tools.toys.train_lora --sprites WORK/sprites.safetensors --out WORK/flat.safetensors
    seedshift versus toy-latent toy-latent+lora=WORK/flat.safetensors

The UNet's attention gets low-rank layers, by peft; everything else stays as it is. It learns from pictures of that
style alone, with their captions, as the model itself learned from all four.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor
from torch.nn import functional

from pytest_seedshift.models import catalogue

from .captions import write_captions
from .pictures import ICON_SETS, TRAIN_SEED, draw, load_sprites
from .train_unet import draw_times
from .train_vae import SIZE
from .training import rate_at, step_generator

SEED = TRAIN_SEED + 50
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2")
"""The layers that are changed: with the convolutions, as the toys have little attention."""


def of_style(sprites: Tensor, style: int) -> Tensor:
    """Sprites of one style in the place of those of all, shape (16, 4, 4, 128, 128)."""
    return sprites[:, style : style + 1].expand_as(sprites)


def target(clean: Tensor, noise: Tensor, kept: Tensor, lost: Tensor, prediction: str) -> Tensor:
    """What the UNet is to predict of noised latents; ``prediction`` is the scheduler's ``prediction_type``."""
    return noise if prediction == "epsilon" else kept * noise - lost * clean


def losses(pipeline: StableDiffusionPipeline, sprites: Tensor, batch: int, seed: int = SEED) -> Iterator[Tensor]:
    """The losses of batches, without end.

    Args:
        pipeline: Of the model.
        sprites: See `of_style`.
        batch: Pictures in each.
        seed: Of all chance.
    """
    signal, kind = pipeline.scheduler.alphas_cumprod, pipeline.scheduler.config.prediction_type
    for step in itertools.count():
        generator = step_generator(seed, step)
        pictures, attributes = draw(sprites, batch, SIZE, generator)
        with torch.no_grad():
            clean = pipeline.vae.encode(pictures * 2 - 1).latent_dist.mean * pipeline.vae.config.scaling_factor
            tokens = pipeline.tokenizer(
                write_captions(attributes, generator), padding="max_length", truncation=True, return_tensors="pt"
            )
            states = pipeline.text_encoder(tokens["input_ids"]).last_hidden_state
        noise, times = torch.randn(clean.shape, generator=generator), draw_times(batch, generator)
        kept, lost = signal[times].sqrt().view(-1, 1, 1, 1), (1 - signal[times]).sqrt().view(-1, 1, 1, 1)
        predicted = pipeline.unet(kept * clean + lost * noise, times, encoder_hidden_states=states).sample
        yield functional.mse_loss(predicted, target(clean, noise, kept, lost, kind))


def train(
    folder: Path, sprites: Tensor, out: Path, *, steps: int, minutes: float, batch: int, rank: int, rate: float
) -> list[float]:
    """Trains an adapter and writes it, as diffusers does.

    Args:
        folder: The pipeline's.
        sprites: See `of_style`.
        out: The file of the adapter.
        steps: At most.
        minutes: At most.
        batch: Pictures a step.
        rank: Of the layers.
        rate: The peak learning rate.

    Returns:
        The loss of each step.
    """
    pipeline = StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    pipeline.unet.requires_grad_(False)
    torch.manual_seed(SEED)
    pipeline.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LAYERS)))
    trained = [each for each in pipeline.unet.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate)
    began, found = time.monotonic(), []
    for step, loss in enumerate(itertools.islice(losses(pipeline, sprites, batch), steps)):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, rate)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
        if time.monotonic() - began > 60 * minutes:
            break
    out.parent.mkdir(parents=True, exist_ok=True)
    layers = get_peft_model_state_dict(pipeline.unet)
    StableDiffusionPipeline.save_lora_weights(out.parent, unet_lora_layers=layers, weight_name=out.name)
    return found


def main() -> None:
    """Trains, and writes the adapter."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="toy-latent", help="a name of the catalogue (toy-latent)")
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--style", choices=ICON_SETS, default=ICON_SETS[-1], help=f"({ICON_SETS[-1]})")
    parser.add_argument("--out", type=Path, required=True, help="the adapter's file")
    parser.add_argument("--steps", type=int, default=600, help="(600)")
    parser.add_argument("--minutes", type=float, default=10.0, help="at most (10)")
    parser.add_argument("--batch", type=int, default=16, help="pictures a step (16)")
    parser.add_argument("--rank", type=int, default=8, help="of the layers (8)")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (2e-3)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    style = ICON_SETS.index(arguments.style)
    found = train(
        Path(catalogue.shipped().find(arguments.model).pipeline[0]),
        of_style(load_sprites(arguments.sprites), style),
        arguments.out,
        steps=arguments.steps,
        minutes=arguments.minutes,
        batch=arguments.batch,
        rank=arguments.rank,
        rate=arguments.rate,
    )
    tenth = max(len(found) // 10, 1)
    first, last = (sum(part) / len(part) for part in (found[:tenth], found[-tenth:]))
    print(f"{len(found)} steps: mean loss {first:.4f} in the first tenth, {last:.4f} in the last")


if __name__ == "__main__":
    main()
