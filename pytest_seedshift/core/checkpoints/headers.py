"""What files of weights say by their headers, before any library is asked: whether they are whole, and of what."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.checkpoints.contents import networks
from pytest_seedshift.core.errors import ModelError

_MOST_HEADER = 100_000_000
"""Bytes of the header of a file of weights: what the format itself allows."""

_AGAIN = "get it again"

_ADAPTER = re.compile(
    r"(^|[._])lora(_[AB]|_down|_up|\.down|\.up)\b|^(lora|lycoris)_(unet|te\d?|transformer|prior)_|"
    r"[._]lora\d\.(down|up)\.weight$|(^|\.)(vera_(A|B|lambda_[bd])|ia3_\w+)\b|"
    r"\.(hada_w[12]_[ab]|lokr_w[12](_[ab])?|oft_(diag|blocks)|dora_scale|lora_magnitude_vector)\b"
)
"""What only the names of an adapter's weights have in them: LoRA, LoHa, LoKr, OFT, DoRA, VeRA and IA3, of peft and of
others."""

_QUANTISED = re.compile(
    r"(^|\.)scaled_fp8$|\.(scale_weight|weight_scale(_2)?|comfy_quant|qweight|wscales)$|\.quant_state\.bitsandbytes"
)
"""Names of what weights in a single file have to be multiplied by, which diffusers leaves away."""

_OTHERS = {
    "an IP-Adapter": r"(image_proj(_model)?|ip_adapter)\.",
    "the embeddings of a textual inversion": r"(emb_params|clip_[lg]|string_to_param.*|<[^<>.]+>)$",
    "a ControlNet": r"control_model\.|(controlnet|zero_convs|input_hint_block)[._]",
    "a T2I-Adapter": r"(adapter\.)?body\.\d+\.(in_conv|resnets|block1)\b",
    "an upscaler": r"conv_first\.|body\.\d+\.rdb1\.",
}
"""By how names of weights begin, what a file holds that is no pipeline, wherever its configuration lies."""

_PARTS = {
    "a VAE": r"first_stage_model\.|vae\.|(encoder|decoder)\.(conv_in|conv_out|down_blocks|up_blocks|down|up|mid)\b",
    "a denoising network": (
        r"model\.diffusion_model\.|(down_blocks|up_blocks|mid_block|input_blocks|output_blocks)\.|"
        r"(double_blocks|single_blocks|joint_blocks|transformer_blocks)\."
    ),
    "a text encoder": (
        r"cond_stage_model\.|conditioner\.|text_encoders\.|text_model\.|"
        r"encoder\.block\.|(model\.)?layers\.\d+\.self_attn\."
    ),
}
"""The same of the parts of a pipeline, of which a single file has all that its configuration does not come with."""


def check_files(name: str, paths: Iterable[Path]) -> None:
    """Make sure of the files that a model or a scorer is loaded from.

    Raises:
        ModelError: one is not what it should be; the message names it, and the model or scorer `name`.
    """
    for path in sorted(paths, key=lambda path: path.name.endswith(".json")):  # an index after what it speaks of
        if (reason := why_not(path) or _lost(path)) is not None:
            raise ModelError(f"{name} cannot be loaded: {path} {reason}")


def why_not(path: Path) -> str | None:
    """Why a file cannot be loaded, and what to do; None where nothing speaks against it.

    A file of weights is whole, and holds a model's weights and not an adapter's. No file is a pointer that git-lfs has
    left in place of it.
    """
    try:
        about = path.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return _why_not(path, about.st_size, about.st_mtime_ns, about.st_ino)


def no_pipeline(path: Path, *, whole: bool) -> str | None:
    """What a single file holds in place of a pipeline, and what to do; None where it may be one.

    Args:
        path: of a file of safetensors.
        whole: whether the weights of all parts have to be in it: no folder beside it has any.
    """
    header = _header(path)
    if not isinstance(header, dict):
        return None
    names = [name for name in header if name != "__metadata__"]
    if any(map(_QUANTISED.search, names)):
        return (
            "has quantised weights, with scales beside them that diffusers does not read from a single file: it would "
            "draw noise. Give the model with weights that are not quantised, or as a folder that save_pretrained wrote"
        )
    if any(map(_ADAPTER.search, names)):
        return f"holds the weights of a LoRA or another adapter, and no model. {networks.ADAPTER_ADVICE}"
    for what, begins in _OTHERS.items():
        if any(re.match(begins, name) for name in names):
            return f"holds {what}, and no pipeline: {_WHOLE}"
    parts = [what for what, begins in _PARTS.items() if any(re.match(begins, name) for name in names)]
    if whole and len(parts) == 1:
        return (
            f"holds {parts[0]} alone, and no pipeline: {_WHOLE}, or lay the {trust.INDEX} and the folders of the "
            "pipeline that it is a part of beside it"
        )
    return None


_WHOLE = "give the file, or the folder, of a whole pipeline"


def is_adapter(path: Path) -> bool:
    """Whether a file of safetensors holds the weights of an adapter."""
    return any(map(_ADAPTER.search, tensors(path)))


def tensors(path: Path) -> tuple[str, ...]:
    """The names of the tensors in a file of safetensors; none where it is no such file, or is cut short."""
    header = _header(path)
    return tuple(header) if isinstance(header, dict) else ()


def about(path: Path) -> dict[str, tuple[str, tuple[int, ...]]] | str:
    """By tensor of a file of safetensors, its number type and its shape; or why it is none, or not whole."""
    header = _header(path)
    if isinstance(header, str):
        return header
    return {
        name: (str(each["dtype"]), tuple(map(int, each["shape"])))
        for name, each in header.items()
        if name != "__metadata__"
    }


@lru_cache(maxsize=1024)
def _why_not(path: Path, size: int, *_: int) -> str | None:
    is_weights = path.name.endswith(networks.SUFFIX)
    if size < _LARGEST_POINTER and _is_pointer(path):
        return (
            f"is {'not a safetensors file, but ' if is_weights else ''}a pointer of git-lfs in place of the file: run "
            f"'git lfs install' and 'git lfs pull' in its repository, or {_AGAIN}"
        )
    if not is_weights:
        return None
    if not size:
        return f"is not a safetensors file, but empty: {_AGAIN}"
    header = _header(path)
    if isinstance(header, str):
        return f"{header}: {_AGAIN}"
    if any(map(_ADAPTER.search, header)):
        return f"holds the weights of a LoRA or another adapter, and no model. {networks.ADAPTER_ADVICE}"
    return None


_LEFT_AWAY = ("position_ids", "embed_tokens.weight", "lm_head.weight", "shared.weight")
"""How names end that an index may have kept of weights in another form: none is read, or is a copy of another."""


def _lost(index: Path) -> str | None:
    """What an index of shards says of tensors that none of them has; None where it says nothing of the kind."""
    if not index.name.endswith(".json") or f"{networks.SUFFIX}." not in index.name:
        return None
    content: Any = files.read_json(index, finite=False)
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict):
        return None
    held: set[str] = set()
    for name in {str(each) for each in shards.values()}:
        header = _header(index.with_name(name))
        held |= set(header) if isinstance(header, dict) else set()
    lost = sorted(name for name in set(shards) - held if not str(name).endswith(_LEFT_AWAY))
    if not lost:
        return None
    return f"names {lost[0]} in {shards[lost[0]]}, but no shard has it: {_AGAIN}, with all its shards"


_LARGEST_POINTER = 1024


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(files.LFS_POINTER)) == files.LFS_POINTER.encode()
    except OSError:
        return False


def _header(path: Path) -> dict[str, Any] | str:
    """The header of a file of safetensors, by name of each tensor; or why it is none, or not whole."""
    try:
        with files.foreign(path):
            size = path.stat().st_size
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if not 2 <= length <= min(size - 8, _MOST_HEADER):
                    other = _instead(path)
                    return f"is not a safetensors file, {'or is cut short' if other is None else f'but {other}'}"
                header: dict[str, Any] = files.parse_json(file.read(length).decode(), path)
            ends = [int(each["data_offsets"][1]) for name, each in header.items() if name != "__metadata__"]
    except files.FileError:
        other = _instead(path)
        return f"is not a safetensors file{'' if other is None else f', but {other}'}"
    missing = max(ends, default=0) - (size - 8 - length)
    return f"is cut short: {missing} bytes are missing" if missing > 0 else header


def _instead(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return files.instead(file.read(512))
    except OSError:
        return None
