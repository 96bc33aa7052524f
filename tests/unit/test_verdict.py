"""Decisions on a finite design."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.verdict import CERTAINTY, SCORES, Constraint, Estimate, Finding, estimate, judge

RIGHT_7_OF_10 = [1.0] * 7 + [0.0] * 3
clip_values = st.lists(st.floats(0, 100, width=16), min_size=1, max_size=30)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Wilson 1927, with the normal quantile of 99 %."""
    z = 2.5758293035489004
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


@pytest.mark.parametrize(("right", "n"), [(7, 10), (0, 5), (5, 5), (380, 400), (1, 1)])
@pytest.mark.parametrize("score", ["top1", "top5"])
def test_accuracies_have_wilsons_interval(score, right, n):
    found = estimate(score, [1.0] * right + [0.0] * (n - right))
    low, high = wilson(right, n)
    assert found.mean == right / n
    assert found.low == pytest.approx(low, abs=1e-12)
    assert found.high == pytest.approx(high, abs=1e-12)


@given(clip_values)
def test_a_bootstrap_interval_contains_the_mean_and_lies_among_the_values(values):
    found = estimate("clip", values)
    slack = 1e-9
    assert found.mean == pytest.approx(sum(values) / len(values), abs=slack)
    assert min(values) - slack <= found.low <= found.mean + slack
    assert found.mean - slack <= found.high <= max(values) + slack
    assert estimate("clip", values) == found


def test_one_value_and_equal_values_are_their_own_interval():
    assert estimate("clip", [21.5]) == estimate("clip", [21.5] * 3) == Estimate(21.5, 21.5, 21.5)


def test_a_bootstrap_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(1).normal(22, 3, 400)
    found = estimate("clip", values.tolist())
    half = 2.576 * values.std() / 20
    assert found.high - found.mean == pytest.approx(half, rel=0.15)
    assert found.mean - found.low == pytest.approx(half, rel=0.15)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    draws = 400
    clip = [estimate("clip", rng.gamma(4, 5, 100).tolist()) for _ in range(100)]
    assert sum(interval.low <= 20 <= interval.high for interval in clip) >= 95
    top1 = [estimate("top1", rng.binomial(1, 0.8, 64).astype(float).tolist()) for _ in range(draws)]
    covered = sum(interval.low <= 0.8 <= interval.high for interval in top1)
    assert CERTAINTY == 0.99
    assert 0.975 * draws <= covered < draws


@pytest.mark.parametrize("score", list(SCORES))
@pytest.mark.parametrize(
    ("values", "message"), [([], "no values"), ([1.0, math.nan], "not finite"), ([math.inf, 1.0], "not finite")]
)
def test_what_was_not_measured_has_no_mean(score, values, message):
    with pytest.raises(ValueError, match=f"{SCORES[score].title} has .*{message}"):
        estimate(score, values)
    with pytest.raises(ValueError, match=message):
        judge([Constraint(score, minimum=0.0)], {score: values})


def test_a_bound_exactly_at_the_mean_holds():
    (finding,) = judge([Constraint("top1", minimum=0.7)], {"top1": RIGHT_7_OF_10})
    assert finding == Finding("top1", "min", 0.7, 0.7)
    assert finding.holds


@given(right=st.integers(0, 400), n=st.integers(1, 400))
def test_a_minimum_holds_exactly_if_enough_are_right(right, n):
    right = min(right, n)
    values = [1.0] * right + [0.0] * (n - right)
    for asked in range(max(0, right - 1), min(n, right + 1) + 1):
        (finding,) = judge([Constraint("top1", minimum=asked / n)], {"top1": values})
        assert finding.holds == (right >= asked)


@given(lost=st.integers(0, 50), n=st.integers(1, 50))
def test_a_drop_holds_exactly_if_no_more_are_lost(lost, n):
    lost = min(lost, n)
    values = [0.0] * lost + [1.0] * (n - lost)
    for allowed in range(max(0, lost - 1), min(n, lost + 1) + 1):
        (finding,) = judge([Constraint("top1", max_drop=allowed / n)], {"top1": values}, {"top1": [1.0] * n})
        assert finding.holds == (lost <= allowed)


def test_a_drop_is_the_controls_mean_less_the_cases():
    (finding,) = judge([Constraint("clip", max_drop=2.0)], {"clip": [20.0, 24.0]}, {"clip": [25.0, 22.0]})
    assert finding == Finding("clip", "max_drop", 2.0, 1.5)
    assert finding.holds
    (finding,) = judge([Constraint("clip", max_drop=1.0)], {"clip": [20.0, 24.0]}, {"clip": [25.0, 22.0]})
    assert not finding.holds


def test_a_gain_is_a_negative_drop_and_holds():
    (finding,) = judge([Constraint("top1", max_drop=0.0)], {"top1": [1.0, 1.0]}, {"top1": [1.0, 0.0]})
    assert finding.measured == -0.5
    assert finding.holds


def test_each_bound_of_each_constraint_is_judged_by_itself():
    findings = judge(
        [Constraint("top1", minimum=0.8), Constraint("clip", minimum=20.0, max_drop=5.0)],
        {"top1": RIGHT_7_OF_10, "clip": [21.0] * 10, "top5": [1.0] * 10},
        {"clip": [27.0] * 10},
    )
    assert [(finding.score, finding.kind, finding.holds) for finding in findings] == [
        ("top1", "min", False),
        ("clip", "min", True),
        ("clip", "max_drop", False),
    ]


@pytest.mark.parametrize("constraints", [[], [Constraint("top1")], [Constraint("clip", 20.0), Constraint("top1")]])
def test_nothing_asked_is_not_passed(constraints):
    with pytest.raises(ValueError, match="not checked has not passed"):
        judge(constraints, {"top1": [1.0], "clip": [30.0]})


def test_a_score_that_is_missing_is_not_passed():
    with pytest.raises(ValueError, match="top-5 has no values"):
        judge([Constraint("top5", minimum=0.0)], {"top1": [1.0]})


@pytest.mark.parametrize(
    ("control", "count"), [(None, 0), ({}, 0), ({"top1": [1.0] * 9}, 9), ({"top1": [1.0] * 11}, 11)]
)
def test_a_control_of_other_pairs_is_refused(control, count):
    with pytest.raises(ValueError, match=f"max_drop of top1: the control has {count} values for the case's 10 pairs"):
        judge([Constraint("top1", max_drop=0.1)], {"top1": RIGHT_7_OF_10}, control)


def test_a_control_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        judge([Constraint("clip", max_drop=0.1)], {"clip": [1.0]}, {"clip": [math.nan]})


def test_values_are_written_with_the_decimals_worth_reading():
    assert SCORES["top1"].format(0.6) == "0.60"
    assert SCORES["clip"].format(21.34) == "21.3"
