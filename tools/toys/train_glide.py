"""Trains the two stages of toy-glide: the base on pictures of 16 × 16, the upsampler from those to 32 × 32.

Each is a text transformer and a UNet with GLIDE's blocks, trained as one. What differs from GLIDE beside the size is
what the networks predict: v = √ᾱ·ε − √(1 − ᾱ)·x₀ in place of the noise ε. Near pure noise x₀ = (x − √(1 − ᾱ)·ε)/√ᾱ
multiplies an error of ε by up to 20,000, and so short a training leaves a picture's brightness and colours to chance.

The variance is learned as GLIDE's is: the network's other three channels choose between the two bounds of the reverse
step's variance, and are trained by the variational bound with the mean held (Nichol and Dhariwal, 2102.09672).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from pytest_seedshift.models.glide.text import GlideTextEncoder

from .glide_vocabulary import LENGTH, build_tokenizer
from .pictures import TRAIN_SEED, draw, load_sprites
from .train_unet import draw_captions
from .training import Training, add_options, digest, set_up

WIDTH = 64
SIZES = {"base": 16, "upsampler": 32}
SCHEDULES = {"base": "squaredcos_cap_v2", "upsampler": "linear"}
# So much of the loss is the variational bound; the rest is the error of the prediction.
BOUND = 0.001


def build_unet(part: str) -> UNet2DConditionModel:
    """The UNet of a stage: GLIDE's blocks, few and narrow."""
    # Attention in the levels of 8 × 8 and less.
    plain = 1 if part == "base" else 2
    channels, inputs = ((48, 80, 96), 3) if part == "base" else ((24, 48, 64), 6)
    return UNet2DConditionModel(
        sample_size=SIZES[part],
        in_channels=inputs,
        out_channels=6,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=(*["ResnetDownsampleBlock2D"] * plain, *["SimpleCrossAttnDownBlock2D"] * (3 - plain)),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=(*["SimpleCrossAttnUpBlock2D"] * (3 - plain), *["ResnetUpsampleBlock2D"] * plain),
        resnet_time_scale_shift="scale_shift",
        attention_head_dim=16,
        cross_attention_dim=WIDTH,
        norm_num_groups=8,
        norm_eps=1e-5,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=WIDTH,
    )


class Stage(nn.Module):
    """A text transformer and a UNet, trained as one."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.tokenizer = tokenizer = build_tokenizer()
        self.text = GlideTextEncoder(tokenizer.vocab_size, context=LENGTH, width=WIDTH, layers=2, heads=4)
        self.unet = build_unet(part)

    def forward(self, noisy: Tensor, times: Tensor, captions: Sequence[str]) -> Tensor:
        """Predicts v and where the variance lies between its bounds.

        Args:
            noisy: Noised pictures, (count, 3, size, size); for the upsampler with the small picture's three channels.
            times: Their steps of the schedule, 0 to 999, (count,).
            captions: One for each.

        Returns:
            (count, 6, size, size).
        """
        encoded = self.tokenizer(list(captions))
        words = self.text(encoded["input_ids"], encoded["attention_mask"])
        return self.unet(noisy, times, words, class_labels=words[:, -1]).sample


def enlarged(small: Tensor, size: int) -> Tensor:
    """A small picture as the upsampler is given it."""
    return functional.interpolate(small, (size, size), mode="bilinear", align_corners=False)


class Schedule(NamedTuple):
    """By step, (1000,): √ᾱ, √(1 − ᾱ), x₀'s weight in the posterior's mean, and the log of the variance's bounds."""

    signal: Tensor
    noise: Tensor
    weight: Tensor
    least: Tensor
    most: Tensor


