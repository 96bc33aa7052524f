"""The page's pictures: each is in it once, however often it is shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from pytest_seedshift.core import files
from pytest_seedshift.reporting import palette, thumbnails
from pytest_seedshift.reporting.html import data_uri

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDES = (160, 128, 96, 64, 48)
_ENOUGH = {600: 0, 4000: 1}
"""The longer side of a picture, in pixels, by its place in `_SIDES`: where there are at most so many, that one or one
of the next; where there are more, one of the last two."""

_MOST = 11_000_000
"""How many characters all of them may take; where they are more, all become smaller. A page stays below 15 MB so."""

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
        first = next((place for most, place in _ENOUGH.items() if len(self._names) <= most), len(_SIDES) - 2)
        with ThreadPoolExecutor(_THREADS) as pool:  # Pillow decodes and encodes outside of Python's lock
            small = list(pool.map(partial(_small, side=_SIDES[first]), self._names))
            for side in _SIDES[first:]:
                encoded = list(pool.map(partial(_encode, side=side), small))
                if sum(len(data or "") for data in encoded) <= _MOST:
                    break
        return Markup("\n").join(map(_definition, self._names.values(), encoded))


def _definition(name: str, data: str | None) -> Markup:
    if data is None:
        grey = palette.PLAIN["line"]
        return Markup('<rect id="{}" width="1" height="1" fill="{}" class="no-picture"/>').format(name, grey)
    return Markup('<image id="{}" width="1" height="1" href="{}"/>').format(name, data)


def _small(path: Path, side: int) -> Image | None:
    """A picture, its longer side at most `side` pixels; None for a file that is no picture, or too large a one."""
    try:
        return thumbnails.read(path, side)
    except files.FileError:
        return None


def _encode(picture: Image | None, side: int) -> str | None:
    """A small picture, its longer side at most `side` pixels, as a URI; None where there is none."""
    return None if picture is None else data_uri(thumbnails.encode(picture, side), thumbnails.MEDIA_TYPE)
