"""Writes a model whose weights are noised: how like its pictures are, and what it loses, is a yardstick for changes.

    python -m tools.toys.noised --share 0.02 --out WORK/noised
    seedshift versus toy-latent noised --thresholds WORK/noised/thresholds.toml

Each weight of a part gets Gaussian noise of so large a share of the standard deviation of its own tensor. The folder
has the part, and a thresholds.toml whose entry puts it in the place of the model's own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tomllib
from importlib import resources
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from pytest_seedshift.core.thresholds_parser import FILE_NAME, default_text
from pytest_seedshift.models import catalogue

SEED = 20


def noised(weights: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Weights with Gaussian noise; whole numbers and single ones stay as they are.

    Args:
        weights: Of any shape and type.
        share: The standard deviation of the noise, as a part of theirs.
        generator: Of the noise.
    """
    if not weights.is_floating_point() or weights.numel() < 2:
        return weights
    spread = share * weights.double().std()
    noise = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
    return (weights.double() + spread * noise).to(weights.dtype)


def write(part: Path, out: Path, share: float, seed: int = SEED) -> None:
    """Writes a part with noised weights.

    Args:
        part: Its folder.
        out: The new one's.
        share: See `noised`.
        seed: Of the noise.
    """
    out.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    for path in sorted(part.iterdir()):
        if path.suffix != ".safetensors":
            shutil.copy(path, out / path.name)
            continue
        with safe_open(path, "pt") as file:
            tensors = {name: noised(file.get_tensor(name), share, generator) for name in sorted(file.keys())}
            save_file(tensors, out / path.name, metadata=file.metadata())


def entry_text(name: str, model: str, part: str) -> str:
    """The entry of the noised model: that of the other one, with the part of this folder.

    Args:
        name: Of the noised model.
        model: A name of the shipped catalogue, whose entry has no more than texts and numbers.
        part: Its folder's name.
    """
    shipped = resources.files("pytest_seedshift").joinpath("models", "catalogue.toml").read_text(encoding="utf-8")
    values = tomllib.loads(shipped)[model] | {"pipeline": pipeline_of(model).as_posix()}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[models.{json.dumps(name)}]", *lines, f"parts = {{ {part} = {json.dumps(part)} }}", ""])


def pipeline_of(model: str) -> Path:
    """The folder of a model that is on this machine."""
    return Path(catalogue.shipped().find(model).pipeline[0]).resolve()


def main() -> None:
    """Writes the part and the entry."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="toy-latent", help="a name of the catalogue (toy-latent)")
    parser.add_argument("--part", default="unet", help="of its folder (unet)")
    parser.add_argument("--share", type=float, default=0.02, help="of each tensor's standard deviation (0.02)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the noise ({SEED})")
    parser.add_argument("--name", default="noised", help="of the new model (noised)")
    parser.add_argument("--out", type=Path, required=True, help="its folder")
    arguments = parser.parse_args()
    part = pipeline_of(arguments.model) / arguments.part
    write(part, arguments.out / arguments.part, arguments.share, arguments.seed)
    text = f"{default_text()}\n{entry_text(arguments.name, arguments.model, arguments.part)}"
    (arguments.out / FILE_NAME).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
