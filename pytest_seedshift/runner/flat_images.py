"""Images of which nothing is to be seen, or that are one and the same: what `broken` looks for in what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

FLAT, SAME = "one colour", "same picture"
"""What is kept of an image in the store; see `Store.mark`."""

_SLACK = 1.5 / 255
"""How far values of one colour, or of the same picture, may lie apart: a step of 1/255, as rounding makes it."""


_GRID = 16
"""About how many pixels of a sketch there are along each side."""


def of_one_colour(images: Tensor) -> list[bool]:
    """Of each image, (N, 3, height, width) in [0, 1], whether it is of one colour."""
    low, high = images.flatten(2).aminmax(dim=2)
    return [bool(each) for each in ((high - low) < _SLACK).all(1)]


def sketches(images: Tensor) -> list[bytes]:
    """Of each image, (N, 3, height, width) in [0, 1], some of its pixels: those of equal pictures are alike."""
    height, width = images.shape[-2:]
    some = images[..., :: max(1, height // _GRID), :: max(1, width // _GRID)]
    levels = some.mul(255).round().byte().flatten(1).cpu().numpy()
    return [row.tobytes() for row in levels]


def alike(sketch: bytes, other: bytes) -> bool:
    """Whether two sketches are those of the same picture, as far as rounding allows."""
    if len(sketch) != len(other):
        return False
    one, two = (np.frombuffer(each, dtype=np.uint8).astype(np.int16) for each in (sketch, other))
    return bool((np.abs(one - two) <= 1).all())
