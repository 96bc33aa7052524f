"""Tables that fit a terminal, and say what stands in them."""

from __future__ import annotations

import dataclasses
import re

import pytest

from helpers import synthetic
from helpers.records import record
from pytest_seedshift.core.scores import Finding
from pytest_seedshift.reporting import gaps, table
from pytest_seedshift.reporting.page import classes
from pytest_seedshift.results import run
from pytest_seedshift.results.schema import Search
from pytest_seedshift.runner import verdict_messages
from pytest_seedshift.studies.breaking_point import messages


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A run of seven models."""
    models = tuple(f"model-{letter}" for letter in "abcdefg")
    plan = synthetic.Plan(models=models, shifts=("mean",), pictures=0)
    return run.load(synthetic.write(tmp_path_factory.mktemp("many"), plan).path)


def test_a_table_of_many_models_fits_and_tells_the_largest_differences(many):
    lines, found = gaps.lines(many), gaps.of_run(many)
    assert len(found.couples) == 21
    body = lines[2:]
    assert max(map(len, body)) <= 100
    for model in many.models:
        assert any(model in line.split() for line in body)  # none is lost
    told = [line for line in body if " − " in line]
    assert len(told) == 3 * len(found.tables)
    (top1,) = (each for each in found.tables if each.score == "top1")
    values = sorted((abs(cell.share.value) for row in top1.rows for cell in row.gaps), reverse=True)[:3]
    assert [float(re.search(r"[+-]\d\.\d\d", line.split(" − ")[1])[0]) for line in told[:3]] == pytest.approx(
        [-each for each in values], abs=0.006
    )  # the first model is the one that breaks


def test_two_models_have_their_difference_in_a_column(many):
    two = dataclasses.replace(many, cases=tuple(each for each in many.cases if each.case.model in many.models[:2]))
    heads = [line for line in gaps.lines(two) if " − " in line]
    assert heads
    assert all("model-a − model-b" in line and "model-b " in line for line in heads)


def row(verdict="pass", mean=0.9, holds=True, **more):
    bound = {"score": "top1", "kind": "min", "bound": 0.6, "measured": mean, "holds": holds}
    scores = {} if verdict == "error" else {"top1": {"mean": mean, "low": 0.0, "high": 1.0}}
    whole = {"images": 400, "design": 400, "constraints": [bound] if scores else []}
    more = {"magnitude": 0.3, **whole, **more}
    return record(model="m", shift="mean", verdict=verdict, scores=scores, **more)


@pytest.mark.parametrize(
    ("records", "legend"),
    [
        ([row()], None),
        ([row("fail", 0.4, holds=False)], "  ✗ breaks a threshold"),
        ([row("fail", 0.4, holds=False, outcome="xfailed")], "  k known failure"),
        ([row("fail", 0.9, holds=True)], "  F fails, though no score that is shown breaks a threshold"),
        (
            [row("fail", 0.4, holds=None)],
            "  (✗) beyond its bound, but not decided: another bound has ended the case",
        ),
        ([row(), row("error", magnitude=0.1)], "  ! no verdict"),
        ([row(early=True, images=24)], "  ≈ early mean of 24 images, which leans towards its verdict"),
    ],
)
def test_a_mark_is_explained_where_it_stands_and_nowhere_else(records, legend):
    heading, *rest = table.table(records)
    assert heading == "m"
    assert [line for line in rest if any(word in line for word in ("threshold", "known", "verdict", "beyond"))] == (
        [] if legend is None else [legend]
    )
    if legend is not None:
        assert any(legend.split()[0] in line for line in rest[:-1])


def test_marks_of_any_width_leave_the_numbers_below_each_other():
    of = [("fail", 0.4, None, 0.1), ("fail", 0.4, False, 0.2), ("pass", 0.7, True, 0.3), ("pass", 0.7, None, 0.4)]
    records = [row(verdict, mean, holds=holds, magnitude=at) for verdict, mean, holds, at in of]
    (cells,) = (line for line in table.table(records) if line.strip().startswith("mean"))
    assert cells.split() == ["mean", "0.40(✗)", "0.40✗", "0.70", "0.70"]


@pytest.mark.parametrize("holds", [False, None])
@pytest.mark.parametrize(
    ("kind", "measured", "said"),
    [
        ("min", 2.996, "CLIP 2.996 < 3"),
        ("max_drop", 3.04, "CLIP drop 3.04 > 3"),
        ("max_regression", 3.04, "CLIP drop 3.04 > 3 against the baseline"),
        ("within", 3.0004, "±3"),
        ("within", -3.0004, "drop -3"),
        ("null", 3.004, "drop +3"),
        ("min", 2.9, "CLIP 2.9 < 3.0"),
    ],
)
def test_a_value_beyond_its_bound_never_prints_as_the_bound(kind, measured, said, holds):
    finding = Finding("clip", kind, 3.0, measured, holds)
    words = verdict_messages.comparison(finding)
    assert finding.is_beyond
    assert said in words
    numbers = [float(each) for each in re.findall(r"\d+\.?\d*", words)]
    assert len(set(numbers[:2])) == len(numbers[:2]), words


@pytest.mark.parametrize(("kind", "measured"), [("min", 3.0), ("max_drop", 3.0 + 1e-12), ("max_drop", 2.99)])
def test_a_value_within_its_bound_may_print_as_it(kind, measured):
    assert verdict_messages.comparison(Finding("clip", kind, 3.0, measured, None)).endswith(("3.0 ≥ 3.0", "3.0 ≤ 3.0"))


def search(**changes):
    found = {
        "id": "toy-mean-breaking-+", "test": "t", "model": "toy", "shift": "mean", "sign": "+", "magnitude": 1.0,
        "verdict": "measured", "reason": "", "at": 0.24, "holds_at": 0.1, "low": 0.1, "high": 0.3, "minimum": None,
        "recovers": [], "relapses": [], "within_budget": True, "probes": [], "images": 9, "scan": 99, "design": 16,
        "certainty": 0.99, "generated": 9, "seconds": 1.0, "device": "cpu", "dtype": "float32",
    }  # fmt: skip
    known = {name: value for name, value in found.items() if name in Search.model_fields}
    return Search.model_validate({**known, **changes})


def test_the_terminal_says_that_a_search_ended_by_its_budget():
    whole, cut = search(), search(within_budget=False)
    said = "the budget of images was used up"
    assert said in messages.line(cut)
    assert said not in messages.line(whole)
    assert said in messages.table([cut])[-1]
    assert any(" …" in line for line in messages.table([cut])[:-1])
    assert not any(said in line or "…" in line for line in messages.table([whole]))


def test_no_rate_stands_without_its_count_and_nothing_is_early_where_all_was_looked_at(many):
    made = str(classes.build(many, None).html)
    worst = re.findall(r"</a> \d\.\d\d(.{0,30})", made)
    assert worst
    assert all(re.match(r' <span class="of">\d+/\d+<', each) for each in worst)
    assert "as soon as they are decided" not in made
    early = dataclasses.replace(many, cases=tuple(dataclasses.replace(each, design=400) for each in many.cases))
    assert "as soon as they are decided" in str(classes.build(early, None).html)
