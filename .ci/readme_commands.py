"""The set-up commands of README.md, read from its text: `python readme_commands.py` prints them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
HEADING = "## Two commands"


def two_commands(text: str) -> tuple[str, str]:
    """The commands under "## Two commands": to see the plugin work, and to run its tests.

    Args:
        text: README.md's.

    Raises:
        ValueError: the section is not there, or has not exactly two blocks of one command each.
    """
    sections = re.findall(rf"^{HEADING}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if len(sections) != 1:
        raise ValueError(f"README.md has {len(sections)} sections {HEADING!r}, not one")
    blocks = [block.strip() for block in re.findall(r"^```sh\n(.*?)^```$", sections[0], re.DOTALL | re.MULTILINE)]
    if len(blocks) != 2:
        raise ValueError(f"README.md has {len(blocks)} blocks of commands under {HEADING!r}, not two")
    for block in blocks:
        if len(block.splitlines()) != 1:
            raise ValueError(f"README.md has a block that is not one line under {HEADING!r}:\n{block}")
    return blocks[0], blocks[1]


if __name__ == "__main__":
    try:
        print(*two_commands(README.read_text(encoding="utf-8")), sep="\n")
    except ValueError as error:
        sys.exit(str(error))
