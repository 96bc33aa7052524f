"""What a newcomer does in a clone of the project, with no more than the base installation."""

from __future__ import annotations

import pytest

from helpers import environments
from helpers.environments import PROJECT, Environment


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return environments.link(tmp_path_factory.mktemp("base") / "venv", PROJECT["dependencies"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The base environment and the extra of the tests."""
    requirements = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    return environments.link(tmp_path_factory.mktemp("whole") / "venv", requirements)


def test_the_base_environment_lacks_the_extra(base):
    assert "No module named 'hypothesis'" in base.python("-c", "import hypothesis").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["seedshift", "--seedshift-model=toy-latent"],
        ["seedshift", "--seedshift-model=toy-latent", "--html=report.html", "--self-contained-html"],
        ["--seedshift-model=toy-latent"],
        ["--seedshift-model=toy-latent", "-p", "no:xdist"],
    ],
)
def test_a_model_needs_no_extra(base, arguments):
    run = base.pytest("--collect-only", "-q", *arguments)
    assert "31 tests collected" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0


def test_what_a_model_s_name_runs_does_not_hang_on_what_is_installed(base, whole):
    base, whole = (each.pytest("--collect-only", "-q", "--seedshift-model=toy-latent") for each in (base, whole))
    assert base.stdout.partition("31 tests")[0] == whole.stdout.partition("31 tests")[0]


def test_tests_of_the_toys_need_no_extra(base):
    run = base.pytest("--collect-only", "-q", "tests/reliability")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["--collect-only"], ["-n", "2"], ["tests/core/test_cases.py::test_nothing"], [".", "-k", "cases"]],
)
def test_without_the_extra_the_plugin_s_own_tests_say_what_they_need(base, arguments):
    run = base.pytest(*arguments)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "need its extra 'test'" in run.stderr
    assert "hypothesis" in run.stderr
    assert "transformers" not in run.stderr  # what is there is not called missing
    assert "pip install -e '.[test]'" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_with_the_extra_the_plugin_s_own_tests_are_there(whole):
    run = whole.pytest("--collect-only", "-q", "tests/core/test_shifts.py", "tests/reliability")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "tests/core/test_shifts.py::" in run.stdout
