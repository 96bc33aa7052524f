"""How names are told, the same everywhere: one that is unknown, and more of them than anyone reads."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 5
"""Names that are shown of a list that has a place where all of it can be read."""


def unknown(what: str, name: str, known: Iterable[str], *, rest: str = "") -> str:
    """Say that `name` is no known `what`, with the nearest known name and the list of all.

    With `rest`, which says where all can be read, a long list is cut to the nearest.

    >>> unknown("shift", "maen", ["mean", "std"])
    "unknown shift 'maen'. Did you mean 'mean'? Known: mean, std"
    """
    import difflib

    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(names)
    if rest and len(names) > 2 * _MOST:
        nearest = difflib.get_close_matches(name, names, n=_MOST, cutoff=0.3)
        shown = [*nearest, *(each for each in names if each not in nearest)][:_MOST]
        listed = f"{', '.join(shown)} and {len(names) - len(shown)} more; {rest}"
    return f"unknown {what} {name!r}.{hint} Known: {listed}"


def some(names: Iterable[str], most: int = 3) -> str:
    """The first of some names, and how many there are besides.

    >>> some(["mean", "std", "mixed"], 2)
    'mean, std and 1 more'
    """
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
