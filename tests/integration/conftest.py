"""Runs of pytest inside pytest, in folders of their own."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from runs import EASY, cases_of

import pytest_seedshift
from pytest_seedshift.cases import Case


@pytest.fixture(scope="session", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load a model and the figures' library once.

    pytester forgets the modules that an inner run imported, and torch cannot be imported twice into one process.
    """
    import matplotlib.figure  # noqa: F401
    import scipy.stats  # noqa: F401

    for module in walk_packages(pytest_seedshift.__path__, "pytest_seedshift."):
        if ".suite." not in module.name:
            import_module(module.name)
    from pytest_seedshift.folder import RunFolder
    from pytest_seedshift.models import catalogue
    from pytest_seedshift.workbench import Workbench

    folder = RunFolder(tmp_path_factory.mktemp("loaded"))
    bench = Workbench(folder, "cpu", "float32", batch_size=1, keep="none")
    bench.measure(Case("toy-latent"), catalogue.shipped().design("toy-latent", 16))
    bench.close()


Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run pytest in this process, in a folder whose thresholds are easy unless the test writes others."""
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    return lambda *args: pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)


@pytest.fixture
def verdicts(pytester: pytest.Pytester) -> Callable[[], dict[str, dict[str, Any]]]:
    """The cases of the default run folder's verdicts.json, by id."""
    return lambda: cases_of(pytester.path / ".seedshift")
