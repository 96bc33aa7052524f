"""The thresholds file that a calibration writes: whether it may be written, what would change, and the writing."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pytest_seedshift.core import atomic_files, files, thresholds_parser
from pytest_seedshift.results.calibration import CalibrationError


def check_target(path: Path) -> None:
    """Make sure that a thresholds file can be written, before anything is generated for it.

    Raises:
        CalibrationError: it cannot; the message says why.
    """
    if path.suffix != ".toml":
        raise CalibrationError(f"{path}: give the path of a .toml file (with = before it)")
    if (reason := atomic_files.why_unwritable(path)) is not None:
        raise CalibrationError(f"{path}: {reason}")
    place = path if path.exists() else path.parent
    if not os.access(place, os.W_OK) or not place.stat().st_mode & 0o222:
        raise CalibrationError(f"{path}: {'the file' if place == path else 'the folder'} is read-only")


def check_not_ci(forced: bool, how: str) -> None:
    """Refuse to write in CI, where thresholds would follow whatever is measured; `how` says how it is forced.

    Raises:
        CalibrationError: the environment says that this is CI (`CI` is set, and not to "false" or "0").
    """
    if not forced and os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise CalibrationError(
            f"CI is set: thresholds that are written where they are checked check nothing. Write them on a machine of "
            f"yours and commit the file, or force it with {how}"
        )


def read(path: Path, otherwise: Path | None) -> str:
    """The text to begin with: the file's own, else that of the thresholds in use, else the shipped ones.

    Raises:
        CalibrationError: it cannot be read.
    """
    for each in (path, otherwise):
        if each is not None and each.exists():
            try:
                return files.read_text(each, most=files.MOST_TEXT, encoding="utf-8-sig")
            except files.FileError as error:
                raise CalibrationError(str(error)) from None
    return thresholds_parser.default_text()


def difference(path: Path, text: str) -> list[str]:
    """What would change in a file, as a unified diff; no line where nothing would."""
    before = path.read_bytes().decode("utf-8-sig").splitlines() if path.exists() else []
    return list(difflib.unified_diff(before, text.splitlines(), str(path), str(path), lineterm=""))


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all, with the line ends that it has.

    Raises:
        CalibrationError: it cannot be written.
    """
    try:
        if path.exists() and b"\r\n" in path.read_bytes():
            text = text.replace("\n", "\r\n")
        atomic_files.write(path, text)
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be written: {error.strerror}") from None
