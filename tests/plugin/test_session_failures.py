"""What fails a session beside its cases is a failed item: in the terminal, in JUnit's file, on pytest-html's page."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from helpers.painted import losing
from pytest_seedshift.__main__ import main

THRESHOLDS = (
    '[default]\nwhite = { max_regression = 0.0, significant = "any" }\n'
    '[models.mine]\nclasses = "toy16"\nscorers = "toy"\n'
)
RUN = (
    "seedshift",
    "--seedshift-model=mine",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=-0.3,0.3",
    "--seedshift-images=16",
    "--seedshift-batch-size=16",
    "--seedshift-exact",
)
POOLS = ["regression[mine-mean-white]", "regression[mine-all-white]"]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A model that loses no picture has made a baseline; now it loses five in each case, and no label twice."""
    pytester.path.joinpath("thresholds.toml").write_text(THRESHOLDS)
    pytester.makeconftest(losing(0, 0, 0, apart=5))
    pytester.runpytest_inprocess(*RUN, "--seedshift-save-baseline=base.json", "-q").assert_outcomes(passed=3)
    pytester.makeconftest(losing(5, 5, 5, apart=5))
    return pytester.path


def failures(file: Path) -> list[str]:
    suite = ElementTree.parse(file).getroot()[0]
    found = [case.get("name") for case in suite.iterfind("testcase") if case.find("failure") is not None]
    assert suite.get("failures") == str(len(found))
    assert suite.get("tests") == str(len(suite.findall("testcase")))
    return found


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n", "2"), marks=pytest.mark.nightly)], ids=["alone", "workers"]
)
def test_a_regression_that_only_a_pool_shows_is_a_failed_item(pytester, project, monkeypatch, capsys, workers):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    files = ("--junitxml=junit.xml", "--html=page.html", "--seedshift-summary=summary.md")
    start = pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess
    result = start(*RUN, *workers, *files, "--seedshift-baseline=base.json", "-v")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.no_fnmatch_line("*FAILED*[[]1[0-9][1-9]%]*")  # it is no part of the progress
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "*_ regression?mine-mean-white? _*",
            "mine mean, all magnitudes: white drop 0.312 on 32 pairs of 2 cases, allowed 0.000, p *: a regression "
            "against base.json, though each of its cases passes",
            "    report: .seedshift/report.html#regressions",
        ]
    )
    result.stdout.fnmatch_lines(
        [f"FAILED seedshift::{name.replace('[', '?').replace(']', '?')} - Failed: *" for name in POOLS]
    )
    result.stdout.fnmatch_lines(
        ["::error title=seedshift%3A%3Aregression[[]mine-mean-white[]] fails::mine mean, all *"]
    )
    assert failures(project / "junit.xml") == POOLS
    assert all(name in (project / "page.html").read_text() for name in POOLS)
    told = "mine passes all 3 cases; worse than its baseline: mean, all magnitudes; all cases"
    assert f"- ❌ **{told}.**" in (project / "summary.md").read_text()
    assert told in (project / ".seedshift/report.html").read_text()
    assert f'<p class="seedshift-verdict">{told}.</p>' in (project / "page.html").read_text()
    assert main(["card", ".seedshift", "--output", "card.md"]) == 0
    assert f"\n{told}.\n" in (project / "card.md").read_text()

    assert main(["merge", ".seedshift", "--output", "merged"]) == 1
    assert failures(project / "merged/junit.xml") == POOLS
    assert told in (project / "merged/report.html").read_text()
    assert (
        "::error title=seedshift%3A%3Aregression[mine-mean-white] fails::mine mean, all magnitudes"
        in capsys.readouterr().out
    )


def test_a_case_that_fails_tells_of_its_pools_and_nothing_else_does(pytester, project):
    pytester.makeconftest(losing(9, 9, 9, apart=5))  # beyond chance in each case
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-baseline=base.json", "-q")
    result.assert_outcomes(failed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_that_is_no_worse_has_no_item_more(pytester, project):
    pytester.makeconftest(losing(0, 0, 0, apart=5))
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-baseline=base.json", "-q", "--junitxml=junit.xml")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.OK
    assert failures(project / "junit.xml") == []


def test_what_only_holm_s_later_steps_find_is_a_failed_item(pytester, project):
    """Of a family of tests one case fails by itself; the next smallest p-value is found beside it."""
    pytester.makeconftest(losing(10, 8, 8, apart=5))
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-baseline=base.json", "-q", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=3)
    names = ["mine-mean--0.30-white", "mine-mean-+0.30-white"]
    assert failures(project / "junit.xml")[1:] == [f"regression[{name}]" for name in names]
    result.stdout.fnmatch_lines(["*: a regression against base.json by Holm's step: its own test has passed"])


def test_a_comparison_that_cannot_be_saved_or_made_is_a_failed_item(pytester, project):
    project.joinpath("thresholds.toml").write_text(f'{THRESHOLDS}[baseline]\npath = "base.json"\n')
    before = project.joinpath("base.json").read_bytes()
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-save-baseline=base.json", "--junitxml=junit.xml", "-q")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(["FAILED seedshift::baseline - Failed: could not save the baseline: base.json i*"])
    assert failures(project / "junit.xml") == [*POOLS, "baseline"]
    assert project.joinpath("base.json").read_bytes() == before
