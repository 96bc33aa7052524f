"""What a path that leads nowhere was meant to be: one that is there and is spelled nearly so."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from pytest_seedshift.core import messages

_ALIKE = 0.6
_MOST_NAMES = 2000
"""Of a folder that is looked at: of more, none is read by a person who has misspelled one."""


def near(path: Path) -> Path | None:
    """A path that is there and differs from one that is not in the spelling of its names; None without one."""
    there = path.absolute()
    lacking: list[str] = []
    while not there.exists() and there != there.parent:
        lacking.insert(0, there.name)
        there = there.parent
    try:
        return _below(there, lacking) if lacking and there != there.parent else None
    except OSError:  # a folder that may not be read
        return None


def hint(path: Path) -> str:
    """`. Did you mean 'checkpoints/mine'?`, to end a sentence with; empty where nothing is near."""
    found = near(path)
    return "" if found is None else f". Did you mean {messages.relative(str(found))!r}?"


def _below(folder: Path, names: Sequence[str]) -> Path | None:
    if not names:
        return folder
    if not folder.is_dir():
        return None
    name, *rest = names
    there = {each.name.casefold(): each for each, _ in zip(folder.iterdir(), range(_MOST_NAMES), strict=False)}
    for close in difflib.get_close_matches(name.casefold(), there, n=3, cutoff=_ALIKE):
        found = _below(there[close], rest)
        if found is not None:
            return found
    return None
