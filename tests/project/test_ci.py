"""CI runs the README's own commands, and sees when they do not do what they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from helpers.environments import ROOT

README = (ROOT / "README.md").read_text()
PAGE = f"<html>{'.' * 20_000}</html>"


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / ".ci")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The steps of a project that has a README alone: what its commands are is for `project` to say."""
    import steps

    monkeypatch.setattr(steps, "ROOT", tmp_path / "project")
    return steps


def project(folder: Path, *commands: str) -> None:
    """A repository whose README has these commands where the set-up commands stand."""
    folder.mkdir(exist_ok=True)
    blocks = "\n\n".join(f"```sh\n{command}\n```" for command in commands)
    (folder / "README.md").write_text(
        f"# Project\n\n```sh\nfalse\n```\n\n## Two commands\n\n{blocks}\n\n## More\n\n```sh\nfalse\n```\n"
    )
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)


def test_the_readme_has_two_commands():
    from readme_commands import two_commands

    first, second = two_commands(README)
    assert first in README.splitlines()
    assert second in README.splitlines()
    assert "[test]" not in first
    assert "[test]" in second


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("## Two commands", "## Three commands", "0 sections"),
        ("## What you see", "## Two commands", "2 sections"),
        ("Run the tests of", "```sh\necho\n```\nRun the tests of", "3 blocks"),
        ("```sh\npython3 -m venv", "```text\npython3 -m venv", "0 blocks"),
        (" && .venv/bin/pytest -n 2", "\n.venv/bin/pytest -n 2", "not one line"),
    ],
)
def test_a_changed_readme_is_noticed(old, new, reason):
    from readme_commands import two_commands

    assert old in README
    with pytest.raises(ValueError, match=reason):
        two_commands(README.replace(old, new))


def test_the_commands_come_from_the_readme_and_run_in_clones(steps, tmp_path, capsys):
    project(tmp_path / "project", "pwd > ../../first; exit 3", "test -d .git && echo '=== 7 passed in 1.23s ==='")
    assert steps.main(["first", "tests"]) == 1
    printed = capsys.readouterr().out
    assert "FAILED: status 3" in printed
    assert printed.splitlines()[-1] == "=== 7 passed in 1.23s ==="
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    assert {path.name for path in (tmp_path / "project").iterdir()} == {".git", "README.md"}


def test_of_the_first_command_the_second_finds_the_environment_and_nothing_else(steps, tmp_path, capsys):
    begins = "mkdir .venv made && touch .venv/there made/left left; exit 3"
    goes_on = "test -e .venv/there && test ! -e made && test ! -e left && echo '=== 7 passed in 1.23s ==='"
    (tmp_path / "project").mkdir()
    (tmp_path / "project/.gitignore").write_text("/.venv/\n/made/\n")
    project(tmp_path / "project", begins, goes_on)
    steps.main(["first", "tests"])
    assert capsys.readouterr().out.splitlines()[-1] == "=== 7 passed in 1.23s ==="
    assert steps.main(["tests"]) == 1  # by itself it begins with nothing


def test_pip_compiles_nothing_in_a_newcomer_s_environment(steps, tmp_path):
    wheel = tmp_path / "tiny-1-py3-none-any.whl"
    with ZipFile(wheel, "w") as made:
        made.writestr("tiny.py", "")
        made.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        made.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr("tiny-1.dist-info/RECORD", "")
    install = f"{sys.executable} -m pip install -q --no-index --no-deps {wheel} --target {tmp_path}/"
    project(tmp_path / "project", "true", f"{install}ours && echo '=== 7 passed in 1.23s ==='")
    assert steps.main(["tests"]) == 0
    silent = ("PYTHONDONTWRITEBYTECODE", "PIP_NO_COMPILE")
    anybody = {name: value for name, value in os.environ.items() if name not in silent}
    subprocess.run(f"{install}theirs", shell=True, check=True, env=anybody)
    compiled = {name: list((tmp_path / name).rglob("*.pyc")) for name in ("ours", "theirs")}
    assert (tmp_path / "ours/tiny.py").exists()
    assert compiled["theirs"]
    assert not compiled["ours"]


def test_tests_that_fail_fail_the_run(steps, tmp_path, capsys):
    project(tmp_path / "project", "true", "echo '=== 1 failed, 7 passed in 1.23s ==='; exit 1")
    assert steps.main(["tests"]) == 1
    assert "1 failed, 7 passed" in capsys.readouterr().out


def test_why_a_test_failed_stands_in_the_last_lines(steps, tmp_path, capsys):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/test_it.py").write_text("def test_it():\n    seven = 7\n    assert seven == 8\n" + "\n" * 300)
    run = f"{sys.executable} -m pytest -q -p no:cacheprovider; status=$?; seq 2000; exit $status"
    project(tmp_path / "project", "true", run)
    assert steps.main(["tests"]) == 1
    last = capsys.readouterr().out.splitlines()[-10:]
    assert "tests: E       assert 7 == 8" in last
    assert "tests: test_it.py:3: AssertionError" in last


def test_a_readme_without_the_commands_fails_the_run(steps, tmp_path, capsys):
    project(tmp_path / "project", "echo '=== 7 passed in 1.23s ==='")
    assert steps.main(["tests"]) == 1
    assert "1 blocks of commands" in capsys.readouterr().out


def test_a_step_that_is_not_known_is_an_error(steps, capsys):
    assert steps.main(["frist"]) == 4
    assert "no such step: frist" in capsys.readouterr().err


