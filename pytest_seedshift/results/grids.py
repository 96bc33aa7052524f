"""The cases of a run's grid, as the head of verdicts.json has them, and which of them no verdict speaks of."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.schema import Planned


def without_verdict(grid: object, judged: Container[str]) -> list[Case]:
    """The cases of a grid whose ids are not among those `judged`.

    Null controls are left out: they are about the harness and not a model. So is what a file from elsewhere says in a
    form that is not read.
    """
    found = dict.fromkeys(each.case for each in planned(grid) if not each.is_null)
    return [case for case in found if case is not None and case.id not in judged]


def searches_without_verdict(grid: object, judged: Container[str]) -> int:
    """How many searches for breaking points of a grid have tests that are not among those `judged`."""
    return sum(each.kind is not None and each.test not in judged for each in planned(grid))


def cases(grid: object) -> list[Planned]:
    """The entries of a grid that are about a case, as far as they can be read."""
    return [each for each in planned(grid) if each.kind is None]


def planned(grid: object) -> list[Planned]:
    """What the entries of a grid are about, as far as they can be read: cases, and searches for breaking points."""
    from pytest_seedshift.results import schema  # pydantic, not where tests are collected

    return schema.readable(schema.Planned, grid)
