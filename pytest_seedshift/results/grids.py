"""The cases of a run's grid, as the head of verdicts.json has them, and which of them no verdict speaks of."""

from __future__ import annotations

import math
from collections.abc import Container

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.test_names import NULL_TEST


def without_verdict(grid: object, judged: Container[str]) -> list[Case]:
    """The cases of a grid whose ids are not among those `judged`.

    Null controls are left out: they tell of the harness and not of a model. So is what a file from elsewhere says in a
    form that is not read.
    """
    found: dict[Case, None] = {}
    for entry in grid if isinstance(grid, (list, tuple)) else ():
        planned = case(entry)
        if planned is not None and planned.id not in judged and not is_null(entry):
            found[planned] = None
    return list(found)


def searches_without_verdict(grid: object, judged: Container[str]) -> int:
    """How many searches for breaking points of a grid have tests that are not among those `judged`."""
    entries = grid if isinstance(grid, (list, tuple)) else ()
    return sum(
        isinstance(each, dict) and each.get("kind") is not None and each["test"] not in judged for each in entries
    )


def case(entry: object) -> Case | None:
    """The case of an entry of a grid; None where it is about a breaking point, or in a form that is not read."""
    if not isinstance(entry, dict) or entry.get("kind") is not None:
        return None
    model, shift, magnitude = (entry.get(name) for name in ("model", "shift", "magnitude"))
    if not isinstance(model, str) or not isinstance(shift, str) or isinstance(magnitude, bool):
        return None
    if not isinstance(magnitude, (int, float)) or not abs(magnitude) <= 1e9 or math.isnan(magnitude):
        return None
    return Case(model, shift, float(magnitude))


def is_null(entry: object) -> bool:
    """Whether an entry of a grid is about a null control."""
    return isinstance(entry, dict) and str(entry.get("test")).startswith(NULL_TEST)
