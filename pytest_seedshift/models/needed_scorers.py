"""Which scorers a session needs, by model: those whose scores something asks for.

A bound asks for its score, a baseline for the scores that it has, a study or a fixture for what it works with. A scorer
that nobody asks for is neither looked for nor loaded. All of a thresholds file that speaks of a model counts, and all
markers that were collected, whatever is selected of them: a part of a run makes the samples that the whole of it makes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pytest_seedshift.core import likeness
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.scorers import declared

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

CLASSIFIER, CLIP = "classifier", "clip"

SCORES: Mapping[str, tuple[str, ...]] = {CLASSIFIER: ("top1", "top5"), CLIP: ("clip",)}
"""By scorer, named as the key of `Entry` that has its source, the scores that it gives."""

ALL = frozenset(SCORES)
"""All that are shipped."""

_OWN = "*"
"""In the place of the names of all scores that have a scorer of their own."""

EVERY = ALL | {_OWN}
"""All that are shipped, and all others of the run."""

Scorers: TypeAlias = "Callable[[str], frozenset[str]]"
"""By a model's name, which of `SCORES` it needs, and which scores that have a scorer of their own."""


def every(_: str) -> frozenset[str]:
    """All of them, whatever the model: for commands that measure with all."""
    return EVERY


def is_needed(score: str, needed: frozenset[str]) -> bool:
    """Whether a score that has a scorer of its own is among what is needed."""
    return score in needed or _OWN in needed


def of_scores(scores: Iterable[str]) -> frozenset[str]:
    """The scorers that give some scores; a score of the user's own has a scorer of its own.

    Likeness has none, but for that of CLIP's embeddings.
    """
    asked = {"clip" if likeness.measure_of(score) == "embedding" else score for score in scores}
    return frozenset(name for name, given in SCORES.items() if asked.intersection(given))


def without_others(entry: Entry, needed: frozenset[str]) -> Entry:
    """An entry that names no source of a scorer that is not needed, an empty one in its place, and those declared."""
    others = declared.among(needed - EVERY)
    if needed >= ALL and not others:
        return entry
    classifier, clip = (getattr(entry, name) if name in needed else "" for name in SCORES)
    return dataclasses.replace(entry, classifier=classifier, clip=clip, declared=others)


@dataclass
class Needed:
    """What was asked for so far, besides the thresholds file and the baseline."""

    _scorers: dict[str, set[str]] = field(default_factory=dict)
    _scores: dict[str, set[str]] = field(default_factory=dict)
    _settled: dict[str, frozenset[str]] = field(default_factory=dict)

    def ask(self, models: Iterable[str], *, scores: Iterable[str] = (), scorers: Iterable[str] = ()) -> None:
        """Ask for scores or for scorers of some models."""
        scores, scorers = tuple(scores), tuple(scorers)
        for model in models:
            self._scores.setdefault(model, set()).update(scores)
            self._scorers.setdefault(model, set()).update(scorers)

    def settle(self, model: str, scorers: frozenset[str]) -> None:
        """Need just these scorers of a model, whatever else asks for scores: for a study that comes to no verdict."""
        self._settled[model] = scorers

    def of(self, model: str, scores: Iterable[str]) -> frozenset[str]:
        """What a model needs, where others ask for `scores`; all where nothing is asked of it at all."""
        if model in self._settled:
            return self._settled[model]
        given = {*scores, *self._scores.get(model, ())}
        asked = {each for each in given if likeness.measure_of(each) in (None, "embedding")}  # no other has a scorer
        own = {each for each in asked if likeness.measure_of(each) is None and each not in BUILT_IN}
        found = of_scores(asked) | self._scorers.get(model, set()) | own
        return frozenset(found) if asked or found else ALL
