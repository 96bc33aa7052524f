"""A score's value is in its declared range, or an error of its case, wherever it comes from."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.core.scores import SLACK, outside
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
