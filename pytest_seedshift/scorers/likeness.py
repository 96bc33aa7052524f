"""How like two pictures of one pair are: PSNR and SSIM, by torchmetrics. Scores of a pair of pictures, not of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.score_kinds import ScoreKind

if TYPE_CHECKING:
    from torch import Tensor

SSIM = ScoreKind("SSIM", 1.0, binary=False)
"""Structural similarity (Wang et al. 2004); what lies below 0, as of a picture and its negative, counts as 0."""

PSNR = ScoreKind("PSNR", 60.0, binary=False)
"""Peak signal-to-noise ratio in dB, of which intervals count no more than 60: a difference of one level of 255 in every
value is 48.1, and equal pictures have an infinite one."""

_KERNEL = 11
"""Pixels a side of the window in which SSIM compares."""


def ssim(images: Tensor, others: Tensor) -> Tensor:
    """The structural similarity of each image and its other, over windows of 11 × 11 pixels.

    Their weights are Gaussian, σ = 1.5, and pictures are mirrored at their edges.

    Args:
        images: float, (batch, 3, height, width), in [0, 1].
        others: likewise, of the same shape.

    Returns:
        Float, (batch,), in [−1, 1]; exactly 1 of equal images.

    Raises:
        InvalidValueError: shapes that differ, or images of fewer than 11 pixels a side.
    """
    _check(images, others)
    if min(images.shape[-2:]) < _KERNEL:
        raise InvalidValueError(f"SSIM needs images of at least {_KERNEL} pixels a side, not {_size(images)}")
    equal = _equal(images, others)
    if images.device.type != "cpu":  # which would be waited for, to know which are equal
        return torch.where(equal, torch.ones_like(equal, dtype=images.dtype), _ssim(images, others))
    found = torch.ones(len(images), dtype=images.dtype)
    unlike = ~equal
    if bool(unlike.any()):
        sides = (side[unlike].contiguous(memory_format=torch.channels_last) for side in (images, others))
        found[unlike] = _ssim(*sides)  # in that format a CPU takes half of the time
    return found


def psnr(images: Tensor, others: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of each image and its other, −10·log₁₀ of their mean squared difference.

    Args:
        images: float, (batch, 3, height, width), in [0, 1].
        others: likewise, of the same shape.

    Returns:
        Float, (batch,), in dB; infinite of equal images.

    Raises:
        InvalidValueError: shapes that differ.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    _check(images, others)
    return peak_signal_noise_ratio(images, others, data_range=1.0, reduction="none", dim=(1, 2, 3))


def cosines(embedded: Tensor, others: Tensor) -> Tensor:
    """The cosine of each image's embedding with its other's; see `base.Embedder`.

    Args:
        embedded: float, (batch, width), each of length 1.
        others: likewise.

    Returns:
        Float, (batch,), in [−1, 1]; exactly 1 of equal embeddings.
    """
    found = (embedded * others).sum(1).clamp(-1, 1)
    return torch.where((embedded == others).all(1), torch.ones_like(found), found)


def _ssim(images: Tensor, others: Tensor) -> Tensor:
    from torchmetrics.functional.image import structural_similarity_index_measure

    found = structural_similarity_index_measure(images, others, data_range=1.0, reduction="none")
    assert isinstance(found, torch.Tensor)
    return found.clamp(-1, 1)


def _equal(images: Tensor, others: Tensor) -> Tensor:
    return (images == others).flatten(1).all(1)


def _check(images: Tensor, others: Tensor) -> None:
    if images.shape != others.shape:
        raise InvalidValueError(f"pictures of {_size(images)} and of {_size(others)} pixels cannot be compared")


def _size(images: Tensor) -> str:
    return f"{images.shape[-1]}×{images.shape[-2]}"
