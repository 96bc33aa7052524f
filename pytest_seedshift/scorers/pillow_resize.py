"""From images to what a scorer's network sees, on the device, and equal to what it would see of a saved picture.

Scorers were trained on, and are quoted for, pictures that Pillow resized in eight bits. Resizing tensors of floats
gives other values, torchvision's resizing of eight-bit tensors differs from Pillow's by one step in a few pixels of a
thousand, and on a GPU, where it rounds once instead of after each pass, in every tenth. What is here does Pillow's
arithmetic in integers, which is the same everywhere: a score depends neither on the device nor on how it was reached.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from torch import Tensor

Filter: TypeAlias = Literal["bilinear", "bicubic"]

_BITS = 22
"""Of the fraction of a weight: eight bits of a pixel and two for overshooting fill 32 with it."""

_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}


def as_bytes(images: Tensor) -> Tensor:
    """Images in [0, 1] in steps of 1/255 as the eight-bit numbers that they stand for; others are rounded."""
    return images.float().clamp(0, 1).mul(255).round().byte()


def resize(images: Tensor, height: int, width: int, kind: Filter) -> Tensor:
    """Resize eight-bit images to the very numbers that `PIL.Image.resize` gives.

    A separable filter, widened by the factor of a reduction (antialiasing), first along rows, then along columns, with
    weights of 22 bits; each pass rounds to eight bits and clips. Pillow has done so since 2016; from version 13 on it
    begins with the columns where the height shrinks much more than the width, which it does for no square.

    Args:
        images: uint8, (..., channels, height, width), on any device.
        height: of the result.
        width: of the result.
        kind: the filter: a triangle, or Keys' cubic with a = −1/2.

    Returns:
        uint8, (..., channels, height, width).
    """
    if images.shape[-1] != width:
        images = _along_last(images, width, kind)
    if images.shape[-2] != height:
        images = _along_last(images.mT, height, kind).mT
    return images


def shortest_side(images: Tensor, side: int) -> tuple[int, int]:
    """Height and width of images, (..., height, width), once their shorter side is `side` and their form kept."""
    height, width = images.shape[-2:]
    short = min(height, width)
    return side * height // short, side * width // short


def _along_last(images: Tensor, size: int, kind: Filter) -> Tensor:
    total = torch.full((*images.shape[:-1], size), 1 << (_BITS - 1), dtype=torch.int32, device=images.device)
    for place, weight in _taps_on(str(images.device), images.shape[-1], size, kind):
        total += images[..., place].int() * weight
    return (total >> _BITS).clamp(0, 255).byte()


@lru_cache(maxsize=64)
def _taps_on(device: str, source: int, size: int, kind: Filter) -> tuple[tuple[Tensor, Tensor], ...]:
    """The same on a device, where they are sent once: by tap the places and the weights, each (size,)."""
    places, weights = (transfers.send(table, device) for table in _taps(source, size, kind))
    return tuple(zip(places.unbind(), weights.unbind(), strict=True))


@lru_cache(maxsize=64)
def _taps(source: int, size: int, kind: Filter) -> tuple[Tensor, Tensor]:
    """Which pixels of a line a resized line is made of, and with what weights, times 2²²: each (taps, size)."""
    scale = source / size
    widening = max(scale, 1.0)
    support = _SUPPORT[kind] * widening
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    first = (centres - support + 0.5).int().clamp(min=0)
    last = (centres + support + 0.5).int().clamp(max=source)
    places = first + torch.arange(int((last - first).max())).unsqueeze(1)
    weights = _filter((places - centres + 0.5) * (1 / widening), kind) * (places < last)
    weights *= 1 / weights.sum(0)
    fixed = weights * (1 << _BITS)
    return places.clamp(max=source - 1), (fixed + 0.5 * fixed.sign()).trunc().int()


def _filter(x: Tensor, kind: Filter) -> Tensor:
    x = x.abs()
    if kind == "bilinear":
        return (1 - x).clamp(min=0)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))
