"""Writes toy-latent-zsnr's UNet, in half precision. All its other parts are toy-latent's."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from .training import load_weights, save_part


def main() -> None:
    """Writes the UNet's folder, in one step for whoever reads it meanwhile."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="toy-latent's folder")
    parser.add_argument("--weights", type=Path, required=True, help="the student's averaged weights")
    parser.add_argument("--out", type=Path, required=True, help="the UNet's folder")
    arguments = parser.parse_args()
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(arguments.teacher / "unet"))
    load_weights(unet, arguments.weights)
    save_part(unet.to(torch.float16), arguments.out)


if __name__ == "__main__":
    main()
