"""TOML files of the user's, read; what stands in them is for others to know."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


class DocumentError(ValueError):
    """A file cannot be read or is not TOML; the message names the file."""


def read(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DocumentError: see there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DocumentError(f"{path}: cannot be read: {reason}") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> dict[str, Any]:
    """Read the text of a TOML file; `source` names it in an error.

    Raises:
        DocumentError: not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(f"{source}: not valid TOML: {error}") from None
