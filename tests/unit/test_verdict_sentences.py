"""A model's verdict in a sentence."""

from __future__ import annotations

import pytest

from pytest_seedshift.cases import Case
from pytest_seedshift.report.page.verdicts import sentence
from pytest_seedshift.run import UNFINISHED, CaseRun

MAGNITUDES = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)


def judged(case: Case, verdict: str) -> CaseRun:
    return CaseRun(case, verdict, "", {}, (), 0, 0, None, 0, 0.0, None, None, "")


def told(control: str = "pass", **failing: tuple[float, ...]) -> str:
    cases = [judged(Case("toy"), control)]
    for shift in ("random", "mean", "mixed"):
        failed = failing.get(shift, ())
        cases += [judged(Case("toy", shift, at), "fail" if at in failed else "pass") for at in MAGNITUDES]
    return sentence("toy", cases)


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ({}, "toy passes all 18"),
        ({"mean": (0.3,)}, "toy fails 1 of 18: breaks under mean at +0.30"),
        ({"mean": (0.2, 0.3), "mixed": (0.2, 0.3)}, "toy fails 4 of 18: breaks under mean and mixed from +0.20"),
        ({"mean": (0.1, 0.3)}, "toy fails 2 of 18: breaks under mean at +0.10 and +0.30"),
        ({"mean": (-0.3, -0.2, 0.2, 0.3)}, "toy fails 4 of 18: breaks under mean from -0.20 and +0.20"),
        ({"mean": (-0.3, 0.2, 0.3)}, "toy fails 3 of 18: breaks under mean from +0.20 and at -0.30"),
        (
            {"random": (-0.3,), "mean": MAGNITUDES},
            "toy fails 7 of 18: breaks under random at -0.30, mean at every magnitude",
        ),
    ],
)
def test_it_says_under_what_and_from_where_on_a_model_breaks(failing, said):
    assert told(**failing) == said


def test_a_model_that_fails_unshifted_is_told_so_first():
    assert told("fail") == "toy fails without any shift, and 0 of 18 with one"
    assert told("fail", mean=(0.3,)) == "toy fails without any shift, and 1 of 18 with one: breaks under mean at +0.30"


def test_what_was_not_judged_has_not_passed():
    cases = [
        judged(Case("toy"), "pass"),
        judged(Case("toy", "mean", 0.1), "error"),
        judged(Case("toy", "mean", 0.2), "pass"),
    ]
    assert sentence("toy", cases) == "toy passes the judged 1; 1 case could not be judged"
    assert sentence("toy", cases[1:2]) == "toy has no verdict; 1 case could not be judged"
    assert sentence("toy", cases[:1]) == "toy passes without a shift; no shift was tested"
    unfinished = [judged(Case("toy", "mean", 0.1), UNFINISHED)]
    assert sentence("toy", unfinished) == "toy has no verdict; 1 case had no verdict when the run ended"
