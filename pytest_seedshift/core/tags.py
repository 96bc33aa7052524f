"""Scores over the pairs of a tag alone: their names, what they are, and how `[tag.NAME]` is read.

In findings and records such a score is called `top1@counting`: top-1 over the pairs whose prompts have that tag.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import SeedshiftUsageError

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.scores import Constraint

TABLE = "tag"
"""How the table of tables by tag is called, alone or in another table of thresholds.toml."""

_AT = "@"


def score_of(score: str, tag: str) -> str:
    """The name of a score over a tag's pairs."""
    return f"{score}{_AT}{tag}"


def tag_of(score: str) -> str | None:
    """The tag that a score is of; None of one that is of all pairs."""
    return score.partition(_AT)[2] or None


def plain(score: str) -> str:
    """A score's name without its tag."""
    return score.partition(_AT)[0]


def kind_of(kind: ScoreKind, tag: str) -> ScoreKind:
    """What a score over a tag's pairs is, by what the score is."""
    return dataclasses.replace(kind, title=f"{kind.title} of {tag}")


def places(design: Sequence[Pair]) -> dict[str, tuple[int, ...]]:
    """By tag, where its pairs stand in a design, ascending from 0."""
    found: dict[str, list[int]] = {}
    for place, pair in enumerate(design):
        for tag in pair.label.tags:
            found.setdefault(tag, []).append(place)
    return {tag: tuple(each) for tag, each in found.items()}


def constraints(value: object, where: str, read: Callable[[str, object, str], Constraint]) -> dict[str, Constraint]:
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
            made = read(score, bounds, there)
            if made.needs_baseline is not None:
                raise SeedshiftUsageError(
                    f"{there} {score}: {made.needs_baseline} is of all pairs; by tag give min, max_drop or both"
                )
            name = score_of(score, tag)
            found[name] = dataclasses.replace(made, score=name, own_kind=kind_of(made.score_kind, tag))
    return found


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SeedshiftUsageError(f"{where} is {value!r}, not a table: give such as [tag.counting] with top1 = 0.6")
    return value


def of_design(asked: Iterable[Constraint], found: Mapping[str, object]) -> tuple[Constraint, ...]:
    """Those of some constraints that a design with these tags has pairs for."""
    return tuple(each for each in asked if (tag := tag_of(each.score)) is None or tag in found)
