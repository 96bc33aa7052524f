"""The page's pictures: each is in it once, however often it is shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup

from pytest_seedshift.core import files
from pytest_seedshift.reporting import palette, thumbnails
from pytest_seedshift.reporting.html import data_uri

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SIDES = (160, 128, 96, 64, 48)
_ENOUGH = {600: 0, 4000: 1}
"""The longer side of a picture, in pixels, by its place in `_SIDES`: where there are at most so many, that one or one
of the next; where there are more, one of the last two."""

NUMBER = 2000
"""How many pictures a page has at most, whatever its run has kept: each takes some milliseconds to be made small."""

_MOST = 9_500_000
"""How many characters a page may take with all of them; where it takes more, all become smaller. It stays below 10 MB
so, unless the rest alone takes more."""

_LEAST = 1_500_000
"""How many they may take in any case."""

_TRIED = 32
"""Of how many pictures it is estimated what all would take."""

_THREADS = 4


class Album:
    """Collects pictures by their paths, as many as a page has room for."""

    def __init__(self, most: int = NUMBER) -> None:
        """Hold at most so many."""
        self.most = most
        self._names: dict[Path, str] = {}

    def add(self, path: Path) -> str | None:
        """A picture's name on the page, by which `<use href="#name">` shows it; None where there is no room for it."""
        self.admit([path])
        return self._names.get(path)

    def admit(self, paths: Iterable[Path]) -> bool:
        """Take all of some pictures, or none where there is no room for those that are new; whether they are there."""
        new = self._new(paths)
        if len(self._names) + len(new) > self.most:
            return False
        self._names |= {path: f"p{len(self._names) + place}" for place, path in enumerate(new)}
        return True

    def has_room(self, paths: Iterable[Path]) -> bool:
        """Whether there is room for all of some pictures."""
        return len(self._names) + len(self._new(paths)) <= self.most

    def _new(self, paths: Iterable[Path]) -> list[Path]:
        return list(dict.fromkeys(path for path in paths if path not in self._names))

    def definitions(self, beside: int = 0) -> Markup:
        """All pictures, as elements of SVG with their names; to be put on the page once.

        A file that is no picture has a grey field in its place. `beside` is how many characters the page has else.
        """
        paths, most = list(self._names), max(_MOST - beside, _LEAST)
        first = next((place for limit, place in _ENOUGH.items() if len(paths) <= limit), len(_SIDES) - 2)
        encoded: list[str | None] = []
        with ThreadPoolExecutor(_THREADS) as pool:  # Pillow decodes and encodes outside of Python's lock
            for side in _SIDES[first:]:
                small = partial(_encoded, side=side)
                some = paths[:: max(1, len(paths) // _TRIED)]
                share = len(some) / len(paths) if paths else 1.0
                if side > _SIDES[-1] and share < 1 and _size(pool.map(small, some)) > share * most:
                    continue
                encoded = list(pool.map(small, paths))
                if _size(encoded) <= most:
                    break
        return Markup("\n").join(map(_definition, self._names.values(), encoded))


def _definition(name: str, data: str | None) -> Markup:
    if data is None:
        grey = palette.PLAIN["line"]
        return Markup('<rect id="{}" width="1" height="1" fill="{}" class="no-picture"/>').format(name, grey)
    return Markup('<image id="{}" width="1" height="1" href="{}"/>').format(name, data)


def _encoded(path: Path, side: int) -> str | None:
    """A picture, its longer side at most `side` pixels, as a URI; None for a file that is none, or too large a one."""
    try:
        return data_uri(thumbnails.encode(thumbnails.read(path, side), side), thumbnails.MEDIA_TYPE)
    except files.FileError:
        return None


def _size(encoded: Iterable[str | None]) -> int:
    return sum(len(each or "") for each in encoded)
