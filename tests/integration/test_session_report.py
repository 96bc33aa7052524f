"""The robustness report at a session's end, and made again from its run folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from runs import EASY, ONE

ANCHOR = "toy-latent-mean-+0.30"


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> tuple[Path, str]:
    """The folder of a session of two cases of which one fails, and what it has printed."""
    folder = tmp_path_factory.mktemp("session")
    folder.joinpath("thresholds.toml").write_text(f"{EASY}[shift.mean]\nclip = 50.0\n")
    command = [sys.executable, "-m", "pytest", *ONE, "--html=out/page.html", "--self-contained-html"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return folder, done.stdout


def test_a_session_leaves_a_report_that_its_last_lines_its_failures_and_pytest_html_lead_to(session):
    folder, printed = session
    assert f" · report: .seedshift/report.html#{ANCHOR}\n" in printed
    assert "\nreport:   .seedshift/report.html\n" in printed
    page = (folder / ".seedshift/report.html").read_text()
    assert "toy-latent fails 1 of 1: breaks under mean at +0.30" in page
    assert f'id="{ANCHOR}"' in page
    (link,) = re.findall(r'class="seedshift-report" href="([^"]*)"', (folder / "out/page.html").read_text())
    assert folder.joinpath("out", link).samefile(folder / ".seedshift/report.html")


def test_it_tells_how_the_run_was_made(session):
    folder, _ = session
    page = (folder / ".seedshift/report.html").read_text()
    (facts,) = json.loads((folder / ".seedshift/run.json").read_text())["runs"]
    assert "--seedshift-model=toy-latent" in facts["command"]
    for told in (facts["command"], facts["models"][0]["fingerprint"], facts["versions"]["torch"], facts["processor"]):
        assert str(told) in page
    assert "What is missing" not in page


def test_it_is_written_where_it_is_asked_for(pytester, run):
    result = run(*ONE, "--seedshift-report=some/where.html")
    result.stdout.fnmatch_lines(["report:   some/where.html"])
    assert (pytester.path / "some/where.html").is_file()
    assert not (pytester.path / ".seedshift/report.html").exists()


def test_a_report_that_cannot_be_made_is_a_warning_that_says_how_to_make_it_again(pytester, run):
    pytester.mkdir("taken")
    result = run(*ONE, "--seedshift-report=taken")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "seedshift: warning: the report could not be made (IsADirectoryError: *). The verdicts stand; to make it "
            "again: python -m pytest_seedshift report .seedshift --out taken",
            "verdicts: .seedshift/verdicts.json",
        ]
    )
    result.stdout.no_fnmatch_line("report: *")
    assert list(pytester.path.glob("*.partial")) == []


def command(pytester: pytest.Pytester, *arguments: object) -> pytest.RunResult:
    return pytester.run(sys.executable, "-m", "pytest_seedshift", *arguments)


def test_the_command_makes_the_same_page_again(pytester, session):
    run_folder = session[0] / ".seedshift"
    before = (run_folder / "report.html").read_text()
    result = command(pytester, "report", run_folder)
    assert result.ret == 0
    result.stdout.fnmatch_lines([str(run_folder / "report.html")])
    assert (run_folder / "report.html").read_text() == before
    moved = shutil.copytree(run_folder, pytester.path / "moved")
    assert command(pytester, "report", "moved", "--out", "elsewhere.html").ret == 0
    assert Path("elsewhere.html").read_text().replace(str(moved), str(run_folder)) == before


def test_the_command_says_in_words_what_it_cannot_do(pytester):
    pytester.mkdir("empty")
    for arguments, status, says in (
        (["report", "nowhere"], 4, "*report: error: nowhere is not a folder*"),
        (
            ["report", "empty"],
            4,
            "*report: error: empty holds no run that can be read*Give the folder that a run wrote to*",
        ),
        (["report"], 4, "*RUN*"),
        (["reprot", "empty"], 4, "*invalid choice: 'reprot'*report*"),
    ):
        result = command(pytester, *arguments)
        assert result.ret == status
        result.stderr.fnmatch_lines([says])
        result.stderr.no_fnmatch_line("Traceback*")


def test_the_command_loads_no_model_s_library(pytester, session):
    loaded = "import sys; from pytest_seedshift.__main__ import main; main(); print(sorted(sys.modules))"
    result = pytester.run(sys.executable, "-c", loaded, "report", session[0] / ".seedshift")
    assert result.ret == 0
    for library in ("'torch'", "'diffusers'", "'transformers'", "'scipy'"):
        assert library not in result.stdout.str()
