"""Files written whole or not at all: who reads one while it is written, or after a crash, reads the one before."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from pytest_seedshift.core.errors import SeedshiftUsageError

LINK = "is a link, and links in a run folder are not followed"

_LONGEST = 200
"""Bytes of a file's name that its partial file is named after: 255 are the most that file systems take."""


class UnwritableError(SeedshiftUsageError):
    """A path at which no file can be written; the message names the option that gave it."""


def write(path: Path, content: str | bytes, *, within: Path | None = None) -> None:
    r"""Put a file in the place of what is there, in a folder that exists; a text in UTF-8, its line ends as they are.

    A link in its place is replaced, not followed. What is no UTF-8 in a text, as names of files need not be, is written
    as Python and JSON write it: `\udcff`.

    Args:
        path: of the file.
        content: of it.
        within: the run folder that it lies in: folders on the way from there must be none by a link.

    Raises:
        OSError: it cannot be written; what was there still is.
    """
    if within is not None:
        refuse_links(path.parent, within)
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    partial = _partial(path)
    try:
        partial.unlink(missing_ok=True)  # of a process that died and had this one's number
        with partial.open("xb") as file:
            file.write(data)
        partial.replace(path)
    finally:
        with suppress(OSError):  # on a disk that cannot be written to, the error of the write is the one to report
            partial.unlink(missing_ok=True)


def make_folder(path: Path, within: Path) -> None:
    """Make a folder in a run folder, and those on the way to it.

    Raises:
        OSError: it cannot be made, or there is a link on the way.
    """
    refuse_links(path, within)
    path.mkdir(parents=True, exist_ok=True)


def refuse_links(path: Path, within: Path) -> None:
    """Raise OSError where a link lies on the way from a run folder to what is in it."""
    place = within
    for name in path.relative_to(within).parts:
        place = place / name
        refuse_link(place)


def refuse_link(path: Path) -> None:
    """Raise OSError where there is a link."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, LINK, str(path))


def check_writable(path: Path, option: str, *, parents: bool = False) -> None:
    """Make sure that `write` can write a file, by an empty file that is made beside it and removed at once.

    Args:
        path: of the file. Nothing needs to be there; what is there stays as it is.
        option: who gave it, for the message: `--output`, `--seedshift-report`.
        parents: whether folders that are missing will be made.

    Raises:
        UnwritableError: a folder, a pipe, a device, a name that is too long, a folder that is not there or in which
            nothing can be written. The message is one sentence: `--output .: is a folder; give the path of a file`.
    """
    if (reason := why_unwritable(path, parents=parents)) is not None:
        raise UnwritableError(f"{option} {path}: {reason}")


def why_unwritable(path: Path, *, parents: bool = False) -> str | None:
    """Why `write` cannot write a file, to be said after its name; None where it can. See `check_writable`."""
    folder = path.parent
    try:
        found = _mode(path)
        if not path.name or path.name == ".." or (found is not None and stat.S_ISDIR(found)):
            return "is a folder; give the path of a file"
        if found is not None and not stat.S_ISREG(found):
            return "is a pipe, a device or a socket; give the path of a file"
        while parents and _mode(folder) is None and folder != folder.parent:
            if folder.is_symlink():
                return f"{folder} is a link that leads nowhere"
            folder = folder.parent
        found = _mode(folder)
        if found is None:
            return f"there is no folder {folder}; make it first"
        if not stat.S_ISDIR(found):
            return f"{folder} is a file, not a folder"
        for name in path.relative_to(folder).parts:  # those of the folders to make may be too long, too
            _mode(folder / name)
        partial = _partial(folder / path.name)
        partial.touch()
        partial.unlink()
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            file = next((each for each in path.parents if each.is_file()), folder)
            return f"{file} is a file, not a folder"
        if error.errno == errno.ENAMETOOLONG:
            return "has a name that is too long; give a shorter one"
        return f"cannot be written: {error.strerror}"
    except ValueError:  # of a NUL, or of half of a surrogate pair
        return "holds a character that no path can have"
    return None


def _mode(path: Path) -> int | None:
    """What there is, where a link leads to; None where there is nothing."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _partial(path: Path) -> Path:
    """The file beside another one in which its new content is gathered."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return path.with_name(f"{name}.{os.getpid()}.partial")
