"""What the plugin's own tests share.

pytest loads this file for `pytest seedshift` in the project's folder too, with no more than the base installation: at
import it needs nothing of the extra "test".
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from helpers import distributions, warm

if TYPE_CHECKING:
    from helpers.recall import Memory


def pytest_configure(config: pytest.Config) -> None:
    """Reproducible properties; runs inside of tests have nothing to say on the page of a CI that runs these tests.

    A process computes in one thread unless it is told otherwise: of two that share two cores, each with two threads, a
    thread waits for another most of the time, which takes ten times as long as the toys' small networks do alone.
    """
    if config.getoption("--seedshift-model", default=None):
        return  # a model is tested here, as in any other folder
    if os.environ.get("CI") and config.option.durations is None:
        config.option.durations = 12
    for name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        os.environ.pop(name, None)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it when it is loaded, which no plugin has done yet
    if find_spec("tqdm"):
        from tqdm import tqdm

        # The first bar of a process, shown or not, begins a thread that looks at all bars every ten seconds and warns
        # where one goes meanwhile. Here a warning is an error, of whichever test is at work by then.
        tqdm.monitor_interval = 0
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


# Runs of pytest inside pytest, in folders of their own. Where such tests lie, a conftest.py asks for `memory` and
# `warm_executable` for each of their modules.


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Load a model and the libraries of figures and likeness once, and read once what is installed.

    pytester forgets the modules that an inner run imported: without this each run with a page would import torchmetrics
    anew, and torch cannot be imported twice into one process.
    """
    import matplotlib.figure  # noqa: F401
    import scipy.stats  # noqa: F401
    import torchmetrics.functional.image  # noqa: F401

    import pytest_seedshift

    for module in walk_packages(pytest_seedshift.__path__, "pytest_seedshift."):
        if ".suite." not in module.name:
            import_module(module.name)
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.models import catalogue
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.runner.workbench import Workbench

    folder = RunFolder(tmp_path_factory.mktemp("loaded"))
    bench = Workbench(folder, "cpu", "float32", batch_size=1, keep="none")
    bench.measure(Case("toy-latent"), catalogue.shipped().design("toy-latent", 16))
    bench.close()
    gc.freeze()  # what is there now stays: every run's collections of garbage need not look at it
    with distributions.remembered():
        yield


@pytest.fixture(scope="session")
def _remembered() -> Memory:
    from helpers.recall import Memory

    return Memory()


@pytest.fixture(scope="module")  # so that tests elsewhere have the networks as they are
def memory(loaded: None, _remembered: Memory) -> Iterator[Memory]:
    """What the toys' networks have computed in this process; see `recall`."""
    from helpers.recall import recalling

    gc.collect()
    gc.freeze()  # what earlier tests have left for the session: each run collects garbage twice
    with recalling(_remembered):
        yield _remembered


@pytest.fixture(scope="module")
def warm_executable(warm_python: str) -> Iterator[None]:
    """Let `sys.executable` be a Python that has its libraries loaded already; see `warm`, and the fixture `cold`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", warm_python)
        yield


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `sys.executable` be the Python that a user has, for a test of what it loads, or of all there is at once."""
    monkeypatch.setattr(sys, "executable", warm.PYTHON)


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run pytest in this process, in a folder whose thresholds are easy unless the test writes others."""
    from helpers.runs import EASY

    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    return lambda *args: pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)


@pytest.fixture
def verdicts(pytester: pytest.Pytester) -> Callable[[], dict[str, dict[str, Any]]]:
    """The cases of the default run folder's verdicts.json, by id."""
    from helpers.runs import cases_of

    return lambda: cases_of(pytester.path / ".seedshift")
