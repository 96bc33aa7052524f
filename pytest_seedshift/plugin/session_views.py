"""What parts of a session see of it: they lie below `session`, which is made of them, and name here what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_seedshift.core.score_registry import ScoreRegistry
    from pytest_seedshift.core.thresholds import Thresholds
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.plugin.collected import Collected
    from pytest_seedshift.plugin.option_resolution import Settings
    from pytest_seedshift.runner.workbench import Workbench


class Asked(Protocol):
    """What a session was asked for, by options, files and tests, and where its samples are made."""

    @property
    def settings(self) -> Settings:
        """The options."""

    @property
    def catalogue(self) -> Catalogue:
        """The models that have a name."""

    @property
    def thresholds(self) -> Thresholds:
        """All thresholds."""

    @property
    def scores(self) -> ScoreRegistry:
        """What the scores are that its thresholds and its tests ask for."""

    @property
    def collected(self) -> Collected:
        """What its tests ask for, as far as they were collected."""

    @property
    def workbench(self) -> Workbench:
        """Where models and scorers are held."""
