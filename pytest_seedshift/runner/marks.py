"""What stands behind a mean in a table of scores, in whatever view, and what it says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from pytest_seedshift.results.statuses import KNOWN

if TYPE_CHECKING:
    from pytest_seedshift.results.data import CaseRun
    from pytest_seedshift.results.schema import Record

    _Case: TypeAlias = Record | CaseRun

BROKEN = "✗"
KNOWN_FAILURE = "k"
OPEN = "(✗)"
ELSEWHERE = "F"
UNJUDGED = "!"

LEGENDS: Mapping[str, str] = MappingProxyType(
    {
        BROKEN: "✗ breaks a threshold",
        KNOWN_FAILURE: "k known failure",
        UNJUDGED: "! no verdict",
        OPEN: "(✗) beyond its bound, but not decided: another bound has ended the case",
        ELSEWHERE: "F fails, though no score that is shown breaks a threshold",
    }
)
"""What each mark says, in the order in which a view says it."""


def of(case: _Case, score: str) -> str:
    """The mark of a case's score; empty where there is nothing to say."""
    if case.verdict == "error":
        return UNJUDGED
    if score not in case.scores:
        return ""
    if case.breaks(score):
        return KNOWN_FAILURE if case.status == KNOWN else BROKEN
    if case.is_open(score):
        return OPEN
    # by a bound of a tag or of a likeness, or by an assertion of the test's own
    return ELSEWHERE if case.status == "fail" and not any(map(case.breaks, case.scores)) else ""


def legends(marks: Collection[str], of_them: Collection[str] = tuple(LEGENDS)) -> list[str]:
    """What marks say, of those that stand in a view."""
    return [LEGENDS[each] for each in LEGENDS if each in marks and each in of_them]
