"""The robustness report at a session's end, and made again from its run folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from helpers.runs import EASY, ONE, SMALL

ANCHOR = "toy-latent-mean-+0.30"


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> tuple[Path, str]:
    """The folder of a session of two cases of which one fails, and what it has printed."""
    folder = tmp_path_factory.mktemp("session")
    folder.joinpath("thresholds.toml").write_text(f"{EASY}[shift.mean]\nclip = 50.0\n")
    folder.joinpath("step.md").write_text("# A step before\n")
    reports = ("--html=out/page.html", "--self-contained-html", "--seedshift-summary=out/summary.md")
    command = [sys.executable, "-m", "pytest", *ONE, *reports, "--junitxml=junit.xml"]
    step = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "step.md")}
    done = subprocess.run(command, cwd=folder, env=os.environ | step, check=False, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return folder, done.stdout


def test_a_session_leaves_a_report_that_its_last_lines_its_failures_and_pytest_html_lead_to(session):
    folder, printed = session
    assert f" · report: .seedshift/report.html#{ANCHOR}\n" in printed
    assert "\nreport:   .seedshift/report.html\n" in printed
    page = (folder / ".seedshift/report.html").read_text()
    assert "toy-latent fails 1 of 2 cases: breaks under mean at +0.30" in page
    assert f'id="{ANCHOR}"' in page
    (link,) = re.findall(r'class="seedshift-report" href="([^"]*)"', (folder / "out/page.html").read_text())
    assert folder.joinpath("out", link).samefile(folder / ".seedshift/report.html")


def test_it_leaves_a_summary_also_behind_that_of_the_step_before(session):
    folder, printed = session
    assert "\nsummary:  out/summary.md\n" in printed
    made = (folder / "out/summary.md").read_text()
    assert "❌ **toy-latent fails 1 of 2 cases: breaks under mean at +0.30.**" in made
    assert "| toy-latent mean +0.30 | ❌ | CLIP " in made
    assert "<code>.seedshift/report.html</code>" in made
    assert (folder / "step.md").read_text() == f"# A step before\n\n\n{made}"


def test_it_asks_for_an_annotation_of_what_fails_on_a_line_of_its_own(session):
    (line,) = [line for line in session[1].splitlines() if "::error" in line]
    assert line.startswith("::error title=toy-latent%2C mean +0.30 fails::mean shift +0.30 breaks toy-latent: CLIP ")
    assert "%0A" in line


def test_junit_has_scores_with_intervals_and_the_control(session):
    cases = ElementTree.parse(session[0] / "junit.xml").iter("testcase")
    control, shifted = (
        {each.get("name"): each.get("value") for each in case.iter("property")}
        for case in sorted(cases, key=lambda case: case.get("name"), reverse=True)
    )
    assert (shifted["seedshift_verdict"], shifted["seedshift_images"], shifted["seedshift_design"]) == (
        "fail",
        "16",
        "16",
    )
    for score in ("top1", "top5", "clip"):
        low, mean, high = (float(shifted[f"seedshift_{score}{end}"]) for end in ("_low", "", "_high"))
        assert low <= mean <= high
        assert float(shifted[f"seedshift_{score}_control"]) == pytest.approx(float(control[f"seedshift_{score}"]))
        assert f"seedshift_{score}_control" not in control


def test_outside_of_github_and_without_a_terminal_s_report(pytester, run, monkeypatch, capfd):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = 50.0\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(shifts=["mean"], magnitudes=[0.3])
        @pytest.mark.xfail(reason="known")
        def test_known(reliability): ...

        @pytest.mark.reliability(shifts=["mean"], magnitudes=[0.3])
        def test_judged(reliability): ...
        """
    )
    small = SMALL[:-1]
    result = run(*small, "-k", "judged")
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line("*::error*")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    capfd.readouterr()
    result = run(*small, "-p", "no:terminal", "--seedshift-summary=none")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    file = "test_outside_of_github_and_without_a_terminal_s_report.py"
    for what in ("control", "mean +0.30"):
        result.stdout.fnmatch_lines([f"::error title=toy-latent%2C {what} fails,file={file},line=7::*"])
    assert result.stdout.str().count("::error") == 2
    assert not (pytester.path / "step.md").exists()
    assert (pytester.path / ".seedshift/report.html").exists()


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


def test_none_is_made_where_none_is_asked_for(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\nclip = 50.0\n")
    asked = (*ONE, "--seedshift-breaking-point", "--seedshift-report=none", "-k", "none or breaking")
    pages = ("--html=page.html", "--self-contained-html", "--seedshift-summary=summary.md")
    result = run(*asked, *pages)
    result.assert_outcomes(failed=1, skipped=1, deselected=1)
    result.stdout.fnmatch_lines(["verdicts: .seedshift/verdicts.json"])
    for told in (result.stdout.str(), (pytester.path / "summary.md").read_text()):
        assert "report: " not in told.replace("Generated html report: ", "")
        assert "report.html" not in told
    assert 'class="seedshift-report"' not in (pytester.path / "page.html").read_text()
    assert not list(pytester.path.rglob("*report.html"))
    assert not (pytester.path / "none").exists()
    made = command(pytester, "report", ".seedshift")
    assert made.ret == 0
    assert "toy-latent" in (pytester.path / ".seedshift/report.html").read_text()


def test_a_report_that_cannot_be_made_is_a_warning_that_says_how_to_make_it_again(pytester, run):
    pytester.makeconftest(
        """
        from pathlib import Path

        class Late:  # in the way after all that can be seen before the work
            def pytest_runtest_logfinish(self):
                Path("taken").mkdir(exist_ok=True)

        def pytest_configure(config):  # the built-in suite hears of no conftest's hooks
            config.pluginmanager.register(Late())
        """
    )
    result = run(*ONE, "--seedshift-report=taken")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "seedshift: warning: the report could not be made (IsADirectoryError: *). The verdicts stand; to "
            "regenerate it: seedshift report .seedshift --output taken",
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
    assert command(pytester, "report", "moved", "--output", "elsewhere.html").ret == 0
    # But for the name of the run folder, which is all that is told of its place.
    again = Path("elsewhere.html").read_text().replace(">moved<", ">.seedshift<")
    assert again.replace("--of moved<", "--of .seedshift<") == before
    assert str(moved.parent) not in before


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
        (["reprot", "empty"], 4, "*unknown command 'reprot'. Did you mean 'report'?*"),
    ):
        result = command(pytester, *arguments)
        assert result.ret == status
        result.stderr.fnmatch_lines([says])
        result.stderr.no_fnmatch_line("Traceback*")


def test_the_command_loads_no_model_s_library(pytester, session, cold):
    loaded = "import sys; from pytest_seedshift.__main__ import main; main(); print(sorted(sys.modules))"
    result = pytester.run(sys.executable, "-c", loaded, "report", session[0] / ".seedshift")
    assert result.ret == 0
    for library in ("'torch'", "'diffusers'", "'transformers'", "'scipy'"):
        assert library not in result.stdout.str()
