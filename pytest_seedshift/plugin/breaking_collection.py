"""From tests to items: the `breaking_point` marker, and parametrization over searches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core import breaking_bounds, limits, searches
from pytest_seedshift.core.test_names import BREAKING_MARKER, MARKER, RESULT
from pytest_seedshift.plugin import border, collection

if TYPE_CHECKING:
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.models.catalogue import Catalogue
    from pytest_seedshift.plugin.collection import Request
    from pytest_seedshift.plugin.option_resolution import Settings

ARGUMENTS = ("models", "shifts", "signs", "images", "design_seed", "exact", "prompts", breaking_bounds.KEY)
"""Those of the marker, besides scores."""
"""The marker's, beside the scores."""

_SIGNS = {"+": 1, "-": -1, "1": 1, "-1": -1, "+1": 1}


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a test asks for: settings and constraints as of any test about cases, the signs, and its own bound."""

    base: Request
    signs: tuple[int, ...]
    minimum: float | None = None

    def searches(self) -> list[Search]:
        """The searches of the test.

        Raises:
            pytest.UsageError: an unknown model, or a shift without a meaning, or too many searches.
        """
        settings = self.base.settings
        self.base.cases(models_only=True)
        with border.usage_errors():
            count = len(settings.models) * len(settings.shifts) * len(self.signs)
            what = f"{len(settings.models)} models × {len(settings.shifts)} shifts: breaking points"
            limits.check(count, limits.CASES, what, lifted=settings.no_limits)
            return searches.grid(settings.models, settings.shifts, self.signs)


def read_marker(settings: Settings, catalogue: Catalogue, mark: pytest.Mark | None, where: str) -> SearchRequest:
    """Lay a test's marker over the settings; `where` names the test in an error.

    The signs, where the marker names none, are those of the magnitudes that the settings name.

    Raises:
        pytest.UsageError: an argument that the marker does not take, or a value that cannot be used.
    """
    signs = tuple(sign for sign in (1, -1) if any(at * sign > 0 for at in settings.magnitudes)) or (1, -1)
    if mark is None:
        return SearchRequest(collection.Request(settings, catalogue), signs)
    base = collection.read_marker(settings, catalogue, mark, where, marker=BREAKING_MARKER, arguments=ARGUMENTS)
    place = f"{where}: @pytest.mark.{BREAKING_MARKER}"
    if "signs" in mark.kwargs:
        signs = _signs(mark.kwargs["signs"], place)
    minimum = None
    if breaking_bounds.KEY in mark.kwargs:
        with border.usage_errors():
            minimum = breaking_bounds.check(mark.kwargs[breaking_bounds.KEY], place)
    return SearchRequest(base, signs, minimum)


def _signs(given: object, where: str) -> tuple[int, ...]:
    listed: Iterable[object] = given if isinstance(given, (list, tuple)) else [given]
    texts = [str(each) for each in listed]
    unknown = [text for text in texts if text not in _SIGNS]
    if unknown or not texts:
        raise pytest.UsageError(f"{where} signs={given!r}: give '+', '-' or both, such as ['+', '-']")
    return tuple(dict.fromkeys(_SIGNS[text] for text in texts))


def parametrize(metafunc: pytest.Metafunc, request: SearchRequest) -> None:
    """Make one item for each search; where no model is named, one that says so instead of passing.

    Raises:
        pytest.UsageError: the test is about cases too.
    """
    if metafunc.definition.get_closest_marker(MARKER) is not None or RESULT in metafunc.fixturenames:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: a test is about a case ({MARKER}) or about a breaking point "
            f"({BREAKING_MARKER}), not both: make it two tests"
        )
    found = request.searches()
    collection.make_items(metafunc, found, [search.id for search in found], BREAKING_MARKER)
