"""What parts of a session see of it: they lie below `session`, which is made of them, and name here what they need.

`session.State` is all of these; what takes one of them cannot reach for more, and a test can give less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.runner.workbench import Workbench


class Asked(Protocol):
    """What a session was asked for, by options and files."""

    @property
    def settings(self) -> Settings:
        """The options."""

    @property
    def catalogue(self) -> Catalogue:
        """The models that have a name."""

    @property
    def thresholds(self) -> Thresholds:
        """All thresholds."""

    def design_seed(self, settings: Settings | None = None) -> int:
        """The seed of a design, by a test's settings or else by those of the session."""


class AskedOfCases(Asked, Protocol):
    """What is asked of the items of a session besides, and where their samples are made."""

    @property
    def workbench(self) -> Workbench:
        """Where models and scorers are held."""

    def constraints(self, item: pytest.Item, case: Case) -> tuple[Constraint, ...]:
        """What is asked of an item's case."""

    def design(self, item: pytest.Item, case: Case) -> tuple[Pair, ...]:
        """The pairs that an item's case is defined on."""

    def test(self, item: pytest.Item, case: Case) -> SequentialTest | NullTest:
        """What decides about an item's case."""
