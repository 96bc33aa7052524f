"""Encodes augmented pictures once, so that the UNet's training needs neither renderer nor autoencoder.

One file holds ``mean``, the means of the latents' posterior, float16 (count, 4, 16, 16), already multiplied by the
autoencoder's scaling factor, and ``labels``, (count,).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor

from .pictures import TRAIN_SEED, draw, load_sprites
from .train_vae import SIZE
from .training import save_weights


def load_latents(folder: Path) -> dict[str, Tensor]:
    """All files of a folder, joined."""
    parts = [load_file(path) for path in sorted(folder.glob("*.safetensors"))]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def main() -> None:
    """Encodes pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="the autoencoder's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of latents")
    parser.add_argument("--count", type=int, default=24_000)
    parser.add_argument("--part", type=int, default=0, help="number of the file; each has a random stream of its own")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.backends.mkldnn.conv.fp32_precision = "bf16"  # type: ignore[attr-defined]
    sprites = load_sprites(arguments.sprites)
    vae = AutoencoderKL.from_pretrained(arguments.vae).eval().to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(TRAIN_SEED + 100 + arguments.part)
    scale = vae.config["scaling_factor"]
    means, labels = [], []
    for _ in range(0, arguments.count, 64):
        pictures, label = draw(sprites, 64, SIZE, generator)
        posterior = vae.encode((pictures * 2 - 1).contiguous(memory_format=torch.channels_last)).latent_dist
        means.append((posterior.mean * scale).contiguous().half())
        labels.append(label)
    latents = {"mean": torch.cat(means), "labels": torch.cat(labels)}
    save_weights(latents, arguments.out / f"{arguments.part:02d}.safetensors")
    print({name: (tuple(value.shape), value.float().mean().item(), value.float().std().item())
           for name, value in latents.items()})  # fmt: skip


if __name__ == "__main__":
    main()
