"""Files written whole or not at all: who reads one while it is written, or after a crash, reads the one before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Put a file in the place of what is there, in a folder that exists; a text in UTF-8, its line ends as they are.

    Raises:
        OSError: it cannot be written; what was there still is.
        UnicodeEncodeError: a text that is no UTF-8, likewise.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        with suppress(OSError):  # on a disk that cannot be written to, the error of the write is the one to tell
            partial.unlink(missing_ok=True)
