"""Cases that the thresholds expect to fail: their items are marked as pytest marks known failures, by `xfail`.

So pytest itself says what came of them, as does all that reads it: exit status, JUnit, verdicts.json, merge, pages.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.plugin import collection

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.plugin.session_views import Asked


class Failed(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # pytest gives the class as an attribute
    """A case that does not hold what is asked of it. A case that cannot be judged fails with another one.

    pytest writes an exception's name before what it says: it is the name that all other failures have.
    """

    __module__ = "builtins"


def mark(session: Asked, items: Iterable[pytest.Item]) -> None:
    """Mark the items of cases that are expected to fail; thresholds that cannot be used are told by who needs them."""
    cases = [(item, case) for item in items if (case := _case(item)) is not None]
    if not cases:
        return
    with suppress(pytest.UsageError):
        thresholds = session.thresholds
        for item, case in cases:
            expected = thresholds.expected(case)
            if expected is not None and not expected.has_ended(datetime.date.today()):
                more = {} if expected.strict is None else {"strict": expected.strict}
                item.add_marker(pytest.mark.xfail(reason=expected.reason, raises=Failed, **more))


def _case(item: pytest.Item) -> Case | None:
    """The case that an item judges; None for a null control, a search, and whatever else there is."""
    return collection.case_of(item) if collection.kind_of(item) == "reliability" else None
