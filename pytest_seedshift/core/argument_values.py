"""Values that are given in Python, which may be anything that it has: what they are read as, and what is refused.

A marker is read many times and in several processes, so what is read must be the same each time: a generator is
refused, and a set, which has no order, is sorted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral, Real

from pytest_seedshift.core import typed_values
from pytest_seedshift.core.errors import SeedshiftUsageError

_PARAMETERS = "ParameterSet"
"""The class of what `pytest.param` gives, which stands for one value wherever it means nothing."""


def names(value: object, where: str, what: str) -> list[str]:
    """Names, given as one text (which may have commas) or as a list; none where all are empty, or where it is None.

    Args:
        value: as it was given: a text, a path, or a list, tuple, set or array of these.
        where: whose value it is, for an error, such as `… models`.
        what: a name's kind, such as `model`.

    Raises:
        SeedshiftUsageError: anything else, or an empty name beside others.
    """
    given = [] if value is None else _listed(value)
    found: list[str] = []
    several = not isinstance(value, str)  # what stands in a list is one name, whatever it has in it
    for each in given if given is not None else [value]:
        if not isinstance(each, (str, os.PathLike)) or isinstance(os.fspath(each), bytes):
            raise SeedshiftUsageError(
                f"{where}={_shown(value)}: {_not(each)}: give the name of a {what}, or a list of names"
            )
        name = str(os.fspath(each))
        found += [name.strip()] if several else typed_values.names(name)
    if any(found) and not all(found):
        raise SeedshiftUsageError(f"{where}={_shown(value)}: one of these names is empty: leave it out")
    return list(dict.fromkeys(name for name in found if name))


def numbers(value: object, where: str) -> list[str | float]:
    """Numbers, given as one or as several, or as text (which may have commas).

    Raises:
        SeedshiftUsageError: anything else. Whether each text is a number is for the caller to see.
    """
    given = _listed(value)
    found: list[str | float] = []
    for each in given if given is not None else [value]:
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, Real) and not isinstance(each, bool):
            found.append(_number(each, value, where))
        else:
            raise SeedshiftUsageError(
                f"{where}={_shown(value)}: {_not(each)}: give a number such as 0.3, or a list of them"
            )
    return found


def _number(given: Real, value: object, where: str) -> float:
    try:
        # numpy's float32 of 0.3 is meant as 0.3, which has the same digits, and not as the next float64
        return float(str(given) if type(given).__module__ == "numpy" else given)
    except OverflowError:
        raise SeedshiftUsageError(f"{where}={_shown(value)}: not a finite number; give one such as 0.3") from None


def whole(value: object, where: str) -> int:
    """A whole number of at least 1.

    Raises:
        SeedshiftUsageError: anything else.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise SeedshiftUsageError(f"{where}={_shown(value)}: give a whole number of at least 1")
    return int(value)


def integer(value: object, where: str) -> int:
    """A whole number.

    Raises:
        SeedshiftUsageError: anything else.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise SeedshiftUsageError(f"{where}={_shown(value)}: give a whole number")
    return int(value)


def _listed(value: object) -> list[object] | None:
    """The elements of what has an order, or can be given one; None for what is taken as one value."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, (str, bytes)) or type(value).__name__ == _PARAMETERS:
        return [value]
    if isinstance(value, Sequence):
        return list(value)
    if hasattr(value, "tolist") and getattr(value, "ndim", None):  # of numpy or torch
        elements: list[object] = value.tolist()
        return elements
    return None


def _not(each: object) -> str:
    if type(each).__name__ == _PARAMETERS:
        return "pytest.param(…) means nothing here"
    return f"{_shown(each)} is a {type(each).__name__}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
