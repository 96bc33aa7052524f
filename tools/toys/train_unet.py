"""Trains the UNet and the text encoder of toy-latent on encoded pictures.

The UNet predicts v = √ᾱ·ε − √(1 − ᾱ)·x₀ under Stable Diffusion's scaled-linear schedule. One prompt in ten is empty,
which makes classifier-free guidance possible. With ``--guidance`` a second training follows: the network learns to give
in one call what the first one gives in two calls with that guidance (guidance distillation, Meng et al., 2210.03142),
so that the shipped model samples in half the time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

from .encode_latents import load_latents
from .pictures import LABELS, TRAIN_SEED
from .training import load_weights
from .vocabulary import LENGTH, TEMPLATES, build_tokenizer
from .workers import Exchange, add_options, fit, start

WIDTH = 64
EMPTY = len(LABELS)


def prompt_tokens() -> Tensor:
    """The tokens of each class's prompt and, as the last row, of the empty one, (classes + 1, LENGTH)."""
    prompts = [*(TEMPLATES[0].format(label) for label in LABELS), ""]
    return build_tokenizer()(prompts, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]


class Denoiser(nn.Module):
    """The text encoder and the UNet, trained as one."""

    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        tokenizer = build_tokenizer()
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
        self.register_buffer("tokens", prompt_tokens(), persistent=False)

    def forward(self, noisy: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        """Predicts v.

        Args:
            noisy: Noised latents, shape (count, 4, 16, 16).
            times: Their steps of the schedule, 0 to 999, shape (count,).
            labels: Class numbers, shape (count,); ``EMPTY`` for the empty prompt.
        """
        words = self.text(self.tokens).last_hidden_state[labels]
        return self.unet(noisy, times, encoder_hidden_states=words).sample


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


def train(worker: int, exchange: Exchange, arguments: argparse.Namespace) -> None:
    """One worker's training, on one thread."""
    torch.set_num_threads(1)
    torch.backends.mkldnn.conv.fp32_precision = "bf16"  # type: ignore[attr-defined]
    torch.manual_seed(0)
    model = Denoiser().to(memory_format=torch.channels_last)
    teacher = Denoiser().to(memory_format=torch.channels_last).eval()
    if arguments.resume:
        load_weights(model, arguments.resume)
        load_weights(teacher, arguments.resume)
    generator = torch.Generator().manual_seed(TRAIN_SEED + 3 + worker)
    latents = load_latents(arguments.latents)
    signal = build_scheduler().alphas_cumprod
    count, batch = len(latents["labels"]), arguments.batch

    def draw_loss() -> Tensor:
        chosen = torch.randint(count, (batch,), generator=generator)
        clean = latents["mean"][chosen].float()
        noise = torch.randn(clean.shape, generator=generator)
        # Times in strata: each batch covers the whole schedule evenly.
        places = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
        times = (places * len(signal)).long()
        kept, lost = signal[times].sqrt().view(-1, 1, 1, 1), (1 - signal[times]).sqrt().view(-1, 1, 1, 1)
        noisy = (kept * clean + lost * noise).contiguous(memory_format=torch.channels_last)
        dropped = torch.rand(batch, generator=generator) < 0.1
        labels = latents["labels"][chosen].masked_fill(dropped, EMPTY)
        target = kept * noise - lost * clean
        if arguments.guidance > 1:
            with torch.no_grad():
                without = teacher(noisy, times, torch.full_like(labels, EMPTY))
                target = without + arguments.guidance * (teacher(noisy, times, labels) - without)
        return functional.mse_loss(model(noisy, times, labels), target)

    fit(worker, exchange, arguments, model, draw_loss)


def main() -> None:
    """Trains, and writes the averaged weights now and then."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--latents", type=Path, required=True, help="folder of latents")
    parser.add_argument("--guidance", type=float, default=1.0, help="above 1: learn the guided prediction of --resume")
    add_options(parser)
    arguments = parser.parse_args()
    start(train, Denoiser(), arguments)


if __name__ == "__main__":
    main()
