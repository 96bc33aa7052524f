"""Tensors that code of others gives, taken: as images, states, seed vectors or scores, or refused in one sentence.

This is the one place where they come in: from a model, from its shifts, from scorers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeGuard

from pytest_seedshift.core.errors import ModelError

Tensor: TypeAlias = Any
"""A tensor of torch, in layers that handle those which they are given and do not import torch."""

Generator: TypeAlias = Any
"""A generator of torch's random numbers, likewise."""


class TensorError(ModelError):
    """Something given is no such tensor; the message says who gave what, and what it has to be."""


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether something is a tensor of torch. Where torch is not loaded there is none, so it is not loaded for this."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def taken(value: object, who: str, wanted: str, shape: Sequence[int | None], *, whole: bool = False) -> Tensor:
    """A tensor that code of others gives.

    Args:
        value: what was given.
        who: who gave it for what, such as `the model gave … for 16 pairs`, with a place for what: `{}`.
        wanted: what it has to be, in words.
        shape: of each axis its length; None where any length from 1 on will do.
        whole: whether whole numbers and truth values will do, too.

    Returns:
        The tensor itself.

    Raises:
        TensorError: it is no tensor of floating point numbers that lie in memory, row by row, or of another shape, or
            has a gradient.
    """
    if not is_tensor(value):
        raise TensorError(f"{who.format(type(value).__name__)}: {wanted}")
    what = who.format(f"{value.dtype} {tuple(value.shape)}")
    lengths = tuple(value.shape)
    fits = len(lengths) == len(shape) and all(
        length == asked or (asked is None and length > 0) for length, asked in zip(lengths, shape, strict=True)
    )
    if not fits or value.is_complex() or not (whole or value.is_floating_point()):
        raise TensorError(f"{what}: {wanted}")
    if value.is_meta:
        raise TensorError(f"{what} on torch's meta device, where there are no numbers: compute them on a real device")
    if str(value.layout) != "torch.strided" or value.is_quantized:
        raise TensorError(f"{what} as {value.layout}: give a dense tensor")
    if value.requires_grad:
        raise TensorError(
            f"{what} with a gradient, which holds on to the memory of all that it was made of: compute under "
            "torch.no_grad(), or detach it"
        )
    return value
