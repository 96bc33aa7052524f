"""Between this process's memory and a device's, so that neither waits for the other where it need not.

A GPU works behind the program that asks. A plain copy to it or from it, and every number that Python asks for, waits
until all that was asked before is done; then the GPU has nothing to do until it is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def send(values: Tensor, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the CPU on a device, which need not have done what was asked of it before.

    Torch has copied what it sends when this returns: the values may be changed. On other devices than CUDA's that is
    not sure, so there it waits.
    """
    wanted = torch.device(device)
    return values.to(device=wanted, dtype=dtype, non_blocking=wanted.type == "cuda" and values.device.type == "cpu")


def place(module: Module, device: torch.device | str) -> Module:
    """Bring a module to a device, which is not waited for at each of its weights; see `send`."""
    return module.to(device, non_blocking=torch.device(device).type == "cuda")


def fetch(values: Tensor) -> Tensor:
    """A tensor on the CPU, whose values are there once something else of its device was waited for, in this thread."""
    return values.to("cpu", non_blocking=values.device.type == "cuda")


def as_lists(values: Sequence[Tensor]) -> list[list[float]]:
    """Tensors of one shape, (count,), as numbers of Python: each device is waited for once."""
    found = {index: each.tolist() for index, each in enumerate(values) if each.device.type == "cpu"}
    for device in {each.device for each in values if each.device.type != "cpu"}:
        there = [index for index, each in enumerate(values) if each.device == device]
        found |= zip(there, torch.stack([values[index].float() for index in there]).tolist(), strict=True)
    return [found[index] for index in range(len(values))]
