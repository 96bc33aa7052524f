"""Scores over the pairs of a tag alone: their names, what they are, and where their pairs stand.

In findings and records such a score is called `top1@counting`: top-1 over the pairs whose prompts have that tag.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import tails

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.score_kinds import ScoreKind

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
    """A score's name without its tag, and without what is asked of its tail."""
    return tails.plain(score.partition(_AT)[0])


def of_all(score: str) -> str:
    """A score's name without its tag alone."""
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
