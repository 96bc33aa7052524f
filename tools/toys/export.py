"""Puts the trained parts together as a Stable Diffusion pipeline folder.

The autoencoder's and the UNet's weights are stored in half precision, which is enough for them; diffusers loads them in
single precision unless told otherwise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from .train_unet import Denoiser, build_scheduler
from .training import load_weights, save_part
from .vocabulary import build_tokenizer


def build_pipeline(vae: Path, weights: Path) -> StableDiffusionPipeline:
    """The pipeline of an autoencoder's folder and a denoiser's weights, in single precision."""
    model = Denoiser().eval()
    load_weights(model, weights)
    return StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(vae),
        text_encoder=model.text,
        tokenizer=build_tokenizer(),
        unet=model.unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    """Writes the pipeline's folder, in one step for whoever reads it meanwhile."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--vae", type=Path, required=True, help="the autoencoder's folder")
    parser.add_argument("--weights", type=Path, required=True, help="the denoiser's averaged weights")
    parser.add_argument("--out", type=Path, required=True, help="the pipeline's folder")
    arguments = parser.parse_args()
    pipeline = build_pipeline(arguments.vae, arguments.weights)
    pipeline.vae.to(torch.float16)
    pipeline.unet.to(torch.float16)
    save_part(pipeline, arguments.out)


if __name__ == "__main__":
    main()
