"""Where errors of the package become pytest's: a usage error of the session, or the error of one item."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_seedshift.core.errors import SeedshiftError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")


@contextmanager
def usage_errors(where: str = "", hint: str = "") -> Iterator[None]:
    """The net around what is done before the tests run: an error of the package ends the session with status 4.

    Args:
        where: stands before the message: the option that is wrong, as in `--seedshift-dir=`.
        hint: stands behind it.

    Raises:
        pytest.UsageError: in place of a `SeedshiftError`. Whatever else is raised passes.
    """
    try:
        yield
    except SeedshiftError as error:
        raise pytest.UsageError(f"{where}{error}{hint}") from None


def or_fail(make: Callable[[], _T]) -> _T:
    """What a function makes for an item; an error of the package is the item's, in words instead of a traceback."""
    try:
        return make()
    except (SeedshiftError, pytest.UsageError) as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)
