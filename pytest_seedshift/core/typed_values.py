"""What a person types: several names in one text, and paths."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

_MOST_COMMAS = 32
"""In the name of a folder; more are looked for in vain, and of a long list each look would cost as much as the list."""

_CHANGE = "+"
"""What stands before a change of a model, as in `./mine+ddim`."""


def expand(path: str) -> Path:
    """A path with the home folder in place of `~`; as it stands where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no home is known, or not that person's
        return Path(path)


def number(text: str) -> float:
    """A number as people write it; NaN for all else. `float` reads 0_3 as 3, and the digits of all scripts.

    >>> number("-0.3")
    -0.3
    >>> number("0_3")
    nan
    """
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:  # of float
        return math.nan


def whole(text: str) -> int | None:
    """A whole number, likewise; None for all else."""
    try:
        return int(text) if text.isascii() and "_" not in text else None
    except ValueError:  # of int
        return None


def names(text: str) -> list[str]:
    """The names in a text with commas between them, in their order, without spaces around them; empty ones too.

    A path that has a comma and exists is one name, with changes behind it or not: training tools call their folders
    by settings.

    >>> names("sd21, sdxl")
    ['sd21', 'sdxl']
    """
    parts, found, start = text.split(","), list[str](), 0
    while start < len(parts):
        ends = range(min(len(parts), start + 1 + _MOST_COMMAS), start + 1, -1)
        end = next((end for end in ends if _is_place(",".join(parts[start:end]).strip())), start + 1)
        found.append(",".join(parts[start:end]).strip())
        start = end
    return found


def split(texts: Iterable[str]) -> list[str]:
    """All names of some texts, without repetitions, in their order; see `names`."""
    return list(dict.fromkeys(name for text in texts for name in names(text) if name))


def told_apart(name: str, texts: Iterable[str]) -> str:
    """For an error about a name: that a comma has split it from a text with a path in it; empty where none has.

    >>> told_apart("v3", ["./mine,v3"])
    ". A comma stands between models: './mine,v3', which is not there, is read as './mine' and 'v3'"
    >>> told_apart("sd12", ["sd12,sdxl"])
    ''
    """
    for text in texts:
        parts = [part for part in names(text) if part]
        if name in parts and len(parts) > 1 and any("/" in part or part.startswith("~") for part in parts):
            listed = f"{', '.join(map(repr, parts[:-1]))} and {parts[-1]!r}"
            return f". A comma stands between models: {text!r}, which is not there, is read as {listed}"
    return ""


def _is_place(text: str) -> bool:
    """Whether a text is a path that exists, with changes of a model behind it or not; these have no comma."""
    words = text.split(_CHANGE)
    bases = (_CHANGE.join(words[:count]) for count in range(len(words), 0, -1))
    return any("," not in text[len(base) :] and "," in base and _exists(base) for base in bases)


def _exists(path: str) -> bool:
    try:
        return expand(path).exists()
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False
