"""The tests behind a regression: their values, their edges, their adjustment for many."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.gate import significance


def test_mcnemar_is_a_count_of_coin_tosses():
    assert significance.mcnemar(0, 0) == significance.mcnemar(0, 5) == 1.0
    assert significance.mcnemar(7, 0) == pytest.approx(2**-7)
    assert significance.mcnemar(9, 1) == pytest.approx((1 + 10) / 2**10)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_falls_with_each_pair_lost_and_rises_with_each_pair_won(lost, won):
    p = significance.mcnemar(lost, won)
    assert significance.mcnemar(lost + 1, won) <= p <= significance.mcnemar(lost, won + 1) <= 1


def test_changes_leave_out_what_a_batch_size_can_do():
    assert significance.changes("clip", [40.0, 40.0, 60.0], [40.04, 39.0, 50.0]).tolist() == [0.0, 1.0, 0.0]
    assert significance.changes("top1", [1, 0, 1], [0, 1, 1]).tolist() == [1.0, -1.0, 0.0]


def test_t_has_a_say_only_where_something_changed():
    assert significance.t_test(np.zeros(50)) == significance.t_test(np.array([3.0])) == 1.0
    assert significance.t_test(np.full(10, 0.5)) == pytest.approx(2**-10)
    assert significance.t_test(np.full(10, -0.5)) == 1.0
    drops = np.array([1.0, 2.0, 3.0, -1.0])
    assert significance.t_test(drops) + significance.t_test(-drops) == pytest.approx(1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_single_p_values_and_bonferroni_s_and_keeps_their_order(p_values):
    adjusted = significance.holm(p_values)
    for p, held in zip(p_values, adjusted, strict=True):
        assert p <= held <= min(1.0, len(p_values) * p) or math.isclose(held, min(1.0, len(p_values) * p)) or held >= p
    by_p = [held for _, held in sorted(zip(p_values, adjusted, strict=True))]
    assert all(one <= other for one, other in pairwise(by_p))
    assert min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


def test_holm_by_hand():
    assert significance.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert significance.holm([]) == []


@given(st.integers(8, 400), st.integers(0, 20), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_least_drop_is_the_first_that_is_beyond_chance(pairs, won, level):
    drops = np.zeros(max(pairs, won))
    drops[:won] = -1
    least = significance.least_fixed("top1", drops, level)
    if least is None:
        assert significance.mcnemar(drops.size - won, won) > level or drops.size - won <= won
        return
    lost = round(least * drops.size) + won
    assert significance.mcnemar(lost, won) <= level
    assert lost == won + 1 or significance.mcnemar(lost - 1, won) > level


def test_the_least_drop_of_a_score_is_where_t_says_so():
    drops = np.random.default_rng(0).normal(0, 3, 100)
    least = significance.least_fixed("clip", drops, 0.01)
    assert significance.t_test(drops - drops.mean() + least) == pytest.approx(0.01)


def test_unpaired_accuracies_say_less_than_pairs():
    assert significance.unpaired(22, 2, 320, 400) > 0.02 > 1e-4 > significance.mcnemar(22, 2)
    assert significance.unpaired(0, 0, 10, 10) == 1.0
