"""Which scores a run has, as a value: the built-in ones first, and no other run's."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.score_kinds import BUILT_IN, ScoreKind
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry, in_order, recorded

TOPS = st.floats(0, exclude_min=True, allow_infinity=False, allow_nan=False)
KINDS = st.builds(ScoreKind, st.text(min_size=1), TOPS, st.booleans())
NAMES = st.one_of(st.text(min_size=1), st.sampled_from(["top1", "clip"]))
OWN = st.dictionaries(NAMES, KINDS, max_size=5)


@given(OWN)
def test_built_in_scores_come_first_and_mean_what_they_do(own):
    made = ScoreRegistry(own)
    assert list(made)[: len(BUILT_IN)] == list(BUILT_IN)
    assert all(made[name] is kind for name, kind in BUILT_IN.items())
    assert made.own == {name: kind for name, kind in own.items() if name not in BUILT_IN}
    assert list(made.own) == sorted(made.own)
    assert in_order(reversed(list(made))) == list(made)


@given(OWN, OWN)
def test_a_union_changes_neither_side_and_keeps_the_left_ones(one, other):
    left, right = ScoreRegistry(one), ScoreRegistry(other)
    before = dict(left), dict(right)
    both = left | right
    assert (dict(left), dict(right)) == before
    assert set(both) == {*left, *right}
    assert all(both[name] == left[name] for name in left)
    assert left | left == left
    assert hash(ScoreRegistry(dict(reversed(one.items())))) == hash(left)


@given(OWN)
def test_what_a_file_tells_is_what_was_written(own):
    written = ScoreRegistry(own)
    assert recorded({"scores": {name: asdict(kind) for name, kind in written.own.items()}}) == written


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"title": "Mine", "top": "much", "binary": False},
        {"title": "Mine", "top": math.inf, "binary": False},
        {"title": "Mine", "top": math.nan, "binary": False},
        {"title": "Mine", "top": -1, "binary": False},
    ],
)
def test_what_is_no_score_is_left_out(entry):
    assert recorded({"scores": {"mine": entry}}) == SHIPPED == recorded({}) == recorded({"scores": entry})
