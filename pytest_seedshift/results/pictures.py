"""Pictures as they lie in a run folder: PNG, of which nothing is lost."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.core.tensors import Tensor


def packed(image: Tensor) -> bytes:
    """An image, (3, height, width), uint8 or float in [0, 1], as a PNG file."""
    from PIL import Image

    levels = image.mul(255).round().byte() if image.is_floating_point() else image
    buffer = io.BytesIO()
    Image.fromarray(levels.cpu().permute(1, 2, 0).contiguous().numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
