"""Small pictures for pages: read with care, as a run folder may be anybody's, and encoded in one way."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pytest_seedshift.core import files

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

MEDIA_TYPE = "image/webp"

_QUALITY = 80


def read(path: Path, side: int) -> Image:
    """A picture, its longer side at most `side` pixels.

    Raises:
        FileError: the file is no picture, or too large a one.
    """
    opened = files.open_picture(files.read_bytes(path), path)
    return _within(opened if opened.mode == "RGB" else opened.convert("RGB"), side)


def encode(picture: Image, side: int) -> bytes:
    """A picture as WebP, its longer side at most `side` pixels."""
    buffer = io.BytesIO()
    _within(picture.copy(), side).save(buffer, format="WEBP", quality=_QUALITY, method=2)
    return buffer.getvalue()


def _within(picture: Image, side: int) -> Image:
    picture.thumbnail((side, side))
    return picture