def build_schedule(part: str) -> Schedule:
    """The schedule of a stage, worked out in double precision."""
    betas = DDPMScheduler(num_train_timesteps=1000, beta_schedule=SCHEDULES[part]).betas.double()
    kept = torch.cumprod(1 - betas, dim=0)
    before = torch.cat([torch.ones(1).double(), kept[:-1]])
    posterior = betas * (1 - before) / (1 - kept)
    posterior[0] = posterior[1]
    values = (kept.sqrt(), (1 - kept).sqrt(), before.sqrt() * betas / (1 - kept), posterior.log(), betas.log())
    return Schedule(*(value.float() for value in values))


def bound(schedule: Schedule, times: Tensor, error: Tensor, choice: Tensor) -> Tensor:
    """The divergence of the network's reverse step from the true one, in nats a value.

    Args:
        schedule: Of the stage.
        times: (count,), not 0.
        error: Of the predicted x₀, (count, 3, height, width).
        choice: What the network says of the variance: −1 for the lower bound of its log, 1 for the upper, same shape.
    """
    least, most, weight = (value[times].view(-1, 1, 1, 1) for value in (schedule.least, schedule.most, schedule.weight))
    variance = least + (choice + 1) / 2 * (most - least)
    distance = (weight * error) ** 2 * torch.exp(-variance)
    return (0.5 * (variance - least - 1 + torch.exp(least - variance) + distance)).mean()


def loss(
    model: Stage, schedule: Schedule, part: str, pictures: Tensor, captions: Sequence[str], generator: torch.Generator
) -> Tensor:
    """The loss of a batch: the prediction's error and a little of the bound.

    Args:
        model: The stage.
        schedule: Its schedule.
        part: Which.
        pictures: (count, 3, 32, 32) in [−1, 1].
        captions: One for each.
        generator: The only source of chance.
    """
    count = len(pictures)
    small = functional.avg_pool2d(pictures, 2)
    clean = small if part == "base" else pictures
    noise = torch.randn(clean.shape, generator=generator)
    # Times in strata: each batch covers the whole schedule evenly.
    times = ((torch.arange(count) + torch.rand(count, generator=generator)) / count * 1000).long().clamp(1, 999)
    kept, lost = schedule.signal[times].view(-1, 1, 1, 1), schedule.noise[times].view(-1, 1, 1, 1)
    noisy = kept * clean + lost * noise
    inputs = noisy
    if part == "upsampler":
        # What the base draws is a little off; so is what the upsampler learns from.
        blotted = small + 0.06 * torch.rand(count, 1, 1, 1, generator=generator) * torch.randn(
            small.shape, generator=generator
        )
        inputs = torch.cat([noisy, enlarged(blotted.clamp(-1, 1), SIZES[part])], dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        predicted = model(inputs, times, captions).float()
    v, choice = predicted[:, :3], predicted[:, 3:]
    error = clean - (kept * noisy - lost * v.detach())
    return functional.mse_loss(v, kept * noise - lost * clean) + BOUND * 1000 * bound(schedule, times, error, choice)


def main() -> None:
    """Trains one stage, and writes the averaged weights now and then."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--part", choices=SIZES, required=True)
    parser.add_argument("--sprites", type=Path, required=True)
    add_options(parser, steps=6_000, batch=32, rate=1e-3, decay=0.9995, seed=TRAIN_SEED + 6)
    arguments = parser.parse_args()
    arguments.seed += list(SIZES).index(arguments.part)
    set_up(arguments)
    model = Stage(arguments.part)
    sprites, schedule = load_sprites(arguments.sprites), build_schedule(arguments.part)

    def draw_loss(generator: torch.Generator) -> Tensor:
        pictures, attributes = draw(sprites, arguments.batch, SIZES["upsampler"], generator)
        captions = draw_captions(attributes, generator)
        return loss(model, schedule, arguments.part, pictures * 2 - 1, captions, generator)

    recipe = {"part": arguments.part, "sprites": digest(arguments.sprites)}
    training = Training(arguments, model, recipe, weight_decay=0.01, betas=(0.9, 0.99))
    training.run(draw_loss)


if __name__ == "__main__":
    main()
