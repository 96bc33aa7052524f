"""A score's value is in its declared range, or an error of its case, wherever it comes from."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.core.score_bounds import constraint
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import ScoreRegistry, recorded
from pytest_seedshift.core.scores import SLACK, AvailableScores, Constraint, Margin, outside
from pytest_seedshift.core.stats.sequential import SequentialTest, estimate, estimate_drop
from pytest_seedshift.core.thresholds import ThresholdsError
from pytest_seedshift.runner.samples import Sample

KINDS = {"mine": ScoreKind("Mine", 4.0, binary=False), "seen": ScoreKind("Seen", 1.0, binary=True)}
PAIR = Pair(Label("pizza", 0), 3)


@given(st.floats())
@example(4 * (1 + SLACK))
@example(-0.0)
def test_a_value_is_accepted_where_the_range_has_it(value):
    kinds = ScoreRegistry(KINDS)
    assert (outside("mine", kinds["mine"], value) is None) == (-SLACK * 4 <= value <= 4 * (1 + SLACK))
    for binary in ("seen", "top1", "top5"):
        assert (outside(binary, kinds[binary], value) is None) == (value in (0.0, 1.0))
    assert outside("clip", kinds["clip"], value) is None  # clipped by design, and counted


@pytest.mark.parametrize(("score", "value"), [("mine", 5.2), ("mine", math.nan), ("seen", 0.2), ("top1", 7.0)])
def test_no_sample_has_a_value_outside(score, value):
    case, kinds = Case("toy", "mean", 0.3), ScoreRegistry(KINDS)
    sound = Sample(case, PAIR, {"clip": 60.0, score: 1.0, "position_x": 7.0})
    assert sound.checked(kinds) is sound
    with pytest.raises(CaseError, match=rf"toy, mean \+0.30: the score {score} of 'A photo of a pizza', seed 3 is "):
        Sample(case, PAIR, {"clip": 60.0, score: value}).checked(kinds)


# Ranges that do not begin at 0 --------------------------------------------------------------------------------------

PLAIN, MOVED = ScoreKind("Plain", 4.0, binary=False), ScoreKind("Moved", 1.5, binary=False, low=-2.5)
"""The same range, moved by 2.5."""

VALUES = st.lists(st.integers(0, 32).map(lambda at: at / 8), min_size=40, max_size=40)


def moved(values):
    return [value - 2.5 for value in values]


@given(VALUES, VALUES, VALUES, st.integers(0, 31), st.booleans())
@settings(max_examples=25)
def test_a_range_that_is_moved_changes_no_verdict(after, control, before, at, exact):
    low, drop = at / 8 + 0.01, 0.3 + at / 16
    bounds = {"max_drop": drop, "max_regression": drop, "significant": True}
    plain = Constraint("mine", minimum=low, own_kind=PLAIN, within=Margin(drop + 0.1), **bounds)
    other = Constraint("mine", minimum=low - 2.5, own_kind=MOVED, within=Margin(drop + 0.1), **bounds)
    one = SequentialTest((plain,), 40, exact=exact, baseline={"mine": before})
    two = SequentialTest((other,), 40, exact=exact, baseline={"mine": moved(before)})
    for seen in (10, 40):
        said = one.judge({"mine": after[:seen]}, {"mine": control})
        same = two.judge({"mine": moved(after[:seen])}, {"mine": moved(control)})
        assert (said.passed, [each.holds for each in said.findings]) == (
            same.passed,
            [each.holds for each in same.findings],
        )
        for here, there in zip(said.findings, same.findings, strict=True):
            by = 2.5 if here.kind == "min" else 0.0
            assert there.bound == pytest.approx(here.bound - by)
            assert there.measured == pytest.approx(here.measured - by, abs=1e-9)
    for of in (
        estimate,
        lambda kind, values: estimate_drop(kind, values, moved(control) if kind is MOVED else control),
    ):
        here, there = of(PLAIN, after), of(MOVED, moved(after))
        by = 2.5 if of is estimate else 0.0
        for part in ("mean", "low", "high"):
            assert getattr(there, part) == pytest.approx(getattr(here, part) - by, abs=1e-9)


def test_a_lost_range_would_be_seen():
    """A negative control of the test above: with the range's beginning at 0 the same values say something else."""
    blind = ScoreKind("Moved", 1.5, binary=False)
    assert estimate(blind, [-2.0, -1.0]).mean == 0
    assert estimate(MOVED, [-2.0, -1.0]).mean == -1.5


@given(st.floats(allow_nan=False))
def test_a_negative_value_is_accepted_where_the_range_has_it(value):
    assert (outside("mine", MOVED, value) is None) == (-2.5 - 4 * SLACK <= value <= 1.5 + 4 * SLACK)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-3, "min = -3 is outside its range, -2.5 to 1.5"),
        ({"max_drop": -1}, "max_drop"),
        ({"max_drop": 4.5}, "max_drop = 4.5 is outside its range, 0 to 4"),
        ({"within": 4}, "above 0 and below 4"),
        (-2, None),
        ({"max_drop": 3.5}, None),
    ],
)
def test_bounds_keep_to_the_declared_range(value, says):
    scores = AvailableScores(ScoreRegistry({"mine": MOVED}))
    if says is None:
        assert constraint("mine", value, "it:", scores).score_kind == MOVED
        return
    with pytest.raises(ThresholdsError, match=re.escape(says) if "=" in says else says):
        constraint("mine", value, "it:", scores)


def test_a_range_is_written_as_it_was_and_with_its_beginning_where_that_is_not_0():
    assert PLAIN.document() == {"title": "Plain", "top": 4.0, "binary": False}
    for kind in (PLAIN, MOVED):
        read = recorded({"scores": {"mine": kind.document()}})
        assert read["mine"] == kind
    assert "mine" not in recorded({"scores": {"mine": {**MOVED.document(), "low": 2.0}}})
