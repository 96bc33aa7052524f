"""Encodes augmented pictures once, so that the UNet's training needs neither renderer nor autoencoder.

Each file holds ``mean``, the means of the latents' posterior, float16 (count, 4, 16, 16), already multiplied by the
autoencoder's scaling factor, and what the pictures show: ``labels``, ``colours``, ``places``, ``sizes``, (count,) each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from .captions import Attributes
from .pictures import TRAIN_SEED, draw, load_sprites
from .train_vae import SIZE
from .training import digest, save_weights, set_up

BATCH = 64


class Latents(NamedTuple):
    """Encoded pictures, (count, 4, 16, 16) in half precision, what they show, and what tells them from others."""

    mean: Tensor
    attributes: Attributes
    digest: str


def load_latents(folder: Path) -> Latents:
    """All files of a folder, joined in the order of their names."""
    paths = sorted(folder.glob("*.safetensors"))
    parts = [load_file(path) for path in paths]
    if not parts:
        raise SystemExit(f"{folder} holds no latents. Write them by: python -m tools.toys.encode_latents")
    joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return Latents(joined.pop("mean"), Attributes(**joined), digest(*paths))


def is_done(path: Path, metadata: dict[str, str]) -> bool:
    """Whether a file was written for the same autoencoder and of the same number of pictures."""
    if not path.exists():
        return False
    with safe_open(path, "pt") as file:
        return bool(file.metadata() == metadata)


@torch.no_grad()
def main() -> None:
    """Encodes pictures, file by file; a file that is there already for this autoencoder is left alone."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sprites", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="the autoencoder's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of latents")
    parser.add_argument("--parts", type=int, default=24, help="number of files")
    parser.add_argument("--count", type=int, default=2_048, help="pictures in each")
    parser.add_argument("--seed", type=int, default=TRAIN_SEED + 100, help="of the first file; the next has the next")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    set_up(arguments)
    sprites = load_sprites(arguments.sprites)
    vae = AutoencoderKL.from_pretrained(arguments.vae, torch_dtype=torch.float32).eval()
    vae.to(memory_format=torch.channels_last)
    weights = digest(*sorted(arguments.vae.glob("*.safetensors")))
    scale = vae.config["scaling_factor"]
    for part in range(arguments.parts):
        seed, path = arguments.seed + part, arguments.out / f"{part:02d}.safetensors"
        metadata = {"vae": weights, "count": str(arguments.count), "seed": str(seed)}
        if is_done(path, metadata):
            continue
        generator = torch.Generator().manual_seed(seed)
        means, shown = [], []
        for _ in range(0, arguments.count, BATCH):
            pictures, attributes = draw(sprites, BATCH, SIZE, generator)
            posterior = vae.encode((pictures * 2 - 1).contiguous(memory_format=torch.channels_last)).latent_dist
            means.append((posterior.mean * scale).contiguous().half())
            shown.append(attributes)
        mean = torch.cat(means)
        attributes = Attributes(*(torch.cat(column) for column in zip(*shown, strict=True)))
        save_weights({"mean": mean, **attributes._asdict()}, path, metadata)
        print(f"{path}: mean {mean.float().mean().item():.4f}, std {mean.float().std().item():.4f}", flush=True)


if __name__ == "__main__":
    main()
