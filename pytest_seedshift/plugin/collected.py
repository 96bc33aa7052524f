"""What the tests of a session ask for, as far as they were collected: its owner is `collection_hooks`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from pytest_seedshift.core.likeness import measures

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.core.score_registry import ScoreRegistry
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Search


class Collected:
    """Cases, searches for breaking points and models, whether their items are deselected or not."""

    def __init__(self, models: Iterable[str]) -> None:
        """`models` are those that the options name."""
        self._cases: set[Case] = set()
        self._searches: set[Search] = set()
        self._models = dict.fromkeys(models)
        self._scores: dict[str, ScoreKind] = {}
        self._likeness: dict[Case, frozenset[str]] = {}

    @property
    def cases(self) -> Collection[Case]:
        """All cases that tests ask for."""
        return frozenset(self._cases)

    @property
    def searches(self) -> Collection[Search]:
        """All searches that tests ask for."""
        return frozenset(self._searches)

    @property
    def models(self) -> tuple[str, ...]:
        """All models, those of the options first."""
        return tuple(self._models)

    def add_cases(self, cases: Iterable[Case]) -> None:
        """Take note of cases."""
        self._cases.update(cases)

    def add_searches(self, searches: Iterable[Search]) -> None:
        """Take note of searches."""
        self._searches.update(searches)

    @property
    def scores(self) -> ScoreRegistry:
        """What the scores are that tests ask for."""
        from pytest_seedshift.core.score_registry import ScoreRegistry

        return ScoreRegistry(self._scores)

    def add_scores(self, asked: Iterable[Constraint]) -> None:
        """Take note of the scores that a test asks for."""
        self._scores |= {each.score: each.score_kind for each in asked}

    def likeness(self, case: Case) -> frozenset[str]:
        """The measures of likeness that markers ask of a case; see `core.likeness`."""
        return self._likeness.get(case, frozenset())

    def add_likeness(self, cases: Iterable[Case], scores: Iterable[str]) -> None:
        """Take note of the measures that are among the scores which a test asks for."""
        if asked := measures(scores):
            self._likeness |= {case: asked | self.likeness(case) for case in cases}

    def add_models(self, models: Iterable[str]) -> None:
        """Take note of the models that a test is about."""
        self._models |= dict.fromkeys(models)
