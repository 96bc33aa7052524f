"""Images of which nothing is to be seen, or that are one and the same: what `broken` looks for in what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FLAT, SAME = "one colour", "same picture"
"""What is kept of an image in the store; see `Store.mark`."""

_SLACK = 1.5 / 255
"""How far values of one colour, or of the same picture, may lie apart: a step of 1/255, as rounding makes it."""


def of_one_colour(images: Tensor) -> list[bool]:
    """Of each image, (N, 3, height, width) in [0, 1], whether it is of one colour."""
    low, high = images.flatten(2).aminmax(dim=2)
    return [bool(each) for each in ((high - low) < _SLACK).all(1)]


def alike(images: Tensor, first: Tensor) -> bool:
    """Whether all images, (N, 3, height, width), are the picture `first`, (3, height, width)."""
    return images.shape[1:] == first.shape and bool(((images - first).abs() < _SLACK).all())
