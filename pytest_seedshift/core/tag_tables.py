"""`[tag.NAME]` in thresholds.toml, alone or in another table: what is asked of the pairs of a tag; see `tags`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import tags
from pytest_seedshift.core.errors import SeedshiftUsageError

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint


def constraints(
    value: object, where: str, read: Callable[[str, object, str], Mapping[str, Constraint]]
) -> dict[str, Constraint]:
    """What tables by tag ask.

    Args:
        value: of the table of tables.
        where: it stands, such as `thresholds.toml: [tag]`.
        read: reads one score's bounds: its name, they, and where they stand.

    Raises:
        SeedshiftUsageError: it is no table, or asks for something else than `min` and `max_drop` of scores.
    """
    found: dict[str, Constraint] = {}
    for tag, table in _table(value, where).items():
        there = f"{where[:-1]}.{tag}]"
        for score, bounds in _table(table, there).items():
            for made in read(score, bounds, there).values():
                if made.needs_baseline is not None:
                    raise SeedshiftUsageError(
                        f"{there} {score}: {made.needs_baseline} is of all pairs; by tag give min, max_drop or both. "
                        "seedshift compare shows what has become of each tag"
                    )
                name = tags.score_of(made.score, tag)
                found[name] = dataclasses.replace(made, score=name, own_kind=tags.kind_of(made.score_kind, tag))
    return found


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SeedshiftUsageError(f"{where} is {value!r}, not a table: give such as [tag.counting] with top1 = 0.6")
    return value


def of_design(asked: Iterable[Constraint], found: Mapping[str, object]) -> tuple[Constraint, ...]:
    """Those of some constraints that a design with these tags has pairs for."""
    return tuple(each for each in asked if (tag := tags.tag_of(each.score)) is None or tag in found)
