"""The null control of every model: nothing must change but by chance. Part of the run with --seedshift-null."""

import pytest


@pytest.mark.usefixtures("_seedshift_null")
def test_null_control() -> None:
    """The fixture does it all: a change beyond chance is an error in setting it up, not a failure of the model."""
