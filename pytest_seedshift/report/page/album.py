"""The page's pictures: each is in it once, however often it is shown."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from markupsafe import Markup

_SIDES = (160, 128, 96, 64, 48)
_ENOUGH = 600
"""The longer side of a picture, in pixels: the first where there are at most so many, else one of the next."""

_MOST = 11_000_000
"""How many characters all of them may take; where they are more, all become smaller. A page stays below 15 MB so."""

_QUALITY = 80
_THREADS = 4


class Album:
    """Collects pictures by their paths."""

    def __init__(self) -> None:
        self._names: dict[Path, str] = {}

    def add(self, path: Path) -> str:
        """A picture's name on the page, by which `<use href="#name">` shows it."""
        return self._names.setdefault(path, f"p{len(self._names)}")

    def definitions(self) -> Markup:
        """All pictures, as elements of SVG with their names; to be put on the page once.

        A file that is no picture has a grey field in its place.
        """
        for side in _SIDES[len(self._names) > _ENOUGH :]:
            with ThreadPoolExecutor(_THREADS) as pool:  # Pillow decodes and encodes outside of Python's lock
                encoded = list(pool.map(partial(_encode, side=side), self._names))
            if sum(len(data or "") for data in encoded) <= _MOST:
                break
        return Markup("\n").join(map(_definition, self._names.values(), encoded))


def _definition(name: str, data: str | None) -> Markup:
    if data is None:
        return Markup('<rect id="{}" width="1" height="1" class="no-picture"/>').format(name)
    return Markup('<image id="{}" width="1" height="1" href="data:image/webp;base64,{}"/>').format(name, data)


def _encode(path: Path, side: int) -> str | None:
    """A picture, its longer side at most `side` pixels, as WebP in base64; None for a file that is no picture."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            small = opened.convert("RGB")
            small.thumbnail((side, side))
        buffer = io.BytesIO()
        small.save(buffer, format="WEBP", quality=_QUALITY, method=2)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return base64.b64encode(buffer.getvalue()).decode()
