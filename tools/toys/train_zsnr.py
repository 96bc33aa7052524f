"""Fine-tunes toy-latent's UNet to a schedule that ends in noise alone (zero terminal SNR; Lin et al., 2305.08891).

toy-latent is the teacher. Where both schedules have a level of noise, the student learns the teacher's v at that level:
the same function under other step numbers. Beyond the teacher's last level lies what the teacher never saw. A state of
the student there is the teacher's last state x_T with more noise; what is to be learned is the mean of the teacher's
guess of the picture over the x_T that are possible, and at the very end, where the state tells nothing of x_T, the mean
guess of the label. The squared error to the teacher's single guesses has this mean as its minimum.

The text encoder is toy-latent's and stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextModel

from .encode_latents import load_latents
from .pictures import TRAIN_SEED
from .train_unet import build_scheduler, draw_captions
from .training import Training, add_options, digest, set_up
from .vocabulary import build_tokenizer

# So much of a batch is at the last step, which trailing steps begin with, however many they are.
LAST = 0.125


class Levels(NamedTuple):
    """By step of the student's schedule, (1000,): its √ᾱ and √(1 − ᾱ), and the teacher's level that it is learned from.

    Attributes:
        kept: √ᾱ of the student's state.
        lost: √(1 − ᾱ) of it.
        time: The teacher's step, 0 to 999, a fraction where its level lies between two.
        kept_before: √ᾱ of the teacher's state; larger than `kept` beyond the teacher's last step, else equal.
        lost_before: √(1 − ᾱ) of it.
    """

    kept: Tensor
    lost: Tensor
    time: Tensor
    kept_before: Tensor
    lost_before: Tensor


def build_levels() -> Levels:
    """The student's schedule beside the teacher's, worked out in double precision."""
    before = build_scheduler().alphas_cumprod.double().numpy()
    after = build_scheduler(rescale_betas_zero_snr=True).alphas_cumprod.double().numpy()
    taught = np.maximum(after, before[-1])
    # Falling in time, which interp wants to rise.
    time = np.interp(-np.log(taught / (1 - taught)), -np.log(before / (1 - before)), np.arange(len(before)))
    values = (np.sqrt(after), np.sqrt(1 - after), time, np.sqrt(taught), np.sqrt(1 - taught))
    return Levels(*(torch.from_numpy(value).float() for value in values))


def draw_times(count: int, generator: torch.Generator) -> Tensor:
    """Steps of the student's schedule, (count,): the last one for a share of `LAST`, the others in strata over all."""
    last = round(count * LAST)
    places = (torch.arange(count - last) + torch.rand(count - last, generator=generator)) / (count - last)
    return torch.cat([(places * 1000).long(), torch.full((last,), 999)])


class Lesson(NamedTuple):
    """What a batch asks of the student: states and targets, (count, 4, 16, 16), and steps, (count,)."""

    noisy: Tensor
    times: Tensor
    target: Tensor


@torch.no_grad()
def draw_lesson(teacher: nn.Module, levels: Levels, clean: Tensor, words: Tensor, generator: torch.Generator) -> Lesson:
    """States of the student with the v that it is to predict.

    Args:
        teacher: toy-latent's UNet.
        levels: Of both schedules.
        clean: Latents, (count, 4, 16, 16).
        words: Their prompts' states, (count, tokens, width).
        generator: The only source of chance.
    """
    times = draw_times(len(clean), generator)
    kept, lost, kept_before, lost_before = (
        value[times].view(-1, 1, 1, 1) for value in (levels.kept, levels.lost, levels.kept_before, levels.lost_before)
    )
    before = kept_before * clean + lost_before * torch.randn(clean.shape, generator=generator)
    before = before.contiguous(memory_format=torch.channels_last)
    v = teacher(before, levels.time[times], encoder_hidden_states=words).sample
    picture = kept_before * before - lost_before * v
    share = kept / kept_before
    more = (1 - share**2).clamp(min=0).sqrt()
    noisy = (share * before + more * torch.randn(clean.shape, generator=generator)).contiguous(
        memory_format=torch.channels_last
    )
    # v of x = √ᾱ·x₀ + √(1 − ᾱ)·ε is (√ᾱ·x − x₀) / √(1 − ᾱ); where the levels are equal this is the teacher's.
    beyond = kept_before > kept
    return Lesson(noisy, times, torch.where(beyond, (kept * noisy - picture) / lost, v))


def main() -> None:
    """Trains, and writes the averaged weights now and then."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="toy-latent's folder")
    parser.add_argument("--latents", type=Path, required=True, help="folder of latents, of the teacher's autoencoder")
    add_options(parser, steps=1_500, batch=32, rate=6e-4, decay=0.998, seed=TRAIN_SEED + 8)
    arguments = parser.parse_args()
    set_up(arguments)
    teacher, student = (
        UNet2DConditionModel.from_pretrained(arguments.teacher / "unet", torch_dtype=torch.float32).to(
            memory_format=torch.channels_last
        )
        for _ in range(2)
    )
    teacher.eval()
    text, tokenizer = CLIPTextModel.from_pretrained(arguments.teacher / "text_encoder"), build_tokenizer()
    latents, levels = load_latents(arguments.latents), build_levels()

    def draw_loss(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents.mean), (arguments.batch,), generator=generator)
        captions = draw_captions(latents.attributes.select(chosen), generator)
        tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            told = text(tokens).last_hidden_state
        lesson = draw_lesson(teacher, levels, latents.mean[chosen].float(), told, generator)
        predicted = student(lesson.noisy, lesson.times, encoder_hidden_states=told).sample
        return functional.mse_loss(predicted, lesson.target)

    recipe = {"latents": latents.digest, "teacher": digest(*sorted(arguments.teacher.glob("unet/*.safetensors")))}
    training = Training(arguments, student, recipe, weight_decay=0.01, betas=(0.9, 0.99))
    training.run(draw_loss)


if __name__ == "__main__":
    main()
