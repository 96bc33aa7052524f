"""Folders of others, given as run folders: refused before any work and left alone; and folders that vanish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.runs import ONE, cases_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.models.catalogue import Catalogue
from pytest_seedshift.results import folder_mark

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

MINE = {
    ".gitignore": "build/\n",
    "trajectories/mine.csv": "mine",
    "trajectories/states/mine.csv": "mine",
    "sensitivity/mine.json": "{}",
    "pictures/holiday/me.png": "mine",
}


def fill(folder: Path) -> dict[str, str]:
    for name, text in MINE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return contents(folder)


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("more", [(), ("--seedshift-fresh",), ("--seedshift-plan",)], ids=" ".join)
@pytest.mark.parametrize("given", [".", "theirs", None])
def test_a_folder_that_is_not_ours_is_an_error_before_any_work(pytester, run, given, more):
    folder = pytester.path / (given or ".seedshift")
    folder.mkdir(exist_ok=True)
    before = fill(folder)
    result = run(*ONE, *more, *([] if given is None else [f"--seedshift-dir={given}"]))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --seedshift-dir=*: is not empty (*), and no run has made it: *Give a folder *"]
    )
    assert contents(folder) == before


def test_what_is_not_a_run_s_survives_runs_in_a_folder_that_was_one(pytester, run):
    folder = pytester.path / ".seedshift"
    folder.mkdir()
    (folder / folder_mark.MARK).touch()
    before = fill(folder)
    for more in ((), ("--seedshift-fresh",)):
        assert run(*ONE, "--seedshift-trajectories=1", *more).ret == pytest.ExitCode.OK
        assert {name: (folder / name).read_text() for name in MINE} == {name: before[name] for name in MINE}
        assert list(folder.glob("trajectories/*.safetensors"))
        assert not list(folder.glob("trajectories/states/*.safetensors"))


@pytest.mark.parametrize("command", ["position", "merge", "noise"])
def test_commands_take_no_folder_of_others_either(pytester, capsys, command):
    folder = pytester.path / "theirs"
    folder.mkdir()
    before = fill(folder)
    (pytester.path / "run").mkdir()
    arguments = {
        "position": ["position", "toy-latent", "--images", "16", "--dir", "theirs"],
        "merge": ["merge", "run", "--output", "theirs"],
        "noise": ["noise", "toy-latent", "--images", "2", "--dir", "theirs"],
    }[command]
    assert main(arguments) == pytest.ExitCode.USAGE_ERROR
    assert "theirs: is not empty" in capsys.readouterr().err
    assert contents(folder) == before


def test_a_merged_json_of_somebody_else_is_no_mark(pytester, capsys):
    (pytester.path / "theirs").mkdir()
    (pytester.path / "theirs/merged.json").write_text('{"pulls": [1, 2]}')
    (pytester.path / "run").mkdir()
    assert main(["merge", "run", "--output", "theirs"]) == pytest.ExitCode.USAGE_ERROR
    assert "no earlier merge has made it" in capsys.readouterr().err
    assert len(list((pytester.path / "theirs").iterdir())) == 1


@pytest.mark.parametrize("text", ['{"name": "package"}', "[1]", "not JSON", '{"version": 1, "arms": []}'])
def test_the_file_beside_a_page_is_not_overwritten_where_it_is_none_of_ours(pytester, capsys, text):
    (pytester.path / "package.json").write_text(text)
    assert main(["why", "toy-latent", "--output=package.html"]) == pytest.ExitCode.USAGE_ERROR
    said = capsys.readouterr().err
    assert "--output package.html: the figures would be written to package.json, which is another file" in said
    assert (pytester.path / "package.json").read_text() == text
    assert len(list(pytester.path.iterdir())) == 1


# What vanishes -------------------------------------------------------------------------------------------------------

VANISHES = """
import os, shutil
from pathlib import Path
import pytest

@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish(nodeid):
    run = Path(".seedshift")
    if "{when}" in nodeid and run.exists():
        if "{what}" == "folder":
            shutil.rmtree(run)
        else:
            for path in run.glob("samples.sqlite*"):
                path.unlink()
"""


@pytest.mark.parametrize("when", ["none", "mean"], ids=["before the last case", "after the last case"])
@pytest.mark.parametrize("what", ["folder", "store"])
def test_what_vanishes_during_a_run_is_noticed_and_nothing_wrong_is_claimed(pytester, run, what, when):
    pytester.makepyfile(vanishes=VANISHES.format(what=what, when=f"toy-latent-{when}"))
    pytester.syspathinsert()
    result = run("-pvanishes", *ONE, "--seedshift-keep-images=none")
    output = result.stdout.str()
    assert "The samples of this run are lost: its store was removed while it ran" in output
    assert "are safe" not in output
    assert "is kept" not in output
    assert "samples:  " not in output
    assert "INTERNALERROR" not in output
    stands = what == "store"
    assert ("The verdicts stand" in output) == stands
    assert ("verdicts: " in output) == stands
    assert (result.ret == pytest.ExitCode.OK) == (stands and when == "mean")
    assert ("verdicts.json cannot be written" in output) != stands
    if when == "none":
        assert "was removed while this run used it" in output
    if stands:
        found = cases_of(pytester.path / ".seedshift")
        assert [case["verdict"] for case in found.values()] == ["pass", "error" if when == "none" else "pass"]


def test_a_name_that_is_no_utf_8_loses_nothing(pytester, run, monkeypatch):
    name, find = "./caf\udcff", Catalogue.find

    def found(catalogue: Catalogue, given: str) -> Entry:
        """Give a name that no file in TOML can have the toys' scorers and classes."""
        return replace(find(catalogue, "toy-latent"), name=name) if given == name else find(catalogue, given)

    monkeypatch.setattr(Catalogue, "find", found)
    arguments = [f"--seedshift-model={name}", *ONE[1:], "-knone"]
    result = run(*arguments, "--junitxml=junit.xml", "--seedshift-summary=summary.md", "--seedshift-trajectories=1")
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    cases = cases_of(pytester.path / ".seedshift")
    assert [(each["model"], each["images"], each["generated"]) for each in cases.values()] == [(name, 16, 16)]
    assert run(*arguments).ret == pytest.ExitCode.OK
    assert [each["generated"] for each in cases_of(pytester.path / ".seedshift").values()] == [0]
    assert main(["merge", ".seedshift", "--output", "merged"]) == 0
    assert list(cases_of(pytester.path / "merged")) == list(cases)
