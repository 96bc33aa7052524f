"""Images of which nothing is to be seen, or that are one and the same: what `broken` looks for in what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

FLAT, SAME = "one colour", "same picture"
"""What is kept of an image in the store; see `Store.mark`."""

_SLACK = 1
"""How far levels of one colour, or of the same picture, may lie apart: as rounding makes it."""


_GRID = 16
"""About how many pixels of a sketch there are along each side."""


def of_one_colour(levels: Tensor) -> list[bool]:
    """Of each image, uint8 (N, 3, height, width) on the CPU, whether it is of one colour."""
    low, high = levels.flatten(2).aminmax(dim=2)
    return [bool(each) for each in ((high - low) <= _SLACK).all(1)]


def sketches(levels: Tensor) -> list[bytes]:
    """Of each image, uint8 (N, 3, height, width) on the CPU, some of its pixels: those of equal pictures are alike."""
    height, width = levels.shape[-2:]
    some = levels[..., :: max(1, height // _GRID), :: max(1, width // _GRID)]
    return [row.tobytes() for row in some.flatten(1).numpy()]


def alike(sketch: bytes, other: bytes) -> bool:
    """Whether two sketches are those of the same picture, as far as rounding allows."""
    if len(sketch) != len(other):
        return False
    one, two = (np.frombuffer(each, dtype=np.uint8).astype(np.int16) for each in (sketch, other))
    return bool((np.abs(one - two) <= _SLACK).all())
