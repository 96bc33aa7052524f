"""Runs of pytest inside pytest, in folders of their own."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
import warm
from recall import Memory, recalling
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
    gc.freeze()  # what is there now stays: every run's collections of garbage need not look at it


@pytest.fixture(scope="session")
def _remembered() -> Memory:
    return Memory()


@pytest.fixture(scope="module", autouse=True)  # so that tests elsewhere have the networks as they are
def memory(_loaded: None, _remembered: Memory) -> Iterator[Memory]:
    """What the toys' networks have computed in this process; see `recall`."""
    with recalling(_remembered):
        yield _remembered


@pytest.fixture(scope="module", autouse=True)
def _warm(warm_python: str) -> Iterator[None]:
    """Let `sys.executable` be a Python that has its libraries loaded already; see `warm`, and the fixture `cold`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", warm_python)
        yield


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `sys.executable` be the Python that a user has, for a test of what it loads, or of all there is at once."""
    monkeypatch.setattr(sys, "executable", warm.PYTHON)


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
