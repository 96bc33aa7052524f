"""Values of a marker's arguments: see `core.argument_values`, whose errors are usage errors of pytest here."""

from __future__ import annotations

from pytest_seedshift.core import argument_values
from pytest_seedshift.plugin import border


def names(value: object, where: str, what: str) -> list[str]:
    """Names, given as one text or as several.

    Raises:
        pytest.UsageError: anything else.
    """
    with border.usage_errors():
        return argument_values.names(value, where, what)


def numbers(value: object, where: str) -> list[str | float]:
    """Numbers, given as one or as several, or as text.

    Raises:
        pytest.UsageError: anything else.
    """
    with border.usage_errors():
        return argument_values.numbers(value, where)


def whole(value: object, where: str) -> int:
    """A whole number of at least 1.

    Raises:
        pytest.UsageError: anything else.
    """
    with border.usage_errors():
        return argument_values.whole(value, where)


def integer(value: object, where: str) -> int:
    """A whole number.

    Raises:
        pytest.UsageError: anything else.
    """
    with border.usage_errors():
        return argument_values.integer(value, where)
