"""Robustness and gap: pure numbers."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core.stats import robustness, unseen_changes

LABELS = ("owl", "pizza", "violin", "snail")


def curve(by_magnitude: dict[float, float], *, seeds: int = 5, noise: float = 0.0, before: float = 1.0, seed: int = 0):
    """A curve whose pairs keep a share at each magnitude, with noise that pairs and magnitudes do not share."""
    draw = random.Random(seed)
    return {
        at: {
            (label, index): (max(before * (share + noise * draw.gauss(0, 1)), 0.0), before)
            for label in LABELS
            for index in range(seeds)
        }
        for at, share in by_magnitude.items()
    }


shares = st.dictionaries(st.sampled_from([-0.5, -0.3, -0.1, 0.1, 0.3, 0.5]), st.floats(0, 1), min_size=1)


@given(shares)
def test_the_robustness_is_the_mean_share_over_the_magnitudes(by_magnitude):
    found = robustness.robustness(curve(by_magnitude, before=40.0))
    assert found.value == pytest.approx(sum(by_magnitude.values()) / len(by_magnitude))
    assert found.magnitudes == tuple(sorted(by_magnitude))
    assert found.pairs == 20
    assert found.low <= found.value <= found.high
    assert found.low < found.high


@given(st.floats(0.1, 50.0), st.floats(0.1, 50.0))
def test_where_nothing_changes_all_is_kept_and_the_interval_has_room_for_what_chance_has_hidden(one, other):
    still = curve({0.1: 1.0}, before=one), curve({0.1: 1.0}, before=other)
    alone, apart = robustness.robustness(still[0]), robustness.gap(*still)
    assert (alone.value, apart.value) == (1.0, 0.0)
    hidden = unseen_changes.most(20, certainty=0.995)
    assert alone.low == pytest.approx(1 - hidden)
    assert alone.high == pytest.approx(1 + hidden / (1 - hidden))
    assert apart.low < 0 < apart.high


def test_the_range_of_a_score_is_what_a_hidden_pair_can_lose():
    still = curve({0.1: 1.0}, before=20.0)
    narrow, wide = robustness.robustness(still), robustness.robustness(still, top=50.0)
    assert wide.low < narrow.low < 1 < narrow.high < wide.high


@pytest.mark.parametrize("pairs", [1, 2, robustness.LEAST - 1])
def test_of_too_few_pairs_there_is_a_value_and_no_interval(pairs):
    few = {0.1: {("owl", index): (1.0, 1.0) for index in range(pairs)}}
    more = {0.1: {("owl", index): (1.0, 1.0) for index in range(robustness.LEAST)}}
    for found in (robustness.robustness(few), robustness.gap(few, few), robustness.gap(few, more)):
        assert not found.has_interval
        assert found.value == pytest.approx(1.0 if found is not None and found.value else 0.0)
    assert robustness.robustness(more).has_interval


@given(shares, shares, st.integers(0, 1000))
def test_two_models_swapped_turn_the_sign_of_the_gap(one, other, seed):
    first, second = curve(one, noise=0.1, seed=seed), curve(other, noise=0.1, seed=seed + 1)
    there, back = robustness.gap(first, second), robustness.gap(second, first)
    if one.keys() & other.keys():
        assert there.value == pytest.approx(-back.value, abs=1e-12)
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)
    else:
        assert there is back is None


def test_a_gap_is_over_the_magnitudes_and_pairs_that_both_models_have():
    one, other = curve({0.1: 1.0, 0.3: 0.5}), curve({0.3: 0.75, 0.5: 0.0})
    missing = ("owl", 0)
    del other[0.3][missing]
    found = robustness.gap(one, other)
    assert found.magnitudes == (0.3,)
    assert found.pairs == 19
    assert found.value == pytest.approx(-0.25)


def test_magnitudes_beyond_the_reach_do_not_count():
    assert robustness.robustness(curve({0.3: 0.8, 0.52: 0.0})).value == pytest.approx(0.8)
    assert robustness.robustness(curve({0.6: 0.8})) is None
    assert robustness.robustness({}) is None


def test_a_model_that_scores_nothing_unshifted_has_no_share():
    nothing = curve({0.1: 1.0}, before=0.0)
    assert robustness.robustness(nothing) is None
    assert robustness.gap(nothing, curve({0.1: 1.0})) is None


def test_what_is_paired_is_compared_more_sharply_than_two_models_apart():
    draw = random.Random(1)
    easy = {(label, index): draw.random() for label in LABELS for index in range(100)}
    one = {0.3: {pair: (ease, 1.0) for pair, ease in easy.items()}}
    other = {0.3: {pair: (ease * 0.9, 1.0) for pair, ease in easy.items()}}
    paired = robustness.gap(one, other)
    apart = [robustness.robustness(each) for each in (one, other)]
    assert paired.low > 0
    assert paired.high - paired.low < 0.5 * sum(share.high - share.low for share in apart)


def test_labels_that_differ_widen_the_interval_as_they_are_drawn_together():
    alike = {0.3: {(label, k): (float(k % 2), 1.0) for label in LABELS for k in range(24)}}
    by_label = {0.3: {(label, k): (float(place % 2), 1.0) for place, label in enumerate(LABELS) for k in range(24)}}
    widths = [share.high - share.low for share in (robustness.robustness(alike), robustness.robustness(by_label))]
    assert widths[1] > 2 * widths[0]


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    draw, covered = random.Random(7), 0
    for _ in range(60):
        ease = {(f"label {label}", k): 0.7 for label in range(16) for k in range(6)}
        one = {0.3: {pair: (float(draw.random() < p), 1.0) for pair, p in ease.items()}}
        found = robustness.robustness(one, certainty=0.9)
        covered += found.low <= 0.7 <= found.high
    assert covered >= 48


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
def test_a_score_that_is_none_is_an_error(value):
    with pytest.raises(ValueError, match=r"\+0\.3"):
        robustness.robustness({0.3: {("owl", 0): (value, 1.0)}})


@given(
    first=shares,
    second=shares,
    third=shares,
    lacking=st.sets(st.tuples(st.sampled_from(LABELS), st.integers(0, 4)), max_size=3),
    noise=st.floats(0, 0.3),
)
def test_curves_that_are_prepared_once_are_compared_as_curves_are(first, second, third, lacking, noise):
    """Also with some that lack pairs or magnitudes, after which the others are as they were."""
    curves = [curve(each, noise=noise, seed=place) for place, each in enumerate((first, second, third))]
    curves[2] = {
        at: {pair: both for pair, both in each.items() if pair not in lacking} for at, each in curves[2].items()
    }
    prepared = [robustness.Prepared(each) for each in curves]
    for _ in range(2):
        for one in range(3):
            assert robustness.robustness(prepared[one], top=2.0) == robustness.robustness(curves[one], top=2.0)
            for other in range(3):
                expected = robustness.gap(curves[one], curves[other], top=2.0)
                assert robustness.gap(prepared[one], prepared[other], top=2.0) == expected


@given(shares, shares)
def test_a_share_without_an_interval_is_that_with_one(first, second):
    one, other = curve(first), curve(second)
    for found, bare in (
        (robustness.robustness(one), robustness.robustness(one, certainty=None)),
        (robustness.gap(one, other), robustness.gap(one, other, certainty=None)),
    ):
        assert (found is None) == (bare is None)
        if found is not None:
            assert bare.value == found.value
            assert (bare.magnitudes, bare.pairs) == (found.magnitudes, found.pairs)
            assert not bare.has_interval


def test_the_means_of_draws_are_those_of_each_draw():
    """One product of all columns is each draw's sum over its pairs, also where magnitudes lack other pairs."""
    one = curve({0.1: 0.9, 0.3: 0.5, 0.5: 0.2}, noise=0.1)
    del one[0.3]["owl", 1], one[0.5]["snail", 3]
    prepared = robustness.Prepared(one)
    draws = robustness.draw((5, 5, 5, 5))
    for place in (0, 7, 3999):
        ratios = []
        for at in prepared.magnitudes:
            times = dict(zip(prepared.pairs, draws[place], strict=True))
            after, before = (sum(times[pair] * both[end] for pair, both in one[at].items()) for end in (0, 1))
            ratios.append(after / before)
        assert prepared.drawn[place, 0] == pytest.approx(sum(ratios) / 3)
