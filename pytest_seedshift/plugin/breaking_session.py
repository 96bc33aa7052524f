"""What a test with a breaking point asks for: its marker over the settings, its constraints, its bound, its design."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_seedshift.core.test_names import BREAKING_MARKER
from pytest_seedshift.plugin import border, breaking_collection

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.plugin.session_views import Asked


def request(session: Asked, item: pytest.Item) -> breaking_collection.SearchRequest:
    """What the item's test asks for."""
    mark = item.get_closest_marker(BREAKING_MARKER)
    return breaking_collection.read_marker(session.settings, session.catalogue, mark, item.nodeid)


def design(session: Asked, item: pytest.Item, search: Search) -> tuple[Pair, ...]:
    """The pairs that every magnitude of a search is judged on."""
    settings = request(session, item).base.settings
    return session.catalogue.design(search.model, settings.images, session.design_seed(settings))


def test_of(session: Asked, item: pytest.Item, search: Search) -> SequentialTest:
    """What decides about every magnitude of a search.

    Raises:
        pytest.UsageError: nothing is asked of the shift's cases.
    """
    from pytest_seedshift.core.stats.sequential import SequentialTest

    base = request(session, item).base
    with border.usage_errors():
        found = session.thresholds.constraints(search.asked, base.constraints, called=search.id)
    constraints = _absolute(found)
    if not constraints:
        raise pytest.UsageError(
            f"{search.id}: all that is asked for is max_regression, and a baseline has none of the magnitudes that a "
            "search looks at: ask for min or max_drop too"
        )
    return SequentialTest(
        constraints, len(design(session, item, search)), session.thresholds.certainty, base.settings.exact
    )


def _absolute(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """What constraints ask without a baseline."""
    from pytest_seedshift.runner import regression_gate

    return regression_gate.without(
        each for each in constraints if each.minimum is not None or each.max_drop is not None
    )


def minimum(session: Asked, item: pytest.Item, search: Search) -> float | None:
    """The least breaking point that is asked for; None where nothing is."""
    asked = request(session, item).minimum
    return session.thresholds.breaking.minimum(search.model, search.shift) if asked is None else asked
