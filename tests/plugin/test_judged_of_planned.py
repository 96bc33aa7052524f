"""How many of the planned cases were judged: one way of counting for terminal, merge and pages."""

from __future__ import annotations

import pytest

from helpers.records import records as made_records
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.test_names import NULL_TEST
from pytest_seedshift.plugin import search_lines
from pytest_seedshift.reporting import tally
from pytest_seedshift.results import grids


def record(magnitude: float, verdict: str = "pass", **more) -> dict:
    case = Case("toy", "mean" if magnitude else "none", magnitude)
    return {
        "id": case.id,
        "test": f"t[{case.id}]",
        "model": "toy",
        "shift": case.shift,
        "magnitude": magnitude,
        "verdict": verdict,
        "reason": "",
        **more,
    }


MAGNITUDES = (0.0, 0.1, 0.2, 0.3)
GRID = [record(each) for each in MAGNITUDES]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (GRID, "4 cases: 4 pass, 0 fail"),
        (GRID[:3], "3 of 4 cases judged: 3 pass, 0 fail, 1 without a verdict"),
        (GRID[:1], "1 of 4 cases judged: 1 pass, 0 fail, 3 without a verdict"),
        ([], "0 of 4 cases judged: 0 pass, 0 fail, 4 without a verdict"),
        (
            [record(0.0), record(0.1, "error"), record(0.2, "skipped")],
            "1 of 4 cases judged: 1 pass, 0 fail, 1 skipped, 1 cannot be judged, 1 without a verdict",
        ),
        (
            [record(0.0), {**record(0.1), "test": "other"}, record(0.1, "fail")],
            "2 of 4 cases (3 tests) judged: 1 pass, 1 fail, 2 without a verdict",
        ),
        (
            [record(0.1, "fail", outcome="xfailed"), {**record(0.0), "null": True, "id": "n", "test": NULL_TEST}],
            "1 of 4 cases judged: 0 pass, 0 fail, 1 known failure, 3 without a verdict; 1 null control: 1 pass, 0 fail",
        ),
    ],
)
def test_the_count_says_how_many_of_those_planned_were_judged(records, said):
    missing = grids.without_verdict(GRID, {each["id"] for each in records})
    assert tally.counted(made_records(records), missing=len(missing)) == said


def test_the_pages_sentence_counts_the_same():
    missing = grids.without_verdict(GRID, {GRID[0]["id"]})
    outcomes = tally.with_missing(tally.of_cases(made_records(GRID[:1])), missing)
    assert tally.sentence("toy", outcomes).startswith("toy: 1 of 4 cases judged")


def test_searches_that_were_not_made_are_counted_too():
    grid = [{**record(0.3), "kind": "breaking", "test": f"b[{each}]"} for each in range(3)]
    missing = grids.searches_without_verdict([*GRID, *grid], {"b[1]"})
    assert missing == 2
    assert search_lines.closing([], missing) == [
        "0 of 2 breaking points searched: 2 without a verdict · 0 images looked at, 0 generated; scans would take 0"
    ]
    assert search_lines.closing([]) == []
