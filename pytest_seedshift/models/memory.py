"""How much memory the weights of a model take, by the headers of its files, and whether a device has so much."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from safetensors import SafetensorError, safe_open

from pytest_seedshift.core.checkpoints import contents, places

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

GIB = 2**30

SHARE = 0.9
"""Of the free memory of an accelerator, what weights may fill; the rest is for what a batch takes."""

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_FLOATS = ("F64", "F32", "F16", "BF16")
"""What is brought to the number type of the model; all else, such as what is quantised, stays as it is."""

_STORED = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2}
_STAYS = ".wo.weight"
"""The output projections of T5, which transformers keeps in float32 where the rest is float16."""

_NOT_LOADED = ("model_ema.", "optimizer.")
"""How tensors of single files begin that are not a part of the model."""


def of_parts(location: Location, entry: Entry, dtype: str) -> dict[str, int]:
    """By part, how many bytes its weights take in a number type; of a single file all together, by its name.

    What a batch takes comes on top, and what is not in files of safetensors is not counted.

    Args:
        location: of the pipeline, on this machine.
        entry: of the model, whose own parts take the place of the pipeline's.
        dtype: `float32`, `float16` or `bfloat16`.
    """
    found: dict[str, int] = defaultdict(int)
    for part, path in weights(location, entry):
        found[part] += _size(path, dtype)
    return dict(found)


def note(location: Location, entry: Entry, device: str, dtype: str) -> str | None:
    """What to know of a model for which a device has too little memory; None where it has enough, or does not say."""
    parts, room = of_parts(location, entry, dtype), free(device)
    needed = sum(parts.values())
    if room is None or not needed or needed <= room:
        return None
    largest = max(parts, key=lambda part: parts[part])
    said = (
        f"the weights of {entry.name} take {needed / GIB:.1f} GiB in {dtype}, and {device} has room for "
        f"{room / GIB:.1f}"
    )
    if not device.startswith("cuda"):
        return f"{said}: the system may swap, or end the run. A smaller --seedshift-dtype would take less"
    if parts[largest] > room and len(parts) > 1:
        return f"{said}; {largest} alone takes {parts[largest] / GIB:.1f}, so that it cannot be loaded there"
    return f"{said}: its parts have to take turns there, which takes longer"


def foretold(entry: Entry, device: str) -> str | None:
    """The same before its weights are on this machine, by the entry's `memory`, which is of the number type of CUDA."""
    room = free(device)
    if entry.memory is None or room is None:
        return None
    factor = _BYTES.get(entry.dtype_on(device) or "", 2) / _BYTES.get(entry.dtype_on("cuda") or "", 2)
    needed = entry.memory * factor * GIB
    if needed <= room:
        return None
    return (
        f"{entry.name}, which is about to be downloaded, takes about {needed / GIB:.0f} GiB, and {device} has room for "
        f"{room / GIB:.1f}"
    )


def free(device: str) -> int | None:
    """Bytes of a device that weights may fill now; None where it does not say."""
    kind = device.partition(":")[0]
    if kind == "cpu":
        return int(psutil.virtual_memory().available)
    import torch

    try:
        if kind == "cuda":
            return int(SHARE * torch.cuda.mem_get_info(device)[0])
        if kind == "mps":
            return int(SHARE * torch.mps.recommended_max_memory())
    except RuntimeError:
        return None
    return None


def loaded(modules: Iterable[nn.Module]) -> int:
    """Bytes that the weights and buffers of networks take, each once; what is quantised as it lies in memory."""
    found = {id(each): each for module in modules for each in (*module.parameters(), *module.buffers())}
    return sum(map(_held, found.values()))


def _held(tensor: Tensor) -> int:
    """Bytes of a tensor: of one that stands for others, such as a quantised one, of those."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None:
        return tensor.numel() * tensor.element_size()
    names, _ = flatten()
    return sum(_held(getattr(tensor, name)) for name in names)


def weights(location: Location, entry: Entry) -> Iterator[tuple[str, Path]]:
    """The files of weights, each with its part; those of a prior with the prior's folder before it."""
    replaced = dict(entry.parts)
    for path in location.files():
        if path.name.endswith(places.SINGLE_FILE):
            part = path.name if path == location.path else path.parent.name
            if location.path not in (path, *path.parents):
                yield f"{part} of the prior", path
            elif part not in replaced:
                yield part, path
    for part, folder in replaced.items():
        found = contents.of(Path(folder), entry.variant)
        for path in [] if found is None else contents.paths(Path(folder), found):
            if path.name.endswith(places.SINGLE_FILE):
                yield part, path


def _size(path: Path, dtype: str) -> int:
    """Bytes that the tensors of a file take in a number type; 0 of a file that cannot be read, which others say."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return sum(_bytes(name, file.get_slice(name), dtype) for name in file.keys())  # noqa: SIM118 – no mapping
    except (OSError, SafetensorError):
        return 0


def _bytes(name: str, tensor: object, dtype: str) -> int:
    if name.startswith(_NOT_LOADED):
        return 0
    stored: str = tensor.get_dtype()  # type: ignore[attr-defined]
    each = _BYTES[dtype] if stored in _FLOATS else _STORED.get(stored, 1)
    if dtype == "float16" and stored in _FLOATS and name.endswith(_STAYS):
        each = 4
    return math.prod(tensor.get_shape()) * each  # type: ignore[attr-defined]
