"""The parts that messages are made of, the same everywhere: names, counts, shares, durations, paths, errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pytest_seedshift.core import working_directory

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


def images(seen: int, design: int) -> str:
    """`74 of 400 images`, or `400 images` where all were looked at."""
    return f"{design} images" if seen == design else f"{seen} of {design} images"


def span(numbers: Sequence[int]) -> str:
    """`24`, or `24 to 390`."""
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"


def percent(certainty: float) -> str:
    """`99 %`, `99.5 %`."""
    return f"{100 * certainty:.6g} %"


def rate(pace: float) -> str:
    """`41 images/s`, `0.23 images/s`."""
    return f"{pace:.0f} images/s" if pace >= 10 else f"{pace:.2g} images/s"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 case`, `2 cases`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def relative(path: str) -> str:
    """A path below the working directory without the part that the reader knows."""
    here = working_directory.here()
    below = here is not None and Path(path).is_absolute() and Path(path).is_relative_to(here)
    return os.path.relpath(path) if below else path


def first_line(error: BaseException) -> str:
    """What an error says first; torch goes on for a page."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")


def apart(value: float, bound: float, shown: Callable[[float], str]) -> tuple[str, str]:
    """A value and its bound as `shown` writes them, with as many more digits as it takes to see that they differ.

    >>> apart(3.04, 3.0, "{:.1f}".format)
    ('3.04', '3')
    """
    texts = shown(value), shown(bound)
    digits = 4
    while texts[0] == texts[1] and value != bound and digits <= _ALL_DIGITS:
        texts = f"{value:.{digits}g}", f"{bound:.{digits}g}"
        digits += 1
    return texts


_ALL_DIGITS = 17
"""Of a float: as many as tell any two apart."""


def duration(seconds: float) -> str:
    """`48 s`, `1 min 44 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
