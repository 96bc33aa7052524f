"""What the plugin's own tests share.

pytest loads this file for `pytest seedshift` in the project's folder too, with no more than the base installation: at
import it needs nothing of the extra "test".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import warm


def pytest_configure(config: pytest.Config) -> None:
    """Reproducible properties; runs inside of tests have nothing to say on the page of a CI that runs these tests."""
    if config.getoption("--seedshift-model", default=None):
        return  # a model is tested here, as in any other folder
    for name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        os.environ.pop(name, None)
    if find_spec("hypothesis"):
        from hypothesis import settings

        settings.register_profile("seedshift", deadline=None, derandomize=True, database=None, max_examples=25)
        settings.load_profile("seedshift")


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let -m "not slow" leave out what is too long for every day, too: it stands in for pyproject's own -m."""
    for item in items:
        if item.get_closest_marker("nightly") is not None:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def warm_python() -> Iterator[str]:
    """The path of a Python that has its libraries loaded already; see `warm`."""
    if not hasattr(os, "pidfd_open"):  # not on Linux
        yield sys.executable
        return
    with TemporaryDirectory(prefix="warm") as folder, warm.python(Path(folder)) as python:
        yield str(python)
