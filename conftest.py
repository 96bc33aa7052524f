"""The project as its own first user; pytester runs pytest inside its tests."""

from __future__ import annotations

import os
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from packaging.requirements import Requirement

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent
TESTS = ROOT / "tests"
RELIABILITY = TESTS / "reliability"
"""Tests of the toy models; they need the plugin alone. All others need the extra "test"."""


def pytest_configure(config: pytest.Config) -> None:
    """The project's own tests measure its code as it is now: no sample of an earlier state of it counts."""
    model = config.getoption("--seedshift-model", default=None)
    if model and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args = ["seedshift"]  # a model is the subject, as in any other folder: not the plugin
    if not model:
        config.option.seedshift_fresh = True
    if hasattr(config, "workerinput"):  # before anybody imports torch: two processes of two threads starve each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    elif any(_needs_extra(config.invocation_params.dir / each.partition("::")[0]) for each in config.args):
        _refuse_without_extra()


@pytest.hookimpl(wrapper=True)  # before pytest-xdist has read its options
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Let -n give each worker neighbours, so that what a module shares is made once, and none wait at the end."""
    if config.getoption("numprocesses", None) and config.getoption("dist", "no") == "no":
        config.option.dist = "worksteal"
    return (yield)


def _needs_extra(path: Path) -> bool:
    """Whether tests that need the extra "test" are among those that an argument of pytest names."""
    path = path.resolve()
    if not path.exists() or path.is_relative_to(RELIABILITY):
        return False
    return path.is_relative_to(TESTS) or TESTS.is_relative_to(path)


def _refuse_without_extra() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["test"]])
    lacking = sorted(str(each) for each in needed if not _is_installed(each))
    if lacking:
        raise pytest.UsageError(
            f"the tests of the plugin itself need its extra 'test'; not installed here: {', '.join(lacking)}. "
            "To install it: pip install -e '.[test]' "
            "(to test a model, which needs no extra: pytest seedshift --seedshift-model=toy-latent)"
        )


def _is_installed(requirement: Requirement) -> bool:
    if requirement.marker and not requirement.marker.evaluate():
        return True  # not wanted on this system
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False
