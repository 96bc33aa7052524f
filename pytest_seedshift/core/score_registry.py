"""Which scores a run has: a value that goes with the run, so that two runs with unlike scores stand side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_seedshift.core import likeness, tags, tails
from pytest_seedshift.core.score_kinds import BUILT_IN, ScoreKind


class ScoreRegistry(Mapping[str, ScoreKind]):
    """The kinds of a run's scores by name: first the built-in ones, then those of the user's own, sorted.

    It also knows what scores of likeness are, which are no scores of one image, scores of a tag's pairs and of
    tails, and lists none of them.
    """

    __slots__ = ("_kinds",)

    def __init__(self, own: Mapping[str, ScoreKind] | None = None) -> None:
        """Hold the built-in scores and `own`; a name of a built-in one means that."""
        given = {} if own is None else own
        mine = [name for name in sorted(given) if name not in BUILT_IN and not likeness.kind_of(name)]
        self._kinds = {**BUILT_IN, **{name: given[name] for name in mine if not (tags.tag_of(name) or tails.of(name))}}

    def __getitem__(self, name: str) -> ScoreKind:
        if name not in self._kinds and (found := likeness.kind_of(name)) is not None:
            return found
        if name not in self._kinds and (tag := tags.tag_of(name)) is not None:
            return tags.kind_of(self[tags.of_all(name)], tag)
        if name not in self._kinds and (tail := tails.of(name)) is not None:
            return tail.described(self._kinds[tail.score])
        return self._kinds[name]

    def __contains__(self, name: object) -> bool:
        return name in self._kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __hash__(self) -> int:
        return hash(tuple(self._kinds.items()))

    def __or__(self, others: Mapping[str, ScoreKind]) -> ScoreRegistry:
        """These, and those of `others` that are none of them."""
        return ScoreRegistry({**others, **self._kinds})

    def __repr__(self) -> str:
        return f"ScoreRegistry({self.own!r})"

    @property
    def own(self) -> dict[str, ScoreKind]:
        """Those of the user's own."""
        return {name: kind for name, kind in self._kinds.items() if name not in BUILT_IN}


SHIPPED = ScoreRegistry()
"""The built-in scores alone."""


def in_order(names: Iterable[str]) -> list[str]:
    """Names of scores in the order of every registry that has them: built-in ones first, the others sorted."""
    given = set(names)
    return [*(name for name in BUILT_IN if name in given), *sorted(given - BUILT_IN.keys())]


def recorded(document: Mapping[str, Any]) -> ScoreRegistry:
    """The scores that verdicts.json, or a baseline, names; what is no score of the user's own is left out."""
    entries, found = document.get("scores"), {}
    for name, each in entries.items() if isinstance(entries, dict) else ():
        try:
            ends = float(each["top"]), bool(each["binary"]), float(each.get("low", 0.0))
            kind = ScoreKind(str(each["title"]), *ends)
        except (AttributeError, KeyError, TypeError, ValueError):  # of another form
            continue
        if -math.inf < kind.low < kind.top < math.inf:
            found[str(name)] = kind
    return ScoreRegistry(found)
