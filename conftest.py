"""The project as its own first user; pytester runs pytest inside its tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """The project's own tests measure its code as it is now: no sample of an earlier state of it counts."""
    if not config.getoption("--seedshift-model"):
        config.option.seedshift_fresh = True
    if hasattr(config, "workerinput"):  # before anybody imports torch: two processes of two threads starve each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")
