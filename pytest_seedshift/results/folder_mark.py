"""Whether a folder may be taken as a run folder: one that is empty, or that a run has made before.

A run writes much and removes some of it again. In a folder of somebody else's that would be somebody else's files, so
each run folder has a file that marks it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import DataError

MARK = ".seedshift-run"
"""The file that marks a run folder."""

_TEXT = """\
This is a run folder of pytest-seedshift, which writes here, and removes here what it has written before.
"""

FILES = (
    "samples.sqlite",
    "samples.sqlite-wal",
    "samples.sqlite-shm",
    "verdicts.json",
    "costs.json",
    "run.json",
    "against.json",
    "noise.json",
    "shifted.json",
    "merged.json",
    "junit.xml",
    "report.html",
    "comparison.html",
    "why.html",
    "why.json",
)
FOLDERS = ("locks", "pictures", "trajectories", "sensitivity", "settings")
"""What a run folder has, besides what `_OTHERS` describes."""

_OTHERS = re.compile(
    r"samples\.(previous|damaged-.*)\.sqlite(-wal|-shm)?|position-.*\.(html|json)|classes-[0-9a-f]+\.csv|.*\.partial"
)

_IGNORE = ".gitignore"
_IGNORED = "*\n"

_NOBODYS = frozenset({"lost+found", ".DS_Store"})
"""What systems put into folders that are empty for their users."""

_STORE = slice(68, 72), b"seed"
"""Where SQLite's header says whose a database is, and what it says of ours."""


class FolderError(DataError):
    """A folder that cannot be a run folder.

    Attributes:
        path: which.
        reason: why, and what to do; to be said after its name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check(path: Path) -> None:
    """Make sure that a folder may be taken, which changes nothing.

    Raises:
        FolderError: it may not.
        OSError: what is there cannot be seen.
    """
    try:
        names = set(os.listdir(path))  # noqa: PTH208  # names alone, all of one moment: others may begin here too
    except FileNotFoundError:
        return
    if MARK not in names and names - _NOBODYS and not _is_of_an_earlier_version(path, names):
        some = ", ".join(sorted(names - _NOBODYS)[:3])
        raise FolderError(
            path,
            f"is not empty ({some}{', …' if len(names) > 3 else ''}), and no run has made it: a run writes and removes "
            "files there. Give a folder that is not there yet, or an empty one",
        )
    linked = sorted(name for name in names & {MARK, *FILES, *FOLDERS} if (path / name).is_symlink())
    if linked:
        raise FolderError(
            path,
            f"{linked[0]} in it is a link, and links in a run folder are not followed: put what it leads to in its "
            "place. The run folder itself may be a link",
        )


def put(path: Path) -> None:
    """Make a folder that may be taken a run folder, and keep it out of version control.

    Raises:
        OSError: it cannot be written to.
    """
    path.mkdir(parents=True, exist_ok=True)
    # Made at once, without a file beside it: for who begins here too, the mark is there or the folder is empty.
    for name, text in ((MARK, _TEXT), (_IGNORE, _IGNORED)):
        with suppress(FileExistsError), (path / name).open("x", encoding="utf-8") as file:
            file.write(text)


def _is_of_an_earlier_version(path: Path, names: set[str]) -> bool:
    """Whether a folder without a mark was made by a version that put none, as what lies there shows."""
    if names & {"samples.sqlite"} and _is_store(path / "samples.sqlite", path):
        return True
    if names & {"verdicts.json"} and _has_verdicts(path / "verdicts.json", path):
        return True
    known = {_IGNORE, *FILES, *FOLDERS, *_NOBODYS}
    ours = all(name in known or _OTHERS.fullmatch(name) for name in names)
    return ours and {_IGNORE, "locks"} <= names and _says(path / _IGNORE, path) == _IGNORED


def _is_store(path: Path, within: Path) -> bool:
    if not files.is_file(path, within):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError:
        return False
    place, said = _STORE
    return head[place] == said


def _has_verdicts(path: Path, within: Path) -> bool:
    try:
        document = files.read_json(path, within=within)
    except files.FileError:
        return False
    return isinstance(document, dict) and isinstance(document.get("version"), int) and "cases" in document


def _says(path: Path, within: Path) -> str:
    try:
        return files.read_text(path, within=within, most=1000)
    except files.FileError:
        return ""
