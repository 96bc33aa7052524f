"""What a person types: several names in one text, and paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_CHANGE = "+"
"""What stands before a change of a model, as in `./mine+ddim`."""


def expand(path: str) -> Path:
    """A path with the home folder in place of `~`; as it stands where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no home is known, or not that person's
        return Path(path)


def names(text: str) -> list[str]:
    """The names in a text with commas between them, in their order, without spaces around them; empty ones too.

    A path that has a comma and exists is one name, with changes behind it or not: training tools call their folders
    by settings.

    >>> names("sd21, sdxl")
    ['sd21', 'sdxl']
    """
    parts, found = text.split(","), []
    while parts:
        count = next((count for count in range(len(parts), 1, -1) if _is_place(",".join(parts[:count]).strip())), 1)
        found.append(",".join(parts[:count]).strip())
        del parts[:count]
    return found


def split(texts: Iterable[str]) -> list[str]:
    """All names of some texts, without repetitions, in their order; see `names`."""
    return list(dict.fromkeys(name for text in texts for name in names(text) if name))


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
