"""Retained scores, and the effect of a factor on them: numbers alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_seedshift.studies.sampler_ablation import conditions, effects

PAIRS, LABELS = 24, 6
NAMES = [f"label {k % LABELS}" for k in range(PAIRS)]
BOUNDS = (-1.0, 1.0)

columns = arrays(np.float64, PAIRS, elements=st.floats(0, 1, allow_subnormal=False))
outcomes = arrays(np.float64, PAIRS, elements=st.sampled_from([0.0, 1.0]))


def crossed(models=("a",)) -> conditions.Crossed:
    return conditions.cross(models, lambda name: None)


def of(columns, top=1.0) -> effects.Kept:
    found = effects.retained(columns[0], columns[1:], top)
    assert found is not None
    return found


def study(made):
    """Kept of one score for each arm of the design, by a function of the arm."""
    design = crossed()
    return design, {arm.name: {"top1": made(arm)} for arm in design.arms}


@given(columns.filter(lambda column: column.mean() > 0.01), st.lists(columns, min_size=1, max_size=3))
def test_the_mean_over_pairs_is_the_ratio_of_the_means(control, shifted):
    found = of([control, *shifted])
    assert found.value == pytest.approx(np.mean(shifted) / control.mean())
    assert found.control == pytest.approx(control.mean())
    assert found.by_pair.shape == (PAIRS,)


@given(columns.filter(lambda column: column.mean() > 0.01))
def test_an_arm_that_no_shift_changes_keeps_all_pair_by_pair(control):
    assert of([control, control, control]).by_pair == pytest.approx(np.ones(PAIRS))


def test_the_retained_score_of_a_control_of_0_is_undefined():
    assert effects.retained([0, 0], [[1, 0]], 1.0) is None


def test_values_outside_a_score_s_range_count_as_its_end():
    assert of([[70.0, 50.0], [-3.0, 50.0]], top=50.0).value == pytest.approx(0.5)


def test_the_spread_over_pairs_is_that_of_the_ratio_over_designs():
    """The delta method against many designs of the same population: an arm right of 6 in 10 keeps half of that."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(2000):
        control = random.random(200) < 0.6
        made.append(of([control, control & (random.random(200) < 0.5)]))
    errors = [each.by_pair.std(ddof=1) / np.sqrt(200) for each in made]
    assert np.mean(errors) == pytest.approx(np.std([each.value for each in made]), rel=0.1)


@given(columns)
def test_a_mean_lies_in_its_interval_and_the_interval_in_its_bounds(values):
    found = effects.mean(values, NAMES, BOUNDS)
    assert -1 <= found.low <= found.value <= found.high <= 1


@given(columns, st.floats(0.6, 0.95), st.floats(0.96, 0.999))
def test_a_higher_certainty_gives_a_wider_interval(values, less, more):
    one, other = (effects.mean(values, NAMES, BOUNDS, certainty) for certainty in (less, more))
    assert other.low <= one.low
    assert one.high <= other.high


