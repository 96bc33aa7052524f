"""The tests behind a regression: their values, their edges, their adjustment for many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, multinomial

from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import DECIMALS
from pytest_seedshift.core.stats import paired, proportions


def test_mcnemar_is_a_count_of_coin_tosses():
    assert paired.mcnemar(0, 0) == paired.mcnemar(0, 5) == 1.0
    assert paired.mcnemar(7, 0) == pytest.approx(2**-7)
    assert paired.mcnemar(9, 1) == pytest.approx((1 + 10) / 2**10)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_falls_with_each_pair_lost_and_rises_with_each_pair_won(lost, won):
    p = paired.mcnemar(lost, won)
    assert paired.mcnemar(lost + 1, won) <= p <= paired.mcnemar(lost, won + 1) <= 1


def test_changes_leave_out_what_a_batch_size_can_do():
    assert paired.changes(BUILT_IN["clip"], [40.0, 40.0, 60.0], [40.04, 39.0, 50.0]).tolist() == [0.0, 1.0, 0.0]
    assert paired.changes(BUILT_IN["top1"], [1, 0, 1], [0, 1, 1]).tolist() == [1.0, -1.0, 0.0]


def test_t_has_a_say_only_where_something_changed():
    assert paired.t_test(np.zeros(50)) == paired.t_test(np.array([3.0])) == 1.0
    assert paired.t_test(np.full(10, 0.5)) == pytest.approx(2**-10)
    assert paired.t_test(np.full(10, -0.5)) == 1.0
    drops = np.array([1.0, 2.0, 3.0, -1.0])
    assert paired.t_test(drops) + paired.t_test(-drops) == pytest.approx(1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(0, 5))
def test_holm_finds_what_bonferroni_finds_and_the_smallest_first(p_values, more):
    number = len(p_values) + more
    levels = paired.holm(p_values, number, 0.05)
    found = [p <= level for p, level in zip(p_values, levels, strict=True)]
    assert all(0.05 / number <= level <= 0.05 for level in levels)
    assert all(is_found for p, is_found in zip(p_values, found, strict=True) if p <= 0.05 / number)
    ordered = [is_found for _, is_found in sorted(zip(p_values, found, strict=True), key=lambda each: each[0])]
    assert ordered == sorted(ordered, reverse=True)


def test_holm_by_hand():
    assert paired.holm([0.01, 0.04, 0.03], 3, 0.06) == pytest.approx([0.02, 0.06, 0.03])
    assert paired.holm([0.01, 0.05, 0.04], 3, 0.06) == pytest.approx([0.02, 0.03, 0.03])
    assert paired.holm([0.01, 0.05, 0.04], 60, 0.06) == pytest.approx([0.001] * 3)
    assert paired.holm([], 3, 0.05) == []


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=10))
def test_random_signs_are_counted_where_they_can_be(drops):
    values = np.array(drops, dtype=float)
    tossed = np.array(np.meshgrid(*[[-1, 1]] * len(drops))).reshape(len(drops), -1)
    counted = ((tossed * np.abs(values)[:, None]).sum(axis=0) >= values.sum() - 1e-9).mean()
    assert paired.signs(values, 0.01) == pytest.approx(counted if values.sum() > 0 else 1.0)


def test_random_signs_that_are_drawn_are_near_those_that_are_counted():
    values = np.random.default_rng(0).integers(-3, 5, 40).astype(float)
    counted, drawn = paired.signs(values, 0.001), paired.signs(values * 1.1, 0.001)
    assert drawn == pytest.approx(counted, rel=0.2)
    assert drawn == paired.signs(values * 1.1, 0.001)


@given(st.integers(8, 400), st.integers(0, 20), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_least_drop_is_the_first_that_is_beyond_chance(pairs, won, level):
    drops = np.zeros(max(pairs, won))
    drops[:won] = -1
    least = paired.least_fixed(BUILT_IN["top1"], drops, 0.0, level, any_change=True)
    if least is None:
        assert paired.mcnemar(drops.size - won, won) > level or drops.size - won <= won
        return
    lost = round(least * drops.size) + won
    assert paired.mcnemar(lost, won) <= level
    assert lost == won + 1 or paired.mcnemar(lost - 1, won) > level


@pytest.mark.parametrize(("allowed", "any_change"), [(0.05, False), (0.0, True)])
def test_the_least_drop_is_found_in_half_of_all_designs_and_its_companion_in_nine_of_ten(allowed, any_change):
    rng, won, pairs = np.random.default_rng(0), 0.03, 400
    drops = np.repeat([-1.0, 0.0], [12, 388])
    least = paired.least_fixed(BUILT_IN["top1"], drops, allowed, 0.01, any_change=any_change)
    sure = paired.in_nine_of_ten(BUILT_IN["top1"], drops, least)
    for drop, share in ((least, 0.5), (sure, 0.9)):
        counts = rng.multinomial(pairs, [won + drop, won, 1 - 2 * won - drop], 2000)
        lost = (counts[:, 0] > counts[:, 1]) * counts[:, 0]
        found = [
            paired.mcnemar(x, y) <= 0.01
            if any_change
            else proportions.score(x, y, pairs, allowed) >= proportions.critical(pairs, allowed, 0.01)
            for x, y in zip(lost.tolist(), counts[:, 1].tolist(), strict=True)
        ]
        assert np.mean(found) == pytest.approx(share, abs=0.08)


@given(st.integers(5, 30), st.data())
def test_the_test_of_proportions_is_what_counting_all_outcomes_gives(pairs, data):
    won = data.draw(st.integers(0, pairs // 2))
    lost = data.draw(st.integers(won, pairs - won))
    allowed = data.draw(st.sampled_from([0.02, 0.1, 0.3]))
    p = proportions.p_value(lost, won, pairs, allowed)
    if lost - won <= pairs * allowed + 1e-9:
        assert p == 1
        return
    x, y = (each.ravel() for each in np.meshgrid(np.arange(pairs + 1), np.arange(pairs + 1)))
    x, y = x[x + y <= pairs], y[x + y <= pairs]
    worse = proportions.score(x, y, pairs, allowed) >= float(proportions.score(lost, won, pairs, allowed)) - 1e-9
    for share in np.linspace(0, (1 - allowed) / 2, 40):
        chances = multinomial.pmf(
            np.stack([x, y, pairs - x - y], -1), pairs, [share + allowed, share, 1 - 2 * share - allowed]
        )
        assert np.nansum(chances[worse]) <= p * 1.05 + 1e-9
    assert proportions.p_value(lost, won, pairs, allowed) >= p_of_one(lost, pairs, allowed) * (won == 0) - 1e-9


def p_of_one(lost, pairs, allowed):
    """Where no pair is ever won: the binomial test."""
    return binom.sf(lost - 1, pairs, allowed)


@pytest.mark.parametrize("pairs", [16, 400])
def test_what_is_lost_at_most_falls_with_pairs_won_and_is_above_what_is_seen(pairs):
    ends = [proportions.most(3, won, pairs, 0.99) for won in range(4)]
    assert ends == sorted(ends, reverse=True)
    assert all(end > (3 - won) / pairs for won, end in enumerate(ends))
    assert proportions.most(0, 0, pairs, 0.99) > 1 - 0.01 ** (1 / pairs)


def test_a_run_folder_and_its_file_say_the_same_of_every_pair():
    """A file has three decimals: what lies on the edge of what counts as no change lies on it in both."""
    before, after = np.array([20.0004, 20.0, 31.2346]), np.array([19.9499, 19.9499, 31.18451])
    as_file = [np.round(each, DECIMALS) for each in (before, after)]
    for one in (before, as_file[0]):
        for other in (after, as_file[1]):
            assert (
                paired.changes(BUILT_IN["clip"], one, other).tolist()
                == paired.changes(BUILT_IN["clip"], *as_file).tolist()
            )


def test_unpaired_accuracies_say_less_than_pairs():
    assert paired.unpaired(22, 2, 320, 400) > 0.02 > 1e-4 > paired.mcnemar(22, 2)
    assert paired.unpaired(0, 0, 10, 10) == 1.0
