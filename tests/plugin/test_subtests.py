"""Subtests are parts of a test: one record a case, which their failures fail."""

from __future__ import annotations

import json

import pytest

TEST = """
import pytest

@pytest.mark.reliability(shifts="mean", magnitudes=0.3, images=16, top1=0.01, top5=0.01, clip=1.0)
def test_x(reliability, subtests):
    for score, least in {least}.items():
        with subtests.test(score=score):
            assert reliability.scores[score].mean > least
"""


@pytest.mark.parametrize(
    ("least", "verdict", "failed", "options"),
    [
        ({"top1": 2, "clip": 0, "top5": 2}, "fail", 2, ()),  # a part that passes between two that fail
        ({"top1": 2, "clip": 0, "top5": 2}, "fail", 2, ("-n", "1")),
        ({"top1": -1, "clip": -1}, "pass", 0, ()),
        pytest.param({"top1": -1, "clip": -1}, "pass", 0, ("-n", "1"), marks=pytest.mark.nightly),
    ],
)
def test_a_case_has_one_record_that_its_subtests_fail(pytester, options, least, verdict, failed):
    pytest.importorskip("_pytest.subtests", reason="subtests came with pytest 9")
    pytester.makepyfile(TEST.format(least=least))
    result = pytester.runpytest_inprocess(
        "-p",
        "no:cacheprovider",
        "--seedshift-model=toy-latent",
        "--seedshift-report=none",
        "--seedshift-batch-size=16",
        "--junitxml=j.xml",
        *options,
    )
    cases = json.loads((pytester.path / ".seedshift/verdicts.json").read_text())["cases"]
    assert [case["verdict"] for case in cases] == [verdict] * 2
    assert (pytester.path / "j.xml").read_text().count('name="seedshift_verdict"') == 2
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)
    if failed:
        assert all("contains 2 failed subtests" in case["reason"] for case in cases)
        result.stdout.fnmatch_lines(["*2 cases: 0 pass, 2 fail*"])
