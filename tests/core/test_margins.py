"""Written thresholds: another draw of the whole grid meets them as often as it is said, and a worse model does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from helpers import simulations, simulations_margins
from helpers.simulations_margins import CERTAINTY
from pytest_seedshift.core.stats import margins


def meets(rates: simulations.Rates) -> bool:
    """Whether as many grids meet their bounds as is said, but for the chance of the simulation."""
    return rates.ours * rates.designs >= binom.ppf(0.001, rates.designs, CERTAINTY)


@pytest.mark.parametrize(("share", "pairs"), [(0.5, 64), (0.5, 400), (0.8, 64), (0.8, 400)])
def test_another_draw_of_a_grid_meets_all_bounds_as_often_as_said_which_a_fixed_margin_does_not(share, pairs):
    rates = simulations_margins.another_grid(share, pairs, 3000)
    assert meets(rates), rates
    assert rates.naive < 0.9  # the control


@settings(max_examples=15)
@given(share=st.floats(0, 1), pairs=st.sampled_from([1, 4, 16, 64, 100]))
def test_that_holds_by_arithmetic_whatever_the_share_and_the_design(share, pairs):
    assert simulations_margins.exactly(share, pairs) >= CERTAINTY - 1e-9


def test_a_model_that_has_fallen_by_ten_points_in_one_case_breaks_its_bound():
    assert simulations_margins.found_worse(0.985, 0.885, 400, 3000) > 0.97
    assert simulations_margins.found_worse(0.985, 0.985, 400, 3000) < 0.01


def test_another_grid_meets_bounds_of_clip_and_of_early_verdicts():
    assert meets(simulations_margins.another_grid_of_clip("46, but 2 in 2 % of pairs", 64, 100))
    assert meets(simulations_margins.another_grid_after_early(0.8, 60))


@pytest.mark.nightly
@pytest.mark.parametrize("name", simulations.VALUES)
@pytest.mark.parametrize("pairs", [64, 400])
def test_another_grid_meets_bounds_of_clip_whatever_its_values_are_like(name, pairs):
    rates = simulations_margins.another_grid_of_clip(name, pairs, 3000)
    assert meets(rates), rates


@pytest.mark.nightly
@pytest.mark.parametrize("share", [0.7, 0.8, 0.985])
def test_another_grid_meets_bounds_of_early_verdicts_and_is_judged_so_early(share):
    rates = simulations_margins.another_grid_after_early(share, 3000)
    assert meets(rates), rates
    assert simulations_margins.judged_early(share, 3000) >= 0.99


@given(
    mean=st.floats(0, 1),
    arm=st.floats(0, 1),
    images=st.integers(1, 400),
    bounds=st.integers(1, 1000),
    certainty=st.floats(0.51, 0.9999),
)
def test_a_limit_lies_below_the_interval_and_the_lower_the_more_bounds_there_are(mean, arm, images, bounds, certainty):
    def limit(bounds: int) -> float:
        return margins.limit(mean, mean - arm, images, 400, bounds=bounds, certainty=certainty)

    assert limit(bounds + 1) <= limit(bounds) <= mean - arm + 1e-9


def test_a_certainty_that_is_none_is_refused():
    with pytest.raises(ValueError, match="certainty"):
        margins.limit(0.5, 0.4, 10, 10, bounds=1, certainty=1.0)
