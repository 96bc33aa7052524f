"""The values of options, and of markers that stand above them: checked one by one, without torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_seedshift.core import grid_values, limits, typed_values
from pytest_seedshift.plugin import border

if TYPE_CHECKING:
    from pytest_seedshift.plugin.options import Option
    from pytest_seedshift.plugin.shards import Shard

_Choice = TypeVar("_Choice", bound=str)


def check_given(given: object, option: Option, where: str) -> None:
    """Refuse what names nothing, as a variable does that is not set: its default would be taken in silence."""
    if any("\0" in str(each) for each in (given if isinstance(given, (list, tuple)) else [given])):
        raise pytest.UsageError(f"{where}: has a NUL in it, as no name and no path has: leave it out")
    if option.kind == "text" and isinstance(given, str) and not given.strip():
        raise pytest.UsageError(
            f"{where} is empty (a variable that is not set?): give {option.metavar}, or leave it out"
        )
    if option.kind != "list" or not isinstance(given, (list, tuple)):
        return
    if not grid_values.split(given):
        raise pytest.UsageError(
            f"{where} names no {option.name} (a variable that is not set?): give {option.metavar}, or leave it out"
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
    """See `grid_values.check_design_seed`.

    Raises:
        pytest.UsageError: it is none, or not in its range.
    """
    with border.usage_errors():
        return grid_values.check_design_seed(given, where)


def check_shifts(given: Iterable[object], where: str) -> tuple[str, ...]:
    """See `grid_values.check_shifts`.

    Raises:
        pytest.UsageError: an unknown shift or variant.
    """
    with border.usage_errors():
        return grid_values.check_shifts(given, where)


def check_magnitudes(given: Iterable[object], where: str, *, lifted: bool = False) -> tuple[float, ...]:
    """See `grid_values.check_magnitudes`.

    Raises:
        pytest.UsageError: one that cannot be used.
    """
    with border.usage_errors():
        return grid_values.check_magnitudes(given, where, lifted=lifted)


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
    part = typed_values.number(given)
    if not 0 <= part < 1:
        raise pytest.UsageError(f"--seedshift-{name}={given}: give a number from 0 to below 1, such as 0.02")
    return part


def positive(given: str | None, name: str, such_as: str) -> float | None:
    """A number above 0."""
    if given is None:
        return None
    number = typed_values.number(given)
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
