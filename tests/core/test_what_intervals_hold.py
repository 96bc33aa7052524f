"""Intervals hold the truth as often as they say, also where nearly nothing changes; what they replace does not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from helpers import simulations
from helpers.simulations import CERTAINTY, Curves
from pytest_seedshift.core.stats import unseen_changes
from pytest_seedshift.studies import position_control

SHORT = 300
LONG = 3000


def holds(rates: simulations.Rates) -> bool:
    """Whether an interval of 99 % holds the truth as often, but for the chance of the simulation."""
    return rates.ours * rates.designs >= binom.ppf(0.001, rates.designs, CERTAINTY)


FEW = [
    ("46, but 2 in 2 % of pairs", 16),
    ("46, but 2 in 2 % of pairs", 64),
    ("2, but 46 in 3 % of pairs", 64),
    ("gamma, skewed", 16),
]
CURVES = [
    Curves(16, 1, 0.98),
    Curves(16, 1, 0.98, alike=False),
    Curves(16, 1, 0.9),
    Curves(16, 4, 0.98),
    Curves(100, 1, 0.98, before=0.95),
]
GAPS = [(Curves(16, 1, 0.99), Curves(16, 1, 0.98)), (Curves(16, 4, 0.995), Curves(16, 4, 0.98))]


@pytest.mark.parametrize(("name", "pairs"), FEW)
def test_the_interval_of_a_score_holds_its_mean_and_the_bootstrap_s_did_not(name, pairs):
    rates = simulations.clip_means(name, pairs, SHORT)
    assert holds(rates)
    assert rates.naive < 0.97


@pytest.mark.parametrize("curves", CURVES, ids=range(len(CURVES)))
def test_the_interval_of_a_robustness_holds_it_where_nearly_nothing_changes(curves):
    rates = simulations.robustness(curves, SHORT)
    assert holds(rates)
    assert rates.naive < 0.92


@pytest.mark.parametrize(("one", "other"), GAPS, ids=range(len(GAPS)))
def test_so_does_that_of_the_gap_of_two_models(one, other):
    rates = simulations.robustness(one, SHORT, other)
    assert holds(rates)
    assert rates.naive < 0.95


@pytest.mark.parametrize(("share", "images"), [(0.02, 32), (0.05, 32), (0.1, 32), (0.02, 64)])
def test_a_noise_floor_leaves_room_for_the_share_of_outcomes_that_change(share, images):
    rates = simulations.noise_floor(share, images, LONG)
    assert holds(rates)
    assert rates.naive < 0.8


def test_the_interval_of_a_displacement_that_few_pairs_have_holds_it():
    rates = simulations.displacement(0.02, 64, SHORT)
    assert holds(rates)
    assert rates.naive < 0.85


# Whole, by night ---------------------------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.parametrize("pairs", [16, 64, 400])
@pytest.mark.parametrize("name", list(simulations.VALUES))
def test_intervals_of_scores_at_length(name, pairs):
    assert holds(simulations.clip_means(name, pairs, LONG, seed=1))


@pytest.mark.nightly
@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99])
@pytest.mark.parametrize(("labels", "seeds"), [(16, 1), (16, 4), (100, 1), (100, 4)])
def test_intervals_of_robustness_at_length(labels, seeds, share, alike):
    """A bootstrap is no exact interval: the least that was found is 0.983, of 100 pairs."""
    rates = simulations.robustness(Curves(labels, seeds, share, alike, before=0.95), LONG, seed=1)
    assert rates.ours >= 0.98


# The rule that they share ------------------------------------------------------------------------------------------


@given(st.integers(1, 10_000), st.data())
def test_what_may_be_hidden_is_what_would_be_seen_in_all_but_one_of_a_hundred_samples(pairs, data):
    changed = data.draw(st.integers(0, pairs - 1))
    most = unseen_changes.most(pairs, changed)
    assert changed / pairs < most < 1
    assert binom.cdf(changed, pairs, most) == pytest.approx(0.01, rel=1e-3)


@given(st.floats(0.001, 0.9))
def test_so_many_pairs_are_needed_and_one_fewer_would_not_do(share):
    needed = unseen_changes.needed(share)
    assert unseen_changes.most(needed) <= share * (1 + 1e-9)
    assert needed == 1 or unseen_changes.most(needed - 1) > share * (1 - 1e-9)


@pytest.mark.parametrize(("pairs", "changed"), [(0, 0), (3, 4), (3, -1)])
def test_numbers_that_do_not_belong_together_are_refused(pairs, changed):
    with pytest.raises(ValueError, match="at least one pair"):
        unseen_changes.most(pairs, changed)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan])
def test_a_share_that_no_number_of_pairs_excludes_is_refused(share):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        unseen_changes.needed(share)


@given(st.floats(-1, 1), st.integers(2, 100))
def test_moves_that_are_all_the_same_have_an_interval_that_leaves_room_and_stays_in_the_picture(move, pairs):
    found = position_control.clustered([move] * pairs, ["owl", "fig"] * (pairs // 2) + ["owl"] * (pairs % 2), CERTAINTY)
    assert -1 - 1e-9 <= found.low <= found.mean <= found.high <= 1 + 1e-9
    assert found.high - found.low == pytest.approx(2 * unseen_changes.most(pairs))
