"""What a plan tells of a version that is held against its baseline: "about N images", by simulation, numbers alone.

A version is drawn beside its baseline: pairs that were right turn wrong, and wrong ones right, each at a rate of its
own. What the forecast supposes of how many turn is one of the rates that are tried, and not the only one.
"""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.stats.sequential import SequentialTest

MOST = 0.02
NOTHING = {"top1": []}


def gate(before, *, minimum=None, exact=False):
    return SequentialTest(
        (Constraint("top1", minimum, max_regression=MOST),), before.size, exact=exact, baseline={"top1": before}
    )


def drawn(rng, size, right):
    return (rng.random(size) < right).astype(float)


def version(rng, before, right, turned, worse):
    """Of which a share of the pairs has turned, and what has turned wrong is more than what has turned right."""
    to_wrong, to_right = (turned + worse) / 2 / right, (turned - worse) / 2 / (1 - right)
    chance = rng.random(before.size)
    return np.where(before == 1, chance >= to_wrong, chance < to_right).astype(float)


def near(count, told):
    return max(count, told) <= 1.5 * min(count, told)


def shares(designs, size, right, turned, worse, seen=0):
    """In how many of the designs the count is near what was told, and near what "nothing changes" would have told."""
    rng = np.random.default_rng(7)
    told, least = [], []
    for _ in range(designs):
        before = drawn(rng, size, right)
        after = version(rng, before, right, turned, worse)
        test = gate(before)
        count, known = test.judge({"top1": after}).images, {"top1": after[:seen]}
        if count > seen:
            told.append(near(count, test.about(known)))
            least.append(near(count, test.forecast(known).images))
    assert len(told) > designs / 3
    return statistics.fmean(told), statistics.fmean(least)


@pytest.mark.parametrize("designs", [12, pytest.param(200, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("worse", [0.0, 0.05])
@pytest.mark.parametrize("right", [0.7, 0.95])
def test_about_is_near_where_pairs_turn_and_the_fewest_images_are_not(designs, right, worse):
    turned = max(0.06, right * (1 - right))
    told, least = shares(designs, 400, right, turned, worse)
    assert told >= 0.7
    assert least <= 0.5  # the control: a forecast in which nothing changes tells too little


@pytest.mark.nightly
@pytest.mark.parametrize("seen", [0, 30])
@pytest.mark.parametrize("worse", [0.0, 0.05])
@pytest.mark.parametrize("turned", [0.06, 0.095, 0.21, 0.42])
@pytest.mark.parametrize("right", [0.7, 0.95])
@pytest.mark.parametrize("size", [64, 400])
def test_about_is_near_whatever_the_share_of_pairs_that_turn(size, right, turned, worse, seen):
    if (turned + worse) / 2 > right or (turned - worse) / 2 > 1 - right:
        pytest.skip("no version is like that")
    told, _ = shares(200, size, right, turned, worse, seen)
    assert told >= 0.6  # of 200 designs, with a standard error of 0.03; the least of all cells was 0.635


def test_few_pairs_leave_no_room_to_be_wrong():
    told, least = shares(12, 64, 0.95, 0.06, 0.0)
    assert min(told, least) >= 0.9


def test_about_comes_down_where_nothing_turns():
    """What was seen outweighs what was supposed: a version that is the same takes the fewest images there can be."""
    before = drawn(np.random.default_rng(1), 400, 0.9)
    test = gate(before)
    count = test.judge({"top1": before}).images
    told = [test.about({"top1": before[:seen]}) for seen in (0, 60, count - 1)]
    assert told[0] > 1.5 * count
    assert told[0] >= told[1] >= told[2] == count


def test_about_is_the_same_each_time_and_within_the_range():
    before = drawn(np.random.default_rng(2), 400, 0.8)
    for seen in (0, 7, 399):
        test, known = gate(before, minimum=0.3), {"top1": before[:seen]}
        assert test.about(known) == test.about(known)
        assert seen < test.about(known) <= 400
    assert gate(before, exact=True).about(NOTHING) == 400


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_a_baseline_that_is_all_right_or_all_wrong_has_nothing_that_turns(right):
    before = np.full(400, right)
    assert near(gate(before).judge({"top1": before}).images, gate(before).about(NOTHING))


def test_without_a_baseline_about_is_the_forecast():
    for seen in (0, 10):
        test = SequentialTest((Constraint("top1", 0.6, 0.2),), 400)
        known = {"top1": np.resize([1.0, 1.0, 0.0], seen)}
        assert test.about(known, known) == test.forecast(known, known).images


def test_a_score_of_a_range_and_a_baseline_of_a_part_of_the_design():
    rng = np.random.default_rng(3)
    before = rng.normal(30, 3, 400)
    test = SequentialTest((Constraint("clip", 20.0, max_regression=1.0),), 400, baseline={"clip": before})
    counts = [test.judge({"clip": before + rng.normal(0, 3, 400)}).images for _ in range(5)]
    assert near(statistics.median(counts), test.about({"clip": []}))
    part = SequentialTest(
        (Constraint("clip", None, max_regression=1.0),), 400, baseline={"clip": before[:100]}, fixed=False
    )
    assert 0 < part.about({"clip": []}) <= 400
