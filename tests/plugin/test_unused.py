"""Where it is not used the plugin does nothing, says nothing, loads nothing. Each test starts its own process."""

from __future__ import annotations

import json
import sys

import pytest

from helpers.runs import SMALL

pytestmark = pytest.mark.usefixtures("cold")

HEAVY = ("torch", "numpy", "scipy", "pydantic", "diffusers", "transformers", "open_clip", "matplotlib", "PIL")

NAMES = (
    *("core", "core.errors", "core.limits", "core.test_names"),
    *("plugin", "plugin.border", "plugin.config_names", "plugin.hookspecs", "plugin.options", "plugin.unjudged"),
)
OURS = ", ".join(f"'pytest_seedshift.{name}'" for name in NAMES)


@pytest.fixture
def report_modules(pytester: pytest.Pytester) -> None:
    """Let a run print which heavy modules it loaded, at its very end."""
    pytester.makeconftest(
        f"""
        import sys

        def pytest_unconfigure():
            print("loaded:", sorted(set(sys.modules) & set({HEAVY!r})))
            print("ours:", sorted(name for name in sys.modules if name.startswith("pytest_seedshift.")))
        """
    )


def test_a_project_without_reliability_tests_does_not_notice_it(pytester, report_modules):
    pytester.makepyfile("def test_plain():\n    pass\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["loaded: []", f"ours: ?{OURS}?"])
    assert "seedshift" not in result.stdout.str().replace("seedshift-0.2.0", "").partition("loaded:")[0]
    assert not (pytester.path / ".seedshift").exists()


@pytest.fixture
def modules_of_all(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Let each process of a run write down at its very end which modules it has loaded; to be called for them."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of the process that runs this test
    pytester.makeconftest(
        """
        import json, os, pathlib, sys

        def pytest_unconfigure():
            name = os.environ.get("PYTEST_XDIST_WORKER", "alone")
            pathlib.Path(f"modules-{name}.json").write_text(json.dumps(sorted(sys.modules)))
        """
    )

    def read() -> dict[str, set[str]]:
        files = {path.stem: path for path in pytester.path.glob("modules-*.json")}
        return {name.removeprefix("modules-"): set(json.loads(path.read_text())) for name, path in files.items()}

    return read


LATE = (*HEAVY, "jinja2", "pydantic_core", "filelock", "tomlkit", "psutil")
"""What only a session with cases needs; pytest-html brings jinja2 itself."""


@pytest.mark.parametrize(
    ("arguments", "processes"),
    [(("--html=page.html",), ["alone"]), (("-n1",), ["alone", "gw0"]), (("-n1", "--html=page.html"), ["alone", "gw0"])],
    ids=["html", "xdist", "both"],
)
def test_who_uses_other_plugins_alone_does_not_notice_it(pytester, modules_of_all, monkeypatch, arguments, processes):
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("temporary")))
    pytester.makepyfile("def test_plain():\n    pass\n")
    without = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:seedshift", *arguments)
    without.assert_outcomes(passed=1)
    theirs = modules_of_all()
    pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments).assert_outcomes(passed=1)
    found = modules_of_all()
    assert sorted(found) == processes
    for process, loaded in found.items():
        assert not (loaded - theirs[process]) & set(LATE)
        ours = {name for name in loaded if name.startswith("pytest_seedshift.")}
        assert ours <= {f"pytest_seedshift.{name}" for name in (*NAMES, "plugin.waiting")}
    assert not list((pytester.path / "temporary").glob("seedshift-*"))


def test_the_check_for_others_modules_can_fail(pytester, modules_of_all):
    pytester.makepyfile("import pytest\n@pytest.mark.reliability(models='toy-latent')\ndef test_it():\n    pass\n")
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--collect-only", "--html=page.html")
    assert "pytest_seedshift.plugin.activation" in modules_of_all()["alone"]


def test_collecting_loads_nothing_heavy(pytester, report_modules):
    result = pytester.runpytest_subprocess("--collect-only", "-q", *SMALL)
    result.stdout.fnmatch_lines(["31 tests collected*", "loaded: []"])


def test_the_check_for_heavy_modules_can_fail(pytester, report_modules):
    pytester.makepyfile("import numpy\ndef test_plain():\n    pass\n")
    pytester.runpytest_subprocess().stdout.fnmatch_lines(["loaded: ?'numpy'?"])


def test_it_can_be_switched_off(pytester):
    pytester.makepyfile("def test_plain():\n    pass\n")
    pytester.runpytest_subprocess("-p", "no:seedshift").assert_outcomes(passed=1)


def test_the_plugin_is_called_seedshift(pytester):
    result = pytester.run(sys.executable, "-m", "pytest", "--trace-config", "--co")
    result.stdout.fnmatch_lines(["*seedshift*: *pytest_seedshift*plugin*__init__.py"])


# A misspelt option ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["command line", "addopts", "variable"])
def test_a_misspelt_option_is_told_which_was_meant(pytester, monkeypatch, way):
    given = "--seedshift-imagse=16"
    if way == "addopts":
        pytester.makeini(f"[pytest]\naddopts = {given}\n")
    elif way == "variable":
        monkeypatch.setenv("PYTEST_ADDOPTS", given)
    result = pytester.runpytest_subprocess(*([given] if way == "command line" else []))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: unknown option '--seedshift-imagse'. Did you mean '--seedshift-images'?*"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_an_option_of_a_conftest_may_begin_like_ours(pytester):
    pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--seedshift-mine')")
    pytester.makepyfile("def test_it(request): assert request.config.getoption('seedshift_mine') == '3'")
    pytester.runpytest_subprocess("--seedshift-mine=3").assert_outcomes(passed=1)
    pytester.runpytest_subprocess("--seedshift-mine", "3").assert_outcomes(passed=1)
