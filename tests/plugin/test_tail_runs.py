"""Bounds of tails from thresholds.toml to all that a run puts out, and what no design can say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from helpers.runs import cases_of
from pytest_seedshift.cli.main import main

RUN = (
    "--seedshift-model=toy-latent",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-images=64",
    "--seedshift-batch-size=32",
    "--seedshift-sensitivity=never",
)

ASKED = """
[default]
top1 = { min = 0.0, min_class = 0.9, any_of = { k = 2, min = 0.01 } }
[shift.none]
top1 = { any_of = { k = 4, min = 0.01 }, all_of = { k = 2, min = 0.01 } }
[shift.mean]
clip = { min = 0.0, quantile = { q = 0.05, min = 49.99 } }
"""

QUANTILE = "share with CLIP ≥ 49.99: 0.00 < 0.95"


def test_bounds_of_tails_stand_wherever_others_do(pytester, run, capsys):
    pytester.path.joinpath("thresholds.toml").write_text(ASKED)
    result = run(*RUN, "--junitxml=junit.xml", "--seedshift-exact")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"*breaks toy-latent: {QUANTILE} (64 images)*", "*the model's own share 0.00–*"])
    cases = cases_of(pytester.path / ".seedshift")
    control, shifted = (next(each for name, each in cases.items() if part in name) for part in ("none", "mean"))
    assert {each["score"] for each in control["constraints"]} == {"top1:any_of=4", "top1:all_of=2"}
    found = {each["score"]: each for each in shifted["constraints"]}
    assert set(found) == {"top1", "top1:min_class", "top1:any_of=2", "clip", "clip:at_least=49.99"}
    assert (found["clip:at_least=49.99"]["measured"], found["clip:at_least=49.99"]["holds"]) == (0.0, False)
    assert found["top1:min_class"]["level"] < 0.01
    assert found["top1:min_class"]["holds"] is (found["top1:min_class"]["p"] > found["top1:min_class"]["level"])
    names = {each.get("name") for each in ET.parse(pytester.path / "junit.xml").iter("property")}
    assert {"seedshift_clip:at_least=49.99", "seedshift_top1:all_of=2_low"} <= names
    page = (pytester.path / ".seedshift" / "report.html").read_text()
    assert "top-1 of any of 2 seeds" in page
    assert "share with CLIP ≥ 49.99" in page
    assert main(["merge", ".seedshift", "--output", "again"]) == 1, capsys.readouterr().err
    again = json.loads((pytester.path / "again" / "verdicts.json").read_text())
    assert QUANTILE in next(each["reason"] for each in again["cases"] if "mean" in each["id"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("top1 = { any_of = { k = 5, min = 0.5 } }", "*Give at least 5 of each class (80 in all), or a smaller k*"),
        ("top1 = { min_class = 0.2 }", "*worst class's top-1 ≥ 0.2 could never break*Give at least * images of each*"),
        ("clip = { min_class = 20 }", "*min_class needs a score that is 0 or 1, such as top1*"),
    ],
)
def test_what_no_design_can_say_is_an_error_before_the_first_image(pytester, run, asked, said):
    pytester.path.joinpath("thresholds.toml").write_text(f"[default]\n{asked}\n")
    result = run(*RUN, "--seedshift-report=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_a_marker_bounds_a_tail_and_a_search_leaves_it_out(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = { any_of = { k = 2, min = 0.01 } }\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.reliability(top1={"all_of": {"k": 2, "min": 0.01}}, magnitudes=[0.0])
        def test_mine(reliability):
            assert [each.score for each in reliability.findings] == ["top1:all_of=2"]
        """
    )
    result = run(*RUN, "--seedshift-report=none", "--seedshift-exact")
    result.assert_outcomes(passed=1)
    refused = run(*RUN, "--seedshift-report=none", "--seedshift-breaking-point")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*only a bound of a tail is set*set min or max_drop too*"])
