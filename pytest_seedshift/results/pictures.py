"""Pictures as they lie in a run folder: PNG, of which nothing is lost."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_seedshift.core.tensors import Tensor


def packed(image: Tensor) -> bytes:
    """An image, (3, height, width), uint8 or float in [0, 1], as a PNG file."""
    from PIL import Image

    levels = image.mul(255).round().byte() if image.is_floating_point() else image
    buffer = io.BytesIO()
    Image.fromarray(levels.cpu().permute(1, 2, 0).contiguous().numpy()).save(buffer, format="PNG")
    return buffer.getvalue()


def size_of(content: bytes, path: Path) -> tuple[int, int]:
    """Width and height of a PNG file, of which only the head is read; `path` is for the error.

    Raises:
        FileError: it is none.
    """
    with files.open_picture(content, path) as opened:
        return opened.size


def unpacked(content: bytes, path: Path) -> NDArray[np.float32]:
    """A PNG file as an image, float32 (3, height, width) in [0, 1]; `path` is for the error.

    Raises:
        FileError: it is none.
    """
    import numpy as np

    with files.open_picture(content, path) as opened:
        levels = np.asarray(opened, dtype=np.float32)
    return np.ascontiguousarray(levels.transpose(2, 0, 1)) / np.float32(255)
