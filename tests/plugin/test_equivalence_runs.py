"""`within`: a version that is not shown to be as good as its baseline fails, whichever side it lies on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.painted import HEAD, RUN, losing
from pytest_seedshift.__main__ import main

AGAINST = (*RUN, "--seedshift-baseline=base.json")


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    """A model that is white for all labels but four has made a baseline."""
    write(pytester, "0.9")
    pytester.makeconftest(losing(4, 4, 4))
    pytester.runpytest_inprocess(*RUN, "--seedshift-exact", "--seedshift-save-baseline=base.json").assert_outcomes(
        passed=3
    )
    return pytester.path


def write(pytester, within, more=""):
    pytester.path.joinpath("thresholds.toml").write_text(f"{HEAD}white = {{ within = {within}{more} }}\n")


def within(project, case="mine-mean-+0.30"):
    records = json.loads(project.joinpath(".seedshift/verdicts.json").read_text())["cases"]
    (found,) = next(each for each in records if each["id"] == case)["constraints"]
    assert found["kind"] == "within"
    return found


def test_a_version_that_answers_alike_is_equivalent_wherever_it_is_said(pytester, project, capsys):
    write(pytester, "0.2")
    result = pytester.runpytest_inprocess(*AGAINST, "--junitxml=junit.xml")
    result.assert_outcomes(passed=3)
    found = within(project)
    assert (found["bound"], found["measured"], found["holds"]) == (0.2, 0.0, True)
    assert -0.2 <= found["low"] < 0 < found["high"] <= 0.2
    assert found["half_width"] == pytest.approx((found["high"] - found["low"]) / 2)
    result.stdout.fnmatch_lines(["*shown to be equivalent: 3 of 3 bounds (no bound below ±* could be shown of all)"])
    assert 'name="seedshift_white_equivalence_p"' in Path("junit.xml").read_text()
    folder = project / ".seedshift"
    assert "within ±0.2 of the baseline ✓ holds" in folder.joinpath("report.html").read_text()
    (first, *_) = json.loads(folder.joinpath("comparison.json").read_text())["equivalence"]
    assert (first["holds"], first["half_width"]) == (True, found["half_width"])
    capsys.readouterr()
    assert main(["compare", "base.json", ".seedshift"]) == 0
    assert main(["report", ".seedshift", "--output", "again.html"]) == 0
    assert "shown to be equivalent: 3 of 3 bounds" in capsys.readouterr().out


@pytest.mark.parametrize(("lost", "sign"), [(11, ""), (0, "-")], ids=["worse", "better"])
def test_a_version_that_differs_fails_on_either_side(pytester, project, capsys, lost, sign):
    write(pytester, "0.2")
    pytester.makeconftest(losing(4, lost, 4))
    result = pytester.runpytest_inprocess(*AGAINST, "--seedshift-exact", "--seedshift-save-baseline=base.json")
    result.assert_outcomes(passed=2, failed=2)  # the baseline is not replaced, which is an item too
    found = within(project)
    assert found["holds"] is False
    result.stdout.fnmatch_lines(
        [
            f"mine differs by more than it may from its baseline under mean +0.30: white drop {sign}0.* outside ±0.200 "
            "of the baseline (the model's own *",
            "  shown to be equivalent: 2 of 3 bounds *",
        ]
    )
    assert "base.json is left as it is: this run is not shown to be equivalent to it" in result.stdout.str()
    capsys.readouterr()
    assert main(["compare", "base.json", ".seedshift"]) == 1


def test_what_cannot_be_shown_is_warned_of_and_fails(pytester, project):
    write(pytester, "0.02")
    plan = pytester.runpytest_inprocess(*AGAINST, "--seedshift-plan")
    plan.stdout.fnmatch_lines(
        ["seedshift: warning: within = 0.02 of white cannot be shown on 64 images, even if no pair has changed. *"]
    )
    plan.stdout.fnmatch_lines(
        ["seedshift: within = 0.02 of white takes about 2?? images a case if no pair has changed, *"]
    )
    result = pytester.runpytest_inprocess(*AGAINST)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "mine is not shown to be equivalent to its baseline under mean +0.30: white drop 0.000 not shown to be "
            "within ±0.020 of the baseline (the model's own -0.* to 0.*) (0 pairs of 64 turned wrong and 0 right, p *, "
            "level 0.01, 64 images*",
            "*on this many pairs with such a spread no bound below ±0.* can be shown*",
        ]
    )


def test_a_percentage_is_of_the_baselines_own_mean(pytester, project):
    write(pytester, '"40%"')
    pytester.runpytest_inprocess(*AGAINST).assert_outcomes(passed=3)
    mean = 12 / 16
    assert within(project)["bound"] == pytest.approx(0.4 * mean)
    (asks, *_) = (each["asks"] for each in json.loads(project.joinpath(".seedshift/verdicts.json").read_text())["grid"])
    assert asks == {"white within": pytest.approx(0.4 * mean), "white within share": 0.4}


def test_usage_errors_are_in_words(pytester, project):
    write(pytester, "0.2")
    result = pytester.runpytest_inprocess(*RUN)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *: within of white is set, and no baseline is given: *"])
    write(pytester, "0")
    result = pytester.runpytest_inprocess(*AGAINST)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*white: within = 0: no number of images shows that two versions are exactly alike*"])
    pytester.makeconftest(losing(16, 16, 16))
    write(pytester, "0.9")
    pytester.runpytest_inprocess(*RUN, "--seedshift-exact", "--seedshift-save-baseline=black.json")
    write(pytester, '"5%"')
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-baseline=black.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['*within = "5%" of white: the mean of black.json is 0 on this case*'])
