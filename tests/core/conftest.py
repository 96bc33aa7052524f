"""Tests of the core know of no session, not even of the one that runs them, which may test models as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_seedshift.core import registry


@pytest.fixture(autouse=True)
def _outside_of_a_session() -> Iterator[None]:
    made = registry.Extensions()
    registry.push(made)
    yield
    registry.remove(made)
