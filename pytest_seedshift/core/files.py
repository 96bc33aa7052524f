"""Files that somebody else may have made, read: within limits, by no way out of their folder, errors in one sentence.

Whatever a file holds, reading it ends soon and takes little memory, and what is wrong with it is a `FileError` that
names the file. `foreign` is the net for what is done with its contents.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_BYTES = 64_000_000
"""Of a file that is read as a whole."""

MOST_TEXT = 4_000_000
"""Of a text that a person writes, such as thresholds or a class list."""

MOST_VALUES = 4_000_000
"""Of a JSON file: in Python, a value of one or two bytes takes a hundred."""

MOST_LEVELS = 64
"""How deep lists and objects of a JSON file may lie within each other."""

LFS_POINTER = "version https://git-lfs"
"""What a file begins with that git-lfs has left in place of another."""

MOST_PIXELS = 4096 * 4096
"""Of a picture that is decoded."""

_LONG_NUMBER = re.compile(r"[0-9]{19}|[eE]\+?[0-9]{3}")
"""What a number has in it that may be too large for 64 bits, or for a float."""

_PNG = struct.Struct(">8s4x4sII")
"""The head of a PNG: its signature, the length and the name of the first chunk, width and height."""


class FileError(DataError):
    """A file that cannot be used.

    Attributes:
        path: which.
        what: is wrong with it: `not JSON: …`.
    """

    def __init__(self, path: Path | str, what: str) -> None:
        super().__init__(path, what)
        self.path, self.what = Path(path), what

    @property
    def reason(self) -> str:
        """To be said after its name: `cannot be read: not JSON: …`."""
        return f"cannot be read: {self.what}"

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class MissingFileError(FileError):
    """A file that is not there."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path, os.strerror(errno.ENOENT))

    @property
    def reason(self) -> str:
        """Likewise, with a file that is there and may have been meant."""
        from pytest_seedshift.core import path_hints

        return f"cannot be read: {self.what}{path_hints.hint(self.path)}"

    def __reduce__(self) -> tuple[type[MissingFileError], tuple[Path]]:
        return type(self), (self.path,)


@contextmanager
def foreign(path: Path | str) -> Iterator[None]:
    """The net around what is done with a file's contents: whatever it raises becomes a `FileError` about the file.

    Only what depends on these contents belongs in the block, such as a parser or a look at what was parsed.
    """
    try:
        yield
    except FileError:
        raise
    except Exception as error:  # libraries raise anything over a strange file, MemoryError and RecursionError too
        raise FileError(path, _what(error)) from error


def _what(error: Exception) -> str:
    """What is wrong with a file, by what a library says over it."""
    if isinstance(error, OSError) and error.strerror:  # Pillow has OSErrors of its own, without it
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        if error.object.startswith(_UTF_16):
            return "not a text in UTF-8, but in UTF-16, as PowerShell and some editors write it: save it as UTF-8"
        other = instead(error.object)
        return f"not a text in UTF-8{'' if other is None else f', but {other}'}: {error}"
    if isinstance(error, json.JSONDecodeError):
        other = instead(error.doc[:_HEAD].encode(errors="replace"))
        return f"not JSON{'' if other is None else f', but {other}'}: {error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    said = " ".join(str(error).split())
    return said[:200] or type(error).__name__