@given(outcomes, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(values, random):
    order = random.sample(range(PAIRS), PAIRS)
    one = effects.mean(values, NAMES, BOUNDS)
    other = effects.mean(values[order], [NAMES[k] for k in order], BOUNDS)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_pairs_that_share_a_label_count_as_alike_as_they_are():
    alike = np.array([float(k % LABELS < 3) for k in range(PAIRS)])  # all of a label's or none
    apart = np.array([float(k < PAIRS / 2) for k in range(PAIRS)])  # half of each label's
    wide, narrow = (effects.mean(each, NAMES, BOUNDS) for each in (alike, apart))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    own = effects.mean(alike, range(PAIRS), BOUNDS)  # were each pair a label of its own
    assert (own.low, own.high) == pytest.approx((narrow.low, narrow.high))


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_values_without_spread_leave_room_for_what_chance_has_hidden(value):
    found = effects.mean([value] * 64, ["one"] * 64, BOUNDS, 0.99)
    hidden = 1 - 0.01 ** (1 / 64)
    assert found.value == value
    assert (found.low, found.high) == pytest.approx((value - hidden * (value + 1), value + hidden * (1 - value)))


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_hold_the_mean_as_often_as_they_say(clustered):
    """Of designs of 64 pairs, 16 labels with 4 seeds each; with a success that belongs to the label, or to the pair."""
    random, held = np.random.default_rng(1), 0
    names = [k % 16 for k in range(64)]
    for _ in range(1000):
        by_label = random.beta(1.4, 0.6, 16) if clustered else np.full(16, 0.7)
        found = effects.mean((random.random(64) < np.tile(by_label, 4)).astype(float), names, (0, 1), 0.95)
        held += found.low <= 0.7 <= found.high
    assert held >= 930  # 0.95 less three standard errors


@given(outcomes.filter(any))
def test_arms_that_are_alike_have_no_effect(control):
    design, by_arm = study(lambda arm: of([control, control]))
    for each in effects.effects(design, by_arm, NAMES):
        assert (each.change.value, each.single) == (0, (0, 0))
        assert not each.change.significant


@given(st.lists(outcomes.filter(any), min_size=8, max_size=8), st.data())
def test_an_effect_is_the_mean_of_the_single_changes_between_arms_that_differ_in_nothing_else(shifted, data):
    control = np.ones(PAIRS)
    names = [arm.name for arm in crossed().arms]
    kept = {name: of([control, column]) for name, column in zip(names, shifted, strict=True)}
    design, by_arm = study(lambda arm: kept[arm.name])
    factor = data.draw(st.sampled_from(list(design.factors)))
    (found,) = [each for each in effects.effects(design, by_arm, NAMES) if each.factor == factor]
    pairs = [
        (one, other)
        for one, other in product(design.arms, design.arms)
        if (one.level(factor), other.level(factor)) == (found.against, found.level)
        and one.without(factor) == other.without(factor)
    ]
    assert len(pairs) == 4
    single = [kept[other.name].value - kept[one.name].value for one, other in pairs]
    assert found.change.value == pytest.approx(np.mean(single))
    assert found.change.value == pytest.approx(found.retained[1] - found.retained[0])
    assert found.single == pytest.approx((min(single), max(single)))


def test_a_planted_factor_is_told_from_none_and_the_others_are_not():
    random = np.random.default_rng(2)
    control, names = np.ones(64), [k % 16 for k in range(64)]
    broken, noises = random.random(64) < 0.6, iter(random.random((8, 64)) < 0.05)

    def kept(arm):
        return of([control, control * ~next(noises) * ~(broken & (arm.level("sampler") == "ddim"))])

    found = {each.factor: each for each in effects.effects(*study(kept), names)}
    assert found["sampler"].change.low > 0.2
    assert not found["clipping"].change.significant
    assert not found["schedule"].change.significant


def test_all_intervals_together_have_the_certainty_that_each_would_have_alone():
    random = np.random.default_rng(3)
    table = {arm.name: of([np.ones(PAIRS), random.random(PAIRS)]) for arm in crossed().arms}
    design, by_arm = study(lambda arm: table[arm.name])
    found = effects.effects(design, by_arm, NAMES, 0.97)
    assert len(found) == 3
    column = np.mean([table[arm.name].by_pair * (1 if arm.level("schedule") else -1) for arm in design.arms], axis=0)
    (schedule,) = [each for each in found if each.factor == "schedule"]
    alone = effects.mean(2 * column, NAMES, BOUNDS, 0.99)
    assert (schedule.change.low, schedule.change.high) == pytest.approx((alone.low, alone.high))


def test_a_score_of_which_an_arm_has_nothing_has_no_effects():
    design, by_arm = study(lambda arm: of([np.ones(PAIRS), np.ones(PAIRS)]))
    for scores in by_arm.values():
        scores["clip"] = of([np.ones(PAIRS), np.ones(PAIRS)])
    by_arm[design.arms[3].name]["top1"] = None
    assert {each.score for each in effects.effects(design, by_arm, NAMES)} == {"clip"}
    for scores in by_arm.values():
        scores["clip"] = None
    assert effects.effects(design, by_arm, NAMES) == ()
