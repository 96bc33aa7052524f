"""max_regression in the sequential test: who is found worse, how early, and how often wrongly."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom

from pytest_seedshift.core.scores import ANY, Constraint
from pytest_seedshift.core.stats import proportions
from pytest_seedshift.core.stats.sequential import SequentialTest

SIZE = 400
RIGHT = np.repeat([1.0, 0.0], [320, 80])


def gate(before, bound=0.0, *, size=None, score="top1", significant=True, **given):
    asked = Constraint(score, max_regression=bound, significant=significant)
    return SequentialTest((asked,), size or len(before), baseline={score: before}, **given)


def turned(rng, drop, part, stored=RIGHT):
    """Outcomes before and after of which a part of the pairs has turned, and the mean has dropped."""
    before = rng.permutation(stored)
    lost, won = (part + drop) / 2 / before.mean(), (part - drop) / 2 / (1 - before.mean())
    flips = rng.random(before.size) < np.where(before > 0.5, lost, won)
    return before, np.where(flips, 1 - before, before)


def test_a_version_that_answers_alike_passes_as_soon_as_the_bound_cannot_break():
    found = gate(RIGHT, 0.05).judge({"top1": RIGHT})
    assert found.passed
    assert found.images < SIZE / 2
    (finding,) = found.findings
    assert (finding.kind, finding.measured, finding.change.lost, finding.change.won) == ("max_regression", 0.0, 0, 0)


def test_a_version_that_went_to_pieces_is_found_early_and_by_bets():
    rng = np.random.default_rng(0)
    before, after = turned(rng, 0.5, 0.5)
    found = gate(before, 0.05).judge({"top1": after})
    assert found.decided
    assert not found.passed
    assert found.images < 60
    assert found.findings[0].change.test == "bets"


def test_a_drop_beyond_its_bound_but_within_chance_passes_after_the_whole_design():
    after = RIGHT.copy()
    after[:4] = 0
    found = gate(RIGHT, 0.0).judge({"top1": after})
    assert found.passed
    assert found.images == SIZE
    assert found.findings[0].change.p > 0.01
    strict = gate(RIGHT, 0.0, significant=False).judge({"top1": after})
    assert strict.decided
    assert not strict.passed


def test_what_is_allowed_is_no_regression_however_sure_it_is():
    before = np.random.default_rng(0).permutation(RIGHT)
    after = before.copy()
    after[np.flatnonzero(before)[:240:20]] = 0  # 12 pairs
    assert not gate(before, 0.02, significant=ANY).judge({"top1": after}).passed
    assert gate(before, 0.02).judge({"top1": after}).passed  # 0.03 where 0.02 is allowed: chance gives that
    assert not gate(before, 0.01).judge({"top1": after}).passed
    for significant in (True, ANY, False):
        assert gate(before, 0.04, significant=significant).judge({"top1": after}).passed


@given(st.data())
def test_the_exact_gate_is_the_bound_and_mcnemar_and_nothing_else(data):
    size = data.draw(st.integers(4, 40))
    before, after = (
        np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size))) for _ in "ab"
    )
    bound = data.draw(st.sampled_from([0.0, 0.1, 0.3]))
    lost, won = int((before > after).sum()), int((before < after).sum())
    found = gate(before, bound, exact=True, significant=ANY).judge({"top1": after})
    worse = lost - won > bound * size + 1e-6 and binom.sf(lost - 1, lost + won, 0.5) <= 0.01 + 1e-12
    assert found.passed is not worse
    found = gate(before, bound, exact=True).judge({"top1": after})
    p = proportions.p_value(lost, won, size, bound) if bound else binom.sf(lost - 1, lost + won, 0.5)
    assert found.passed is not (lost - won > bound * size + 1e-6 and p <= 0.01 + 1e-12)


@given(st.integers(0, 2**32), st.floats(0, 0.3))
def test_a_verdict_does_not_depend_on_how_the_samples_arrive(seed, drop):
    rng = np.random.default_rng(seed)
    before, after = turned(rng, drop, max(drop, 0.1), rng.permutation(RIGHT)[:80])
    assume(0 < before.mean() < 1)
    test = gate(before, 0.05)
    whole = test.judge({"top1": after})
    for seen in range(0, 81, 7):
        part = test.judge({"top1": after[:seen]})
        assert part.decided is (seen >= whole.images)
        if part.decided:
            assert part == whole


# How often a version that is as good is found worse, and one that is worse is found. -------------------------------


def false_alarms(designs, significant=True, **given):
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(designs):
        one, other = turned(rng, 0.0, 0.06)
        swap = rng.random(SIZE) < 0.5
        before, after = np.where(swap, one, other), np.where(swap, other, one)
        wrong += not gate(before, significant=significant, **given).judge({"top1": after}).passed
    return wrong


@pytest.mark.slow
def test_equally_reliable_versions_are_seldom_found_worse():
    assert false_alarms(400) <= binom.isf(1e-3, 400, 0.01)
    assert false_alarms(60, significant=False) > binom.isf(1e-3, 60, 0.01)  # the simulation would notice


def test_a_baseline_that_stopped_on_a_streak_makes_no_regressions():
    rng, wrong = np.random.default_rng(2), 0
    floor = SequentialTest((Constraint("top1", minimum=0.75),), SIZE)
    for _ in range(200):
        before, after = rng.random((2, SIZE)) < 0.8  # as good, and independent: the worst that pairs can be
        seen = floor.judge({"top1": before.astype(float)}).images
        part = before[:seen].astype(float)
        wrong += not gate(part, size=SIZE, fixed=False).judge({"top1": after.astype(float)}).passed
    assert wrong <= binom.isf(1e-3, 200, 0.01)


def test_five_points_are_found_where_six_of_a_hundred_pairs_turn():
    rng = np.random.default_rng(3)
    found = [gate(before).judge({"top1": after}) for before, after in (turned(rng, 0.05, 0.06) for _ in range(200))]
    assert sum(not each.passed for each in found) >= 190


# Bounds beside each other, partial baselines, families. ------------------------------------------------------------


def test_a_partial_baseline_is_compared_over_its_pairs_by_bets():
    part = RIGHT[:50]
    test = gate(part, size=SIZE, fixed=False)
    assert not test.judge({"top1": RIGHT[:49]}).decided
    found = test.judge({"top1": RIGHT})
    assert found.passed
    assert found.images == 50
    broken = test.judge({"top1": np.zeros(80)})
    assert not broken.passed
    assert (broken.images, broken.findings[0].change.test) == (50, "bets")


@pytest.mark.parametrize(
    ("before", "size", "fixed"), [((), 10, True), ((1.0,) * 9, 10, True), ((1.0,) * 11, 10, False), ((), 10, False)]
)
def test_a_baseline_that_does_not_fit_the_design_is_an_error(before, size, fixed):
    with pytest.raises(ValueError, match="the baseline has"):
        gate(before, size=size, fixed=fixed)


def test_tests_of_a_case_and_of_a_family_share_the_level():
    both = (Constraint("top1", max_regression=0.0), Constraint("clip", 20.0, None, 1.0))
    test = SequentialTest(both, 4, baseline={"top1": (1, 1, 1, 1), "clip": (40, 40, 40, 40)})
    assert test.level == pytest.approx(0.005)
    assert gate(RIGHT, family=50).level == pytest.approx(0.0002)
    assert gate(RIGHT, significant=False).level == pytest.approx(0.01)


@pytest.mark.parametrize("exact", [True, False])
def test_a_clip_score_that_drops_on_average_is_found(exact):
    rng = np.random.default_rng(4)
    before = rng.normal(40, 3, SIZE)
    after = before - 0.5 + rng.normal(0, 2, SIZE)
    found = gate(before, 0.2, score="clip", exact=exact, significant=ANY).judge({"clip": after})
    assert not found.passed
    assert found.findings[0].change.test == ("signs" if exact else "bets")
    assert found.findings[0].change.least < 0.5
    assert gate(before, 1.0, score="clip", exact=exact, significant=ANY).judge({"clip": after}).passed
    sure = gate(before, 0.4, score="clip", exact=exact)
    assert sure.judge({"clip": after}).passed  # 0.57 may be chance where 0.4 is allowed
    found = sure.judge({"clip": after - 1.5})
    assert not found.passed
    assert found.findings[0].change.test == "bets"
    assert 0.5 < found.findings[0].change.least < found.findings[0].change.least_90 < 2


def test_rare_large_gains_deceive_no_test_of_the_mean():
    """In 27 of 100 designs of 64 pairs none of them is seen: all pairs have become worse by a little."""
    before, after = np.full(64, 30.0), np.full(64, 29.8)
    assert gate(before, 0.0, score="clip", exact=True).judge({"clip": after}).passed
    assert not gate(before, 0.0, score="clip", exact=True, significant=ANY).judge({"clip": after}).passed


def test_a_bound_of_the_whole_grid_breaks_only_beyond_chance():
    """With a family of thresholds, a mean that is below its bound by chance passes, and says so."""
    values = np.repeat([1.0, 0.0], [230, 170])  # 0.575 where 0.6 is asked
    values = np.random.default_rng(0).permutation(values)
    asked = (Constraint("top1", 0.6),)
    assert not SequentialTest(asked, SIZE).judge({"top1": values}).passed
    for exact in (True, False):
        held = SequentialTest(asked, SIZE, exact=exact, thresholds=31).judge({"top1": values})
        assert held.passed
        assert held.images == SIZE
        (finding,) = held.findings
        assert finding.p > 0.01 > finding.level == pytest.approx(0.01 / 31)
        poor = SequentialTest(asked, SIZE, exact=exact, thresholds=31).judge({"top1": np.resize([1.0, 0.0], SIZE)})
        assert not poor.passed
        assert poor.findings[0].p <= poor.findings[0].level


def test_a_drop_of_the_control_breaks_with_a_family_only_beyond_chance():
    control = np.ones(SIZE)
    asked = (Constraint("top1", max_drop=0.1),)
    for lost, alone, together in ((30, True, True), (50, False, True), (100, False, False)):
        values = np.random.default_rng(0).permutation(np.repeat([1.0, 0.0], [SIZE - lost, lost]))
        for number, passes in ((0, alone), (62, together)):
            test = SequentialTest(asked, SIZE, thresholds=number)
            assert test.judge({"top1": values}, {"top1": control}).passed is passes


def test_forecasts_count_with_the_gate():
    test = gate(RIGHT, 0.05)
    assert 0 < test.forecast({"top1": []}).images < SIZE
    assert test.soonest({"top1": []}) > 0
    assert gate(RIGHT, 0.05, exact=True).forecast({"top1": []}).images == SIZE