def instead(head: bytes) -> str | None:
    """What a file is, by its first bytes, that came in place of another one; None for what is not known."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((told for begins, told in _INSTEAD if head.startswith(begins) or start.startswith(begins)), None)


_HEAD = 512

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_INSTEAD = (
    *((begins, "a web page, as servers answer with one") for begins in (b"<!doctype", b"<html", b"<?xml")),
    *((begins, "an error that a server answered with") for begins in (b'{"error', b'{"message', b"entry not found")),
    (b"invalid username or password", "an error that a server answered with"),
    (b"PK\x03\x04", "a zip archive, as torch.save makes it around a pickle"),
    *((bytes((0x80, protocol)), "a pickle") for protocol in range(2, 6)),
    (b"\x1f\x8b", "a file packed by gzip"),
    (b"GGUF", "a file of GGUF"),
)


def link_within(path: Path, within: Path) -> Path | None:
    """The first link on the way from a folder to what lies in it; None where there is none.

    Raises:
        DataError: the path does not lie in the folder.
    """
    place = os.fspath(within)
    for name in path.relative_to(within).parts:
        if name == "..":
            raise DataError(f"{path} leads out of {within}")
        place = os.path.join(place, name)  # noqa: PTH118 - pathlib takes three times as long, and a page asks thousands
        if os.path.islink(place):  # noqa: PTH114
            return Path(place)
    return None


def is_file(path: Path, within: Path | None = None) -> bool:
    """Whether there is an ordinary file, and, with `within`, no link on the way from that folder to it."""
    try:
        return path.is_file() and (within is None or link_within(path, within) is None)
    except (OSError, ValueError, DataError):  # a name that is too long, or has a NUL
        return False


def is_folder(path: Path, within: Path | None = None) -> bool:
    """Whether there is a folder, likewise."""
    try:
        return path.is_dir() and (within is None or link_within(path, within) is None)
    except (OSError, ValueError, DataError):  # likewise
        return False


def read_bytes(path: Path, *, within: Path | None = None, most: int = MOST_BYTES) -> bytes:
    """Read an ordinary file.

    Args:
        path: of the file.
        within: the folder in which it has to lie: no link on the way from there is followed. None: links are.
        most: how many bytes it may have.

    Raises:
        MissingFileError: it is not there.
        FileError: it cannot be read, or is a folder, a link, a pipe, a device, or too large.
    """
    with foreign(path):
        if within is not None and (link := link_within(path, within)) is not None:
            raise FileError(path, _of_link(link, path))
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            if within is not None:
                flags |= getattr(os, "O_NOFOLLOW", 0)
            check_ordinary(path)  # before it is opened, as opening alone can do something to a device
            with os.fdopen(os.open(path, flags), "rb") as file:
                about = os.fstat(file.fileno())
                _check_mode(path, about.st_mode)
                content = b"" if about.st_size > most else file.read(about.st_size)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFileError(path) from None
        if about.st_size > most:
            raise FileError(path, f"it is larger than {_size(most)}, which is more than such a file has")
        return content


def _of_link(link: Path, path: Path) -> str:
    what = "it is a link" if link == path else f"it lies in {link.name}, which is a link"
    return f"{what}: links in a run folder are not followed (the folder itself may be one)"


def check_ordinary(path: Path) -> None:
    """Make sure that a path leads to an ordinary file, such as no pipe that one could wait at for ever.

    Raises:
        FileError: it does not.
        OSError: it is not there, or cannot be seen.
    """
    _check_mode(path, path.stat().st_mode)


def _check_mode(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise FileError(path, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise FileError(path, "it is not an ordinary file, but a pipe, a device or a socket")


def _size(count: int) -> str:
    return f"{count / 1e6:g} MB" if count >= 1e5 else f"{count} bytes"


def read_text(path: Path, *, within: Path | None = None, most: int = MOST_BYTES, encoding: str = "utf-8") -> str:
    """Read a text in UTF-8, or, with `utf-8-sig`, one that may begin with a byte order mark; see `read_bytes`."""
    content = read_bytes(path, within=within, most=most)
    with foreign(path):
        return content.decode(encoding)


def read_json(
    path: Path,
    *,
    within: Path | None = None,
    most: int = MOST_BYTES,
    values: int = MOST_VALUES,
    finite: bool = True,
) -> Any:
    """Read a JSON file.

    Args:
        path: of the file.
        within: see `read_bytes`.
        most: how many bytes it may have.
        values: how many values.
        finite: whether all numbers must fit into 64 bits and be finite, but for NaN.

    Raises:
        MissingFileError: it is not there.
        FileError: see `read_bytes`, or it is not JSON, is nested too deeply, or has too many values or too large ones.
    """
    return parse_json(read_text(path, within=within, most=most), path, values=values, finite=finite)


def parse_json(text: str, path: Path | str, *, values: int = MOST_VALUES, finite: bool = True) -> Any:
    """Read the text of a JSON file, which `path` names in an error; see `read_json`."""
    if text.startswith(LFS_POINTER):
        raise FileError(path, "it is a pointer of git-lfs, and not the file that it stands for: run 'git lfs pull'")
    if sum(map(text.count, ",:[{")) > values:
        raise FileError(path, f"it has more than {values:,} values, which is more than such a file has")
    hooks: dict[str, Any] = {}
    if finite:
        hooks["parse_constant"] = _constant
        if _LONG_NUMBER.search(text):  # only then, as it takes time
            hooks |= {"parse_int": _integer, "parse_float": _float}
    with foreign(path):
        document = json.loads(text, **hooks)
        check_levels(document)
        return document


def _constant(name: str) -> float:
    if name != "NaN":
        raise DataError(f"the number {name}")
    return float("nan")


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**63:
        raise DataError(f"the number {digits[:20]}…, of {len(digits)} digits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise DataError(f"the number {digits[:20]}")
    return number


def check_levels(document: object) -> None:
    """Make sure that lists and objects do not lie in each other deeper than `MOST_LEVELS`.

    Raises:
        DataError: they do.
    """
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > MOST_LEVELS + 1:
            raise DataError(f"nested deeper than {MOST_LEVELS} levels")
        level = [
            child
            for each in level
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]


def gunzip(content: bytes, path: Path | str, most: int) -> bytes:
    """The contents of a .gz file, which `path` names in an error, if they have at most `most` bytes.

    Raises:
        FileError: they have more, or it is no such file.
    """
    with foreign(path):
        made, rest = b"", content
        while rest:  # a file may have several parts, one after the other
            part = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            made += part.decompress(rest, most + 1 - len(made))
            if len(made) > most:
                raise FileError(
                    path, f"it is larger than {_size(most)} when unpacked, which is more than such a file has"
                )
            if not part.eof:
                raise FileError(path, "it is cut off")
            rest = part.unused_data.lstrip(b"\0")
        return made


def open_picture(content: bytes, path: Path | str, most: int = MOST_PIXELS) -> Image:
    """A PNG, as all pictures of a run are, decoded; `path` names its file in an error.

    Raises:
        FileError: it is none, is damaged, or has more than `most` pixels, which is found before it is decoded.
    """
    from PIL import Image

    with foreign(path):
        if len(content) < _PNG.size or (found := _PNG.unpack_from(content))[:2] != (b"\x89PNG\r\n\x1a\n", b"IHDR"):
            raise FileError(path, "it is no PNG")
        width, height = found[2:]
        if width * height > most:
            raise FileError(path, f"it is a picture of {width} × {height} pixels, which is too large to be shown")
        picture = Image.open(io.BytesIO(content), formats=("PNG",))
        picture.load()
        return picture
