"""Thresholds written from a run, at its end or by a command of its own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from helpers.runs import EASY, PAGELESS
from pytest_seedshift.__main__ import main
from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

BY_HAND = "[default]\nclip = 0.0  # anything\n\n[shift.none]\ntop5 = 0.5  # mine\n"
CASE = Case("toy-latent", "mean", 0.3)


@pytest.fixture
def outside_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def bounds(path: Path, case: Case = CASE) -> dict[str, float | None]:
    found = thresholds_parser.load(path, path.parent, str).constraints(case)
    return {each.score: each.minimum for each in found}


def test_a_run_writes_what_it_measured_and_the_next_passes_with_the_same_samples(
    pytester, run, verdicts, outside_of_ci
):
    file = pytester.path / "thresholds.toml"
    file.write_text(BY_HAND)
    result = run(*PAGELESS, "--seedshift-write-thresholds", "--seedshift-write-margin=0.01")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "--- *thresholds.toml",
            '+?model.toy-latent.shift.mean."0.3"?',
            "+top1 = *  # measured *, 99 % interval *, 16 images",
            "5 bounds of 2 cases by measurement",
            "left to bounds that were set by hand: top5 of toy-latent control",
            "written: thresholds.toml",
        ]
    )
    assert file.read_text().startswith(BY_HAND)
    for score, bound in bounds(file).items():
        low = verdicts()[CASE.id]["scores"][score]["low"]
        assert bound is not None
        assert bound <= low - (0.5 if score == "clip" else 0.01) + 1e-9
    again = run(*PAGELESS, "--seedshift-write-thresholds", "--seedshift-write-margin=0.01")
    again.assert_outcomes(passed=2)
    assert verdicts()[CASE.id]["generated"] == 0
    again.stdout.fnmatch_lines(["thresholds.toml says so already"])
    # The command says the same of the same run, of a copy of it, too.
    shutil.copytree(pytester.path / ".seedshift", pytester.path / "copy")
    before = file.read_text()
    assert main(["thresholds", "copy", "--margin", "0.01"]) == 0
    assert file.read_text() == before
    assert main(["thresholds", "copy", "--output", "new.toml", "--dry-run"]) == 0
    assert not pytester.path.joinpath("new.toml").exists()
    assert main(["thresholds", "copy", "--output", "new.toml"]) == 0
    assert bounds(pytester.path / "new.toml", Case("toy-latent", "std", 0.3))["clip"] == 20.0  # the shipped default


@pytest.mark.parametrize(
    ("arguments", "damage", "says"),
    [
        ([], lambda file: file.write_text("[default\n"), "not valid TOML"),
        ([], lambda file: file.chmod(0o444), "the file is read-only"),
        (["--seedshift-write-thresholds=other"], lambda file: None, "give the path of a .toml file"),
        (["--seedshift-write-thresholds=no/such.toml"], lambda file: None, "there is no folder"),
        (["--seedshift-write-margin=1.5"], lambda file: None, "give a number from 0 to below 1"),
        (["--seedshift-plan"], lambda file: None, "--seedshift-plan measures nothing"),
        (["--seedshift-shard=1/2"], lambda file: None, "seedshift thresholds MERGED --output thresholds.toml"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_generated(
    pytester, run, outside_of_ci, arguments, damage, says
):
    damage(pytester.path / "thresholds.toml")
    result = run(*PAGELESS, "--seedshift-write-thresholds", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in result.stderr.str()
    assert not (pytester.path / ".seedshift").exists()


def test_ci_writes_no_thresholds_unless_it_is_forced(pytester, run, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result = run(*PAGELESS, "--seedshift-write-thresholds")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "force it with --seedshift-write-in-ci" in result.stderr.str()
    run(*PAGELESS, "-k", "none", "--seedshift-write-thresholds", "--seedshift-write-in-ci").assert_outcomes(passed=1)
    assert "# measured" in pytester.path.joinpath("thresholds.toml").read_text()
    assert main(["thresholds", ".seedshift"]) == 4


def test_where_no_case_was_measured_nothing_is_written_and_the_run_fails(pytester, run, outside_of_ci):
    pytester.makepyfile("def test_plain():\n    pass\n")
    result = run(*PAGELESS, "-k", "plain", "--seedshift-write-thresholds")
    result.stdout.fnmatch_lines(["*nothing was written: no case was measured*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert pytester.path.joinpath("thresholds.toml").read_text() == EASY


def test_the_command_says_what_is_wrong(pytester, outside_of_ci):
    result = pytester.run(sys.executable, "-m", "pytest_seedshift", "thresholds", "nowhere")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*nowhere: no such folder"])
