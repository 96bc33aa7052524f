"""The values of options, and of markers that stand above them: checked one by one, without torch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_seedshift.core import limits
from pytest_seedshift.plugin import border

if TYPE_CHECKING:
    from pytest_seedshift.plugin.options import Option
    from pytest_seedshift.plugin.shards import Shard

_Choice = TypeVar("_Choice", bound=str)

_DECIMAL_COMMA = re.compile(r",\s*(?P<number>[+-]?0\s*,\s*\d*[1-9]\d*)\s*(?=,)", re.ASCII)
"""Of magnitudes with a comma before, after and between them: `0,3`, which is 0 and 3, and hardly meant so."""


def split(texts: Iterable[object]) -> list[str]:
    """Take comma-separated values apart, without repetitions, in the order given."""
    parts = (part.strip() for text in texts for part in str(text).split(","))
    return list(dict.fromkeys(part for part in parts if part))


def check_given(given: object, option: Option, where: str) -> None:
    """Refuse what names nothing, as a variable does that is not set: its default would be taken in silence."""
    if any("\0" in str(each) for each in (given if isinstance(given, (list, tuple)) else [given])):
        raise pytest.UsageError(f"{where}: has a NUL in it, as no name and no path has: leave it away")
    if option.kind == "text" and isinstance(given, str) and not given.strip():
        raise pytest.UsageError(
            f"{where} is empty (a variable that is not set?): give {option.metavar}, or leave it away"
        )
    if option.kind != "list" or not isinstance(given, (list, tuple)):
        return
    if not split(given):
        raise pytest.UsageError(
            f"{where} names no {option.name} (a variable that is not set?): give {option.metavar}, or leave it away"
        )
    for text in given if where == option.flag else ():  # an ini key may have a comma at the end of each line
        if not all(part.strip() for part in str(text).split(",")):
            raise pytest.UsageError(
                f"{where}={text}: one of these is empty (a variable that is not set?): give {option.metavar} or "
                f"{option.metavar},{option.metavar}"
            )


def check_limit(value: float, most: float, what: str, lifted: bool, hint: str = "") -> None:
    """See `limits.check`.

    Raises:
        pytest.UsageError: the number is above its limit.
    """
    with border.usage_errors():
        limits.check(value, most, what, lifted=lifted, hint=hint)


def check_design_seed(given: object, where: str) -> int:
    """Check the seed of a design, which is an int; `where` says in an error who gave it.

    Raises:
        pytest.UsageError: it is none, or not in its range.
    """
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= limits.DESIGN_SEED:
        raise pytest.UsageError(
            f"{where}={given!r}: give a whole number from 0 to {limits.DESIGN_SEED}; 0 is the usual design"
        )
    return given


def check_shifts(given: Iterable[object], where: str) -> tuple[str, ...]:
    """Check names of shifts (`mean`, `mean:exact`); `where` says in an error who gave them.

    Raises:
        pytest.UsageError: an unknown shift or variant.
    """
    from pytest_seedshift.core import shifts

    checked = []
    for name in split(given):
        with border.usage_errors(f"{where}={name}: "):
            checked.append(str(shifts.parse(name)))
    return tuple(checked)


def _meant(text: str) -> str:
    """What to give in place of a text that is no magnitude; a share is written as a number."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else math.nan
    except ValueError:  # of float
        share = math.nan
    return f"for {text} give {share:g}" if math.isfinite(share) else "give one such as -0.3 or 0.1"


def check_magnitudes(given: Iterable[object], where: str, *, lifted: bool = False) -> tuple[float, ...]:
    """Check magnitudes, given as numbers or as text; sorted, without repetitions.

    Raises:
        pytest.UsageError: not a finite number, one with a decimal comma, or one above the limit, unless that is
            `lifted`.
    """
    checked, given = set(), list(given)
    for each in given:
        if (meant := _DECIMAL_COMMA.search(f",{each},")) is not None:
            number = meant["number"].replace(",", ".").replace(" ", "")
            raise pytest.UsageError(
                f"{where}={each}: a comma stands between magnitudes, and 0 is the control, which every run has: give "
                f"{number} if that is meant, else leave the 0 away"
            )
    for text in split(given):
        try:
            magnitude = float(text)
        except ValueError:  # of float
            magnitude = math.nan
        if not math.isfinite(magnitude):
            raise pytest.UsageError(f"{where}={text}: not a finite number; {_meant(text)}")
        hint = "The numbers of a seed vector have a standard deviation of 1"
        hint += f"; of percent, {magnitude:g} would be {magnitude / 100:g}" if abs(magnitude) <= 100 else ""
        check_limit(abs(magnitude), limits.MAGNITUDE, f"{where}={text}", lifted, hint)
        checked.add(magnitude)
    return tuple(sorted(checked))


def choice_of(given: str, name: str, choices: tuple[_Choice, ...]) -> _Choice:
    """One of the values that an option may have."""
    for choice in choices:
        if given == choice:
            return choice
    from pytest_seedshift.core.messages import unknown

    raise pytest.UsageError(f"--seedshift-{name}={given}: {unknown('choice', given, choices)}")


def part_of(given: str | None, name: str) -> float | None:
    """A part of a whole, from 0 to below 1."""
    if given is None:
        return None
    try:
        part = float(given)
    except ValueError:  # of float
        part = math.nan
    if not 0 <= part < 1:
        raise pytest.UsageError(f"--seedshift-{name}={given}: give a number from 0 to below 1, such as 0.02")
    return part


def positive(given: str | None, name: str, such_as: str) -> float | None:
    """A number above 0."""
    if given is None:
        return None
    try:
        number = float(given)
    except ValueError:  # of float
        number = math.nan
    if not 0 < number < math.inf:
        raise pytest.UsageError(f"--seedshift-{name}={given}: give a number above 0, such as {such_as}")
    return number


def shard_of(given: str | None) -> Shard | None:
    """The part of the cases that is run, such as 2/4."""
    if given is None:
        return None
    from pytest_seedshift.plugin import shards

    with border.usage_errors(f"--seedshift-shard={given}: "):
        return shards.parse(given)
