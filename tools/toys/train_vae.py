"""Trains the autoencoder of toy-latent: 64 × 64 RGB pictures to 16 × 16 latents of 4 channels, and back.

The loss is the mean absolute error, that of the differences between neighbouring pixels at two scales (edges stay
sharp), and a small Kullback-Leibler term (latents stay near a standard normal, so that a little error in them does
little harm).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from .pictures import TRAIN_SEED, draw, load_sprites, save_sheet
from .training import Training, add_options, digest, save_part, set_up, step_generator

SIZE = 64
CHANNELS = (24, 32, 64)


def build_vae() -> AutoencoderKL:
    """The untrained autoencoder: thin where the picture is large, without attention."""
    levels = len(CHANNELS)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
        force_upcast=False,
    )


def edges(error: Tensor) -> Tensor:
    """The mean absolute difference between neighbouring pixels of an error image, (count, 3, height, width)."""
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()


def loss(vae: AutoencoderKL, pictures: Tensor, kl_weight: float, generator: torch.Generator) -> Tensor:
    """The training loss of pictures, (count, 3, 64, 64) in [-1, 1]."""
    with torch.autocast("cpu", torch.bfloat16):
        posterior = vae.encode(pictures).latent_dist
        decoded = vae.decode(posterior.sample(generator)).sample
    error = decoded.float() - pictures
    absolute = error.abs().mean()
    edge = edges(error) + edges(functional.avg_pool2d(error, 2))
    mean, log_variance = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    return absolute + 0.5 * edge + kl_weight * kl


@torch.no_grad()
def normalise(vae: AutoencoderKL, pictures: Tensor, generator: torch.Generator) -> None:
    """Makes latents standard: each channel's mean 0 by the 1 × 1 convolutions around the latents, the common standard
    deviation 1 by ``scaling_factor``.

    The convolutions take a shift and a relative scale of each channel, so the decoded picture does not change.

    Args:
        vae: Changed in place.
        pictures: What to measure on, shape (count, 3, 64, 64) in [-1, 1].
        generator: The only source of chance.
    """
    latents = torch.cat([vae.encode(part).latent_dist.sample(generator) for part in pictures.split(64)])
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    common = std.log().mean().exp()
    scale = common / std
    before, after = vae.quant_conv, vae.post_quant_conv
    assert before is not None
    assert after is not None
    # after(latent) stays what it was: latent = new / scale + mean.
    after.bias += (after.weight[:, :, 0, 0] * mean).sum(dim=1)
    after.weight /= scale.view(1, -1, 1, 1)
    before.bias[:4] = (before.bias[:4] - mean) * scale
    before.weight[:4] *= scale.view(-1, 1, 1, 1)
    before.bias[4:] += 2 * scale.log()
    vae.register_to_config(scaling_factor=round(1 / common.item(), 6))


def main() -> None:
    """Trains the autoencoder and, at the end, writes its folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the autoencoder's folder, in diffusers' format")
    parser.add_argument("--kl", type=float, default=3e-4, help="weight of the Kullback-Leibler term")
    add_options(parser, steps=1_800, batch=32, rate=2e-3, decay=0.998, seed=TRAIN_SEED + 4)
    arguments = parser.parse_args()
    set_up(arguments)
    sprites = load_sprites(arguments.sprites)
    vae = build_vae()

    def draw_loss(generator: torch.Generator) -> Tensor:
        pictures = draw(sprites, arguments.batch, SIZE, generator)[0] * 2 - 1
        return loss(vae, pictures, arguments.kl, generator)

    recipe = {"kl": arguments.kl, "sprites": digest(arguments.sprites)}
    training = Training(arguments, vae, recipe, weight_decay=0.0, betas=(0.9, 0.99))
    training.run(draw_loss)
    generator = step_generator(arguments.seed, arguments.steps)
    normalise(vae, draw(sprites, 2048, SIZE, generator)[0] * 2 - 1, generator)
    save_part(vae, arguments.out)
    originals, _ = draw(sprites, 64, SIZE, torch.Generator().manual_seed(1))
    with torch.no_grad():
        decoded = vae.decode(vae.encode(originals * 2 - 1).latent_dist.sample(generator)).sample / 2 + 0.5
    pairs = torch.stack([originals, decoded.clamp(0, 1)], dim=1).flatten(0, 1)
    save_sheet(pairs, columns=16, path=arguments.run / "vae.png")
    training.log(error=(decoded - originals).abs().mean().item(), scaling_factor=float(vae.config["scaling_factor"]))


if __name__ == "__main__":
    main()
