"""Where each model breaks under each shift, in each direction, held against `min_breaking_point`."""

import pytest


@pytest.mark.breaking_point
def test_breaking_point() -> None:
    """The marker does it all: it makes the searches and asserts the bound."""
