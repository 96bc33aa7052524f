"""Scores of a distribution's tail: their names and what they are; `tail_tables` reads their bounds.

In findings and records such a score stands under the name of what is asked, each value of it 0 or 1:

- `top1:min_class`: top-1, of which each label by itself is judged;
- `top1:any_of=4`, `top1:all_of=4`: whether any, or all, of four pictures of one label are right;
- `clip:at_least=22`: whether a picture reaches that value, which the bound of a quantile asks of a share of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.score_kinds import ScoreKind

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair

MIN_CLASS, ANY_OF, ALL_OF, AT_LEAST = "min_class", "any_of", "all_of", "at_least"
QUANTILE = "quantile"

KEYS = (MIN_CLASS, ANY_OF, ALL_OF, QUANTILE)
"""How they are called among a score's bounds."""

_NAME = re.compile(r"(?P<score>[^:@]+):(?P<kind>min_class|any_of|all_of|at_least)(?:=(?P<value>[^@]+))?")


@dataclass(frozen=True, slots=True)
class Tail:
    """What a score of a tail is of.

    Attributes:
        score: the name of the score itself.
        kind: `MIN_CLASS`, `ANY_OF`, `ALL_OF` or `AT_LEAST`.
        value: how many pictures a group has, or the value that is to be reached; 0 of `MIN_CLASS`.
    """

    score: str
    kind: str
    value: float = 0.0

    @property
    def name(self) -> str:
        """The name of the score of the tail."""
        return f"{self.score}:{self.kind}" + (
            "" if self.kind == MIN_CLASS else f"={repr(float(self.value)).removesuffix('.0')}"
        )

    @property
    def is_of_groups(self) -> bool:
        """Whether each value is of several pictures of one label."""
        return self.kind in (ANY_OF, ALL_OF)

    def described(self, kind: ScoreKind) -> ScoreKind:
        """What the score of the tail is, by what the score itself is."""
        title = {
            MIN_CLASS: f"worst class's {kind.title}",
            ANY_OF: f"{kind.title} of any of {self.value:g} seeds",
            ALL_OF: f"{kind.title} of all of {self.value:g} seeds",
            AT_LEAST: f"share with {kind.title} ≥ {self.value:g}:",
        }
        return ScoreKind(title[self.kind], 1.0, binary=True)


def of(score: str) -> Tail | None:
    """The tail that a score is of, by all pairs or by a tag's; None of one that is none."""
    found = _NAME.fullmatch(score.partition("@")[0])
    if found is None:
        return None
    try:
        value = float(found["value"] or 0)
    except ValueError:  # of float
        return None
    return Tail(found["score"], found["kind"], value) if math.isfinite(value) else None


def plain(score: str) -> str:
    """A score's name without what is asked of its tail; a tag stays."""
    found = of(score)
    return score if found is None else found.score + score[len(score.partition("@")[0]) :]


def value(score: str, raw: float) -> float:
    """What a picture's value of the score itself counts as."""
    found = of(score)
    return float(raw >= found.value) if found is not None and found.kind == AT_LEAST else raw


def overlaid(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> dict[str, Any]:
    """A table's constraints over those of a wider one: what it asks of a score stands alone, also of its tail."""
    named = {plain(score) for score in narrow}
    return {score: each for score, each in wide.items() if plain(score) not in named} | dict(narrow)


def by_label(design: Sequence[Pair]) -> dict[str, tuple[int, ...]]:
    """By label's name, where its pairs stand in a design, from 0, in the order of their seed indices.

    So neither the order of the labels nor that of a label's pairs has anything to do with the order of the design.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for place, pair in enumerate(design):
        found.setdefault(pair.label.name, []).append((pair.seed, place))
    return {name: tuple(place for _, place in sorted(found[name])) for name in sorted(found)}
