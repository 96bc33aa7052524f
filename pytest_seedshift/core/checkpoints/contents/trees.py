"""A folder as `folders` sees it: on this machine, or as a repository of the hub lists it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from pytest_seedshift.core import files


class Tree(Protocol):
    """Names of files by folder, and the contents of configurations."""

    def files(self, folder: str = "", levels: int = 0) -> frozenset[str]:
        """The files in a folder, and in those so many levels within it; hidden ones are notes of downloads."""

    def folders(self, folder: str = "") -> frozenset[str]:
        """The names of the folders in a folder."""

    def read(self, path: str) -> Mapping[str, Any] | None:
        """What a JSON file holds, empty for one that is not there; None where only names are known."""


class OnDisk:
    """A `Tree` of a folder of this machine. A link that leads nowhere is no file."""

    def __init__(self, root: Path) -> None:
        """See the folder `root`."""
        self._root = root

    def files(self, folder: str = "", levels: int = 0) -> frozenset[str]:
        """See `Tree`."""
        found: set[str] = set()
        try:
            each = sorted((self._root / folder).iterdir())
        except OSError:  # there is none
            return frozenset()
        for path in each:
            if path.name.startswith("."):
                continue
            if path.is_file():
                found.add(path.name)
            elif levels and path.is_dir():
                found |= {f"{path.name}/{name}" for name in self.files(f"{folder}/{path.name}".lstrip("/"), levels - 1)}
        return frozenset(found)

    def folders(self, folder: str = "") -> frozenset[str]:
        """See `Tree`."""
        try:
            return frozenset(path.name for path in (self._root / folder).iterdir() if path.is_dir())
        except OSError:
            return frozenset()

    def read(self, path: str) -> Mapping[str, Any]:
        """See `Tree`.

        Raises:
            FileError: it cannot be read.
        """
        if not (self._root / path).is_file():
            return {}
        content = files.read_json(self._root / path, finite=False)
        return content if isinstance(content, dict) else {}


class Listed:
    """A `Tree` of a repository's list of files; of configurations those that are given."""

    def __init__(self, names: Collection[str], **known: Mapping[str, Any]) -> None:
        """See the files `names`, which are paths with slashes."""
        self._names = frozenset(names)
        self._known = known

    def files(self, folder: str = "", levels: int = 0) -> frozenset[str]:
        """See `Tree`."""
        start = f"{folder}/" if folder else ""
        within = (name[len(start) :] for name in self._names if name.startswith(start))
        return frozenset(name for name in within if name.count("/") <= levels and not f"/{name}".count("/."))

    def folders(self, folder: str = "") -> frozenset[str]:
        """See `Tree`."""
        start = f"{folder}/" if folder else ""
        within = (name[len(start) :] for name in self._names if name.startswith(start))
        return frozenset(name.partition("/")[0] for name in within if "/" in name)

    def read(self, path: str) -> Mapping[str, Any] | None:
        """See `Tree`."""
        return self._known.get(path)
