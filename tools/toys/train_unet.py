"""Trains the UNet and the text encoder of toy-latent on encoded pictures.

The UNet predicts v = √ᾱ·ε − √(1 − ᾱ)·x₀ under Stable Diffusion's scaled-linear schedule. One caption in ten is left
empty, which makes classifier-free guidance possible (Ho and Salimans, 2207.12598).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

from .captions import Attributes, write_captions
from .encode_latents import load_latents
from .pictures import TRAIN_SEED
from .training import Training, add_options, set_up
from .vocabulary import LENGTH, build_tokenizer

WIDTH = 64
#: So many captions are left empty, whatever the model.
EMPTIED = 0.1


def draw_captions(attributes: Attributes, generator: torch.Generator) -> list[str]:
    """Captions to learn from, some of them empty."""
    captions = write_captions(attributes, generator)
    emptied = (torch.rand(len(captions), generator=generator) < EMPTIED).tolist()
    return ["" if empty else caption for caption, empty in zip(captions, emptied, strict=True)]


class Denoiser(nn.Module):
    """The text encoder and the UNet, trained as one."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = tokenizer = build_tokenizer()
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=2 * WIDTH,
                projection_dim=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            block_out_channels=(48, 64, 96),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # in diffusers' wording the number of heads
            norm_num_groups=8,
        )

    def read(self, captions: Sequence[str]) -> Tensor:
        """The text encoder's states of captions, (count, LENGTH, WIDTH)."""
        tokens = self.tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt")
        return self.text(tokens["input_ids"]).last_hidden_state

    def forward(self, noisy: Tensor, times: Tensor, captions: Sequence[str]) -> Tensor:
        """Predicts v.

        Args:
            noisy: Noised latents, shape (count, 4, 16, 16).
            times: Their steps of the schedule, 0 to 999, shape (count,).
            captions: One for each.
        """
        return self.unet(noisy, times, encoder_hidden_states=self.read(captions)).sample


def build_scheduler(**changes: object) -> DDIMScheduler:
    """Stable Diffusion's schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        **changes,
    )


def draw_times(count: int, generator: torch.Generator) -> Tensor:
    """Steps of the schedule, (count,), in strata: each batch covers the whole schedule evenly."""
    return ((torch.arange(count) + torch.rand(count, generator=generator)) / count * 1000).long().clamp(max=999)


def main() -> None:
    """Trains, and writes the averaged weights now and then."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--latents", type=Path, required=True, help="folder of latents")
    add_options(parser, steps=10_000, batch=32, rate=1e-3, decay=0.9995, seed=TRAIN_SEED + 5)
    arguments = parser.parse_args()
    set_up(arguments)
    model = Denoiser()
    latents = load_latents(arguments.latents)
    signal = build_scheduler().alphas_cumprod
    count = len(latents.mean)

    def draw_loss(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(count, (arguments.batch,), generator=generator)
        clean = latents.mean[chosen].float()
        noise = torch.randn(clean.shape, generator=generator)
        times = draw_times(arguments.batch, generator)
        kept, lost = signal[times].sqrt().view(-1, 1, 1, 1), (1 - signal[times]).sqrt().view(-1, 1, 1, 1)
        noisy = kept * clean + lost * noise
        captions = draw_captions(latents.attributes.select(chosen), generator)
        return functional.mse_loss(model(noisy, times, captions), kept * noise - lost * clean)

    training = Training(arguments, model, {"latents": latents.digest}, weight_decay=0.01, betas=(0.9, 0.99))
    training.run(draw_loss)


if __name__ == "__main__":
    main()
