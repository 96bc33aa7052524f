"""Every model under every shift and magnitude, held against the thresholds."""

import pytest


@pytest.mark.reliability
def test_reliability() -> None:
    """The marker does it all: it makes the cases and asserts their thresholds."""
