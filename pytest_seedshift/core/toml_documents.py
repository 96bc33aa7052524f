"""TOML files of the user's, read; what stands in them is for others to know."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pytest_seedshift.core import files
from pytest_seedshift.core.errors import DataError


class DocumentError(DataError):
    """A file cannot be read or is not TOML; the message names the file."""


def read(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        DocumentError: see there.
    """
    try:
        text = files.read_text(path, most=files.MOST_TEXT, encoding="utf-8-sig")
    except files.FileError as error:
        raise DocumentError(str(error)) from None
    return parse(text, str(path))


def parse(text: str, source: str) -> dict[str, Any]:
    """Read the text of a TOML file; `source` names it in an error.

    Raises:
        DocumentError: not TOML.
    """
    try:
        document = tomllib.loads(text)
        files.check_levels(document)
    except (ValueError, RecursionError, DataError) as error:  # a number of 5000 digits is no TOMLDecodeError
        said = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DocumentError(f"{source}: not valid TOML: {said}") from None
    return document
