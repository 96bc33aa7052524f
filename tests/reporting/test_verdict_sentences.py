"""A model's verdict in a sentence."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from helpers.records import record
from pytest_seedshift.core.cases import Case
from pytest_seedshift.reporting import model_verdict as verdicts
from pytest_seedshift.reporting import tally
from pytest_seedshift.reporting.model_verdict import sentence
from pytest_seedshift.results import grids
from pytest_seedshift.results.run import UNFINISHED, CaseRun

if TYPE_CHECKING:
    from pytest_seedshift.results.schema import Record

MAGNITUDES = (-0.3, -0.2, -0.1, 0.1, 0.2, 0.3)


def judged(case: Case, verdict: str, outcome: str | None = None) -> CaseRun:
    return CaseRun(case, verdict, "", {}, (), 0, 0, None, 0, 0.0, None, None, "", outcome=outcome)


def told(control: str = "pass", **failing: tuple[float, ...]) -> str:
    cases = [judged(Case("toy"), control)]
    for shift in ("random", "mean", "mixed"):
        failed = failing.get(shift, ())
        cases += [judged(Case("toy", shift, at), "fail" if at in failed else "pass") for at in MAGNITUDES]
    return sentence("toy", cases)


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ({}, "toy passes all 19 cases"),
        ({"mean": (0.3,)}, "toy fails 1 of 19 cases: breaks under mean at +0.30"),
        ({"mean": (0.2, 0.3), "mixed": (0.2, 0.3)}, "toy fails 4 of 19 cases: breaks under mean and mixed from +0.20"),
        ({"mean": (0.1, 0.3)}, "toy fails 2 of 19 cases: breaks under mean at +0.10 and +0.30"),
        ({"mean": (-0.3, -0.2, 0.2, 0.3)}, "toy fails 4 of 19 cases: breaks under mean from -0.20 and +0.20"),
        ({"mean": (-0.3, 0.2, 0.3)}, "toy fails 3 of 19 cases: breaks under mean from +0.20 and at -0.30"),
        (
            {"random": (-0.3,), "mean": MAGNITUDES},
            "toy fails 7 of 19 cases: breaks under random at -0.30, mean at every magnitude",
        ),
    ],
)
def test_it_says_under_what_and_from_where_on_a_model_breaks(failing, said):
    assert told(**failing) == said


def test_a_model_that_fails_unshifted_is_told_so_first():
    assert told("fail") == "toy fails without any shift (1 of 19 cases fail)"
    assert told("fail", mean=(0.3,)) == "toy fails without any shift (2 of 19 cases fail): breaks under mean at +0.30"


def test_what_was_not_judged_has_not_passed():
    cases = [
        judged(Case("toy"), "pass"),
        judged(Case("toy", "mean", 0.1), "error"),
        judged(Case("toy", "mean", 0.2), "pass"),
    ]
    assert sentence("toy", cases) == "toy passes 2 of 3 cases; 1 case could not be judged"
    assert sentence("toy", cases[1:2]) == "toy has no verdict; 1 case could not be judged"
    assert sentence("toy", cases[:1]) == "toy passes without a shift; no shift was tested"
    unfinished = [judged(Case("toy", "mean", 0.1), UNFINISHED)]
    assert sentence("toy", unfinished) == "toy has no verdict; 1 case had no verdict when the run ended"


def test_cases_of_the_grid_without_a_verdict_have_not_passed():
    cases = [judged(Case("toy"), "pass"), judged(Case("toy", "mean", 0.1), "pass")]
    missing = [Case("toy", "mean", at) for at in (0.2, 0.3)]
    assert sentence("toy", cases, (), missing) == "toy: 2 of 4 cases judged, all 2 pass; 2 have no verdict"
    assert sentence("toy", cases[:1], (), missing[:1]) == "toy: 1 of 2 cases judged, it passes; 1 has no verdict"
    assert verdicts.overall(cases, (), missing) == UNFINISHED
    assert verdicts.overall(cases) == "pass"
    fails = [*cases, judged(missing[0], "fail")]
    said = "toy fails 1 of 4 cases: breaks under mean at +0.20; 1 case had no verdict when the run ended"
    assert sentence("toy", fails, (), missing[1:]) == said
    assert verdicts.overall(fails, (), missing[1:]) == "fail"


def test_the_grid_tells_which_cases_those_are_and_nothing_in_another_form():
    def entry(shift: object, magnitude: object, **more: object) -> dict:
        return {"id": "x", "test": "t", "model": "toy", "shift": shift, "magnitude": magnitude, **more}

    strange = [3, {}, entry(None, 0.1), entry("mean", True), entry("mean", float("nan")), entry("mean", "0.1")]
    null = entry("arrangement:permute", 1.0, test="seedshift::test_null_control[x]")
    grid = [entry("none", 0), entry("mean", 0.1), entry("mean", 0.1), entry("mean", 1, kind="breaking"), null, *strange]
    assert grids.without_verdict(grid, {"toy-none-+0.00"}) == [Case("toy", "mean", 0.1)]
    assert grids.without_verdict("no grid", set()) == []


@pytest.mark.parametrize(
    ("outcomes", "overall", "said"),
    [
        ([("fail", "xfailed")], "pass", "toy passes 2 of 3 cases; 1 known failure: mean at +0.30"),
        ([("error", "xfailed")], "pass", "toy passes 2 of 3 cases; 1 known failure: mean at +0.30"),
        ([("skipped", "xfailed")], "pass", "toy passes 2 of 3 cases; 1 known failure: mean at +0.30"),
        ([("skipped", None)], "pass", "toy passes 2 of 3 cases; 1 case skipped"),
        ([("pass", "xpassed")], "pass", "toy passes all 3 cases; 1 unexpected pass: mean at +0.30"),
        ([("fail", "xpassed")], "fail", "toy fails 1 of 3 cases; 1 unexpected pass: mean at +0.30"),
        (
            [("fail", None), ("fail", "xfailed")],
            "fail",
            "toy fails 1 of 4 cases: breaks under mean at +0.30; 1 known failure: mean at +0.40",
        ),
    ],
)
def test_what_is_expected_is_told_as_that(outcomes, overall, said):
    cases = [judged(Case("toy"), "pass"), judged(Case("toy", "mean", 0.1), "pass")]
    cases += [judged(Case("toy", "mean", 0.3 + place / 10), *each) for place, each in enumerate(outcomes)]
    assert (verdicts.overall(cases), sentence("toy", cases)) == (overall, said)


@pytest.mark.parametrize(
    ("verdict", "outcome", "overall", "said"),
    [
        ("fail", "xfailed", "known", "toy has no verdict; 2 known failures: without a shift, mean at +0.30"),
        ("skipped", None, "skipped", "toy has no verdict; 2 cases skipped"),
    ],
)
def test_a_model_of_which_all_is_expected_or_skipped_has_not_passed(verdict, outcome, overall, said):
    cases = [judged(case, verdict, outcome) for case in (Case("toy"), Case("toy", "mean", 0.3))]
    assert (verdicts.overall(cases), sentence("toy", cases)) == (overall, said)


def test_the_sentence_and_the_count_agree_on_how_many_cases_there_are_and_what_came_of_them():
    draw = random.Random(0)
    kinds = [
        ("pass", None),
        ("fail", None),
        ("error", None),
        ("fail", "xfailed"),
        ("skipped", None),
        ("pass", "xpassed"),
    ]
    for _ in range(200):
        chosen = [draw.choice(kinds) for _ in range(draw.randint(2, 12))]
        records = [
            record(id=f"toy-mean-{place}", shift="mean", magnitude=place / 100, verdict=verdict, outcome=outcome)
            for place, (verdict, outcome) in enumerate(chosen, 1)
        ]
        counted, said = tally.counted(records), tally.sentence("toy", tally.of_cases(records))
        for verb, word in (("passes", "pass"), ("fails", "fail")):
            found = re.search(rf"toy {verb} (?:all )?(\d+)(?: of (\d+))? cases", said)
            if found is not None:
                assert f" {found[1]} {word}" in counted, (counted, said)
                assert counted.startswith(f"{found[2] or found[1]} cases: "), (counted, said)
        for word in ("known failure", "skipped"):
            in_both = [re.search(rf"(\d+) (?:cases? )?{word}", each) for each in (counted, said)]
            assert [each and each[1] for each in in_both] in ([None, None], 2 * [in_both[0] and in_both[0][1]])


def test_a_case_that_two_tests_judge_is_counted_once_by_the_worst_of_it():
    def of(test: str, verdict: str, **more: object) -> Record:
        return record({"id": "toy-none-+0.00", "test": test, "verdict": verdict, **more})

    passes, fails, skipped = of("a", "pass"), of("b", "fail"), of("c", "skipped")
    known = of("d", "fail", outcome="xfailed")
    assert tally.counted([passes, fails]) == "1 case (2 tests): 0 pass, 1 fail"
    assert tally.counted([fails, passes]) == "1 case (2 tests): 0 pass, 1 fail"
    assert tally.counted([passes, skipped]) == "1 case (2 tests): 1 pass, 0 fail"
    assert tally.counted([passes, known]) == "1 case (2 tests): 0 pass, 0 fail, 1 known failure"
    null = of("e", "error", id="toy-arrangement:permute-+1.00", null=True)
    assert tally.counted([passes, null]) == "1 case: 1 pass, 0 fail; 1 null control: 0 pass, 0 fail, 1 cannot be judged"
