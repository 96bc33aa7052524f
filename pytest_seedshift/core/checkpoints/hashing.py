"""A hash of weights: of every file that they are loaded from."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path

from pytest_seedshift.core.checkpoints import contents

_TICK = 20 * 10**6
_COARSE_TICK = 2 * 10**9
"""Nanoseconds after a change of a file in which another one may leave its times as they are: clocks of files tick. Of
whole milliseconds or seconds they are on file systems that keep no finer ones."""

_hashes: dict[tuple[int, ...], str] = {}
"""What was read of files, by all that shows that they are the same files as then: a run asks several times."""


def fingerprint(path: Path, *settings: object, variant: str | None = None, also: Iterable[Path] = ()) -> str:
    """A hash of every file that a folder of weights is loaded from, or of one file, and of the settings of their use.

    Which files these are is what `contents` says; of a folder that it does not know, all that are not hidden.

    In the Hugging Face cache a large file is a link to a blob that is named by its own SHA-256; that name stands for
    the content, so that gigabytes are not read again. Of other files a process reads each once, until size, times or
    inode change.

    Args:
        path: of the folder or the file.
        settings: whose representations are hashed, too.
        variant: of the weights; see `contents.pipeline`.
        also: files in the folder that are loaded besides.
    """
    digest = hashlib.sha256(repr(settings).encode())
    if path.is_file():
        digest.update(content(path).encode())
        return digest.hexdigest()[:16]
    for name, file in listed(path, variant, also):
        digest.update(f"{name}\n{content(file)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def listed(path: Path, variant: str | None = None, also: Iterable[Path] = ()) -> list[tuple[str, Path]]:
    """The files that a folder's fingerprint is made of, each by its name within the folder, in order of the names.

    Args:
        path: of the folder.
        variant: see `fingerprint`.
        also: likewise.
    """
    found = contents.of(path, variant)
    every = (file for file in path.rglob("*") if file.is_file()) if found is None else contents.paths(path, found)
    named = sorted((file.relative_to(path).as_posix(), file) for file in {*every, *also})
    # A download leaves its notes in hidden ones.
    return [(name, file) for name, file in named if not (name.startswith(".") or "/." in name)]


def content(file: Path) -> str:
    """What stands for a file's content: its SHA-256."""
    name = file.resolve().name
    if file.is_symlink() and len(name) == 64:
        return name
    about = file.stat()
    key = about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
    if key not in _hashes:
        changed = max(about.st_mtime_ns, about.st_ctime_ns)
        tick = _TICK if changed % 10**6 else _COARSE_TICK
        age = time.time_ns() - changed
        if tick == _TICK and 0 <= age < tick:  # sooner waited for than gigabytes are read again
            time.sleep(_TICK / 10**9)
            age += _TICK
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        if age < tick:
            return content
        _hashes[key] = content
    return _hashes[key]