LAYERS = """
[tool.ruff.lint]
select = ["F"]

[tool.mypy]
strict = true
packages = ["house"]

[tool.importlinter]
root_packages = ["house"]

[[tool.importlinter.contracts]]
name = "Down only"
type = "layers"
containers = ["house"]
layers = ["above", "below"]
"""
GOOD = {"below": '"""Below."""\n', "above": '"""Above."""\n\nfrom house import below\n\nprint(below.__name__)\n'}


def a_house(folder: Path, **modules: str) -> None:
    """A project of two layers, with a README."""
    (folder / "house").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(LAYERS)
    (folder / "house/__init__.py").write_text("")
    for name, source in {**GOOD, **modules}.items():
        (folder / "house" / f"{name}.py").write_text(source)


@pytest.fixture
def gated(steps, monkeypatch) -> Any:
    """The steps, of which no environment is made: the tools are those of this one."""
    monkeypatch.setattr(steps.Place, "test_environment", lambda _place, _clone: Path(sys.executable))
    return steps


def test_what_passes_the_gates_is_good(gated, tmp_path, capsys):
    a_house(tmp_path / "project")
    project(tmp_path / "project", "true", "true")
    assert gated.main(["gates"]) == 0
    assert f"passed: {', '.join(gated.GATES)}" in capsys.readouterr().out


def test_each_gate_that_is_not_passed_is_named(gated, tmp_path, capsys):
    below = '"""Unused and upward import, type, style."""\nfrom house import above\nx: int =  "one"\n'
    a_house(tmp_path / "project", below=below, above='"""Above."""\n')
    project(tmp_path / "project", "true", "true")
    assert gated.main(["gates"]) == 1
    printed = capsys.readouterr().out
    assert f"not passed: {', '.join(gated.GATES)}" in printed
    upward = "house.below is not allowed to import house.above"
    for told in ("F401", "would be reformatted", "Incompatible types", upward):
        assert told in printed


def test_the_gates_come_before_what_they_guard(steps):
    assert any(lane[0] == "gates" for lane in steps.LANES)


def test_one_environment_serves_the_steps_that_need_the_tests_tools(steps, tmp_path, monkeypatch):
    made = []

    def install(_place: Any, *wanted: str, folder: Path) -> Path:
        made.append(wanted)
        python = folder / "bin/python"
        python.parent.mkdir(parents=True)
        python.touch()
        return python

    monkeypatch.setattr(steps.Place, "install", install)
    places = [steps.Place(tmp_path / name, tmp_path / "lane") for name in ("gates", "plugins")]
    assert len({place.test_environment(Path("clone")) for place in places}) == 1
    assert made == [("clone[test,plugins]",)]


def test_a_commit_is_held_to_the_same_gates(steps):
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [each["repo"] for each in configuration["repos"]] == ["local"]
    hooks = configuration["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == list(steps.GATES)
    assert not any(hook["pass_filenames"] for hook in hooks)


def a_run(folder: Path, *, verdicts: tuple[str, ...] = ("pass", "fail")) -> None:
    (folder / ".seedshift").mkdir()
    (folder / ".seedshift/verdicts.json").write_text(json.dumps({"cases": [{"verdict": each} for each in verdicts]}))
    (folder / "report.html").write_text(PAGE)


def checked(folder: Path, status: int = 1, printed: str = "=== 1 failed, 1 passed in 2.00s ===") -> str:
    import run_checks

    return run_checks.run(folder, status, printed, cases=2, pages=["report.html"])


def test_a_good_run_is_good(tmp_path):
    a_run(tmp_path)
    assert checked(tmp_path) == "=== 1 failed, 1 passed in 2.00s ==="


@pytest.mark.parametrize(
    ("verdicts", "given"),
    [
        (("pass", "fail"), {"status": 0}),
        (("pass", "pass"), {}),
        (("pass", "error"), {}),
        (("fail",), {}),
        (("pass", "fail"), {"printed": "no summary"}),
        (("pass", "fail"), {"printed": "=== 2 passed in 2.00s ==="}),
        (("pass", "fail"), {"printed": "=== 1 failed, 1 passed, 1 error in 2.00s ==="}),
        (("pass", "fail"), {"printed": "Traceback (most recent call last):\n=== 1 failed, 1 passed in 2.00s ==="}),
    ],
)
def test_a_run_without_its_verdicts_is_noticed(tmp_path, verdicts, given):
    import run_checks

    a_run(tmp_path, verdicts=verdicts)
    with pytest.raises(run_checks.CheckError):
        checked(tmp_path, **given)


@pytest.mark.parametrize("page", ["", PAGE[:-10]])
def test_a_page_that_is_not_whole_is_noticed(tmp_path, page):
    import run_checks

    a_run(tmp_path)
    (tmp_path / "report.html").write_text(page)
    with pytest.raises(run_checks.CheckError, match="no whole page"):
        checked(tmp_path)


def test_uv_installs_from_where_pip_is_configured_to():
    from installing import uv_options

    configuration = (
        ":env:.find-links='/a'\nglobal.find-links='/b'\nglobal.extra-index-url='file:///c file:///d'\nuser.x='1'\n"
    )
    options = uv_options(configuration)
    assert options[:6] == ["--index", "file:///c", "--index", "file:///d", "--find-links", "/a"]
    assert uv_options("") == []


def test_an_interpreter_that_is_not_there_is_none():
    from installing import interpreter

    assert interpreter("3.1") is None
    assert interpreter(f"3.{sys.version_info.minor}")
