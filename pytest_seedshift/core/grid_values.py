"""The values that a grid of cases is made of, checked without torch: names of shifts, magnitudes, a design's seed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from pytest_seedshift.core import limits, shifts, typed_values
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftUsageError

_DECIMAL_COMMA = re.compile(r",\s*(?P<number>[+-]?0\s*,\s*\d*[1-9]\d*)\s*(?=,)", re.ASCII)
"""Of magnitudes with a comma before, after and between them: `0,3`, which is 0 and 3, and hardly meant so."""


def split(texts: Iterable[object]) -> list[str]:
    """Take comma-separated values apart, without repetitions, in the order given."""
    parts = (part.strip() for text in texts for part in str(text).split(","))
    return list(dict.fromkeys(part for part in parts if part))


def check_design_seed(given: object, where: str) -> int:
    """Check the seed of a design, which is an int; `where` says in an error who gave it.

    Raises:
        InvalidValueError: it is none, or not in its range.
    """
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= limits.DESIGN_SEED:
        raise InvalidValueError(
            f"{where}={given!r}: give a whole number from 0 to {limits.DESIGN_SEED}; 0 is the usual design"
        )
    return given


def check_shifts(given: Iterable[object], where: str) -> tuple[str, ...]:
    """Check names of shifts (`mean`, `mean:exact`); `where` says in an error who gave them.

    Raises:
        InvalidValueError: an unknown shift or variant.
    """
    checked = []
    for name in split(given):
        try:
            checked.append(str(shifts.parse(name)))
        except SeedshiftUsageError as error:
            raise InvalidValueError(f"{where}={name}: {error}") from None
    return tuple(checked)


def _meant(text: str) -> str:
    """What to give in place of a text that is no magnitude; a share is written as a number."""
    share = typed_values.number(text.removesuffix("%")) / 100 if text.endswith("%") else math.nan
    return f"for {text} give {share:g}" if math.isfinite(share) else "give one such as -0.3 or 0.1"


def check_magnitudes(given: Iterable[object], where: str, *, lifted: bool = False) -> tuple[float, ...]:
    """Check magnitudes, given as numbers or as text; sorted, without repetitions.

    Raises:
        InvalidValueError: not a finite number, one with a decimal comma, or one above the limit, unless that is
            `lifted`.
    """
    checked, given = set(), list(given)
    for each in given:
        if (meant := _DECIMAL_COMMA.search(f",{each},")) is not None:
            number = meant["number"].replace(",", ".").replace(" ", "")
            raise InvalidValueError(
                f"{where}={each}: a comma separates magnitudes. Give {number} if that is meant, else leave out the 0: "
                "it is the control, which every run has"
            )
    for text in split(given):
        magnitude = typed_values.number(text)
        if not math.isfinite(magnitude):
            raise InvalidValueError(f"{where}={text}: not a finite number; {_meant(text)}")
        hint = "The numbers of a seed vector have a standard deviation of 1"
        hint += f"; of percent, {magnitude:g} would be {magnitude / 100:g}" if abs(magnitude) <= 100 else ""
        limits.check(abs(magnitude), limits.MAGNITUDE, f"{where}={text}", lifted=lifted, hint=hint)
        checked.add(magnitude)
    return tuple(sorted(checked))
