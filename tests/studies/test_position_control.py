"""What a study of position control is made of: arms, intervals, seed axes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case, CaseError
from pytest_seedshift.core.stats.clustered import spread_within
from pytest_seedshift.models.base import Axes
from pytest_seedshift.models.seed_vector import from_images, to_images
from pytest_seedshift.runner.generate import shift_function
from pytest_seedshift.studies import position_control
from pytest_seedshift.studies.position_control.measure import check_axes

DESIGN = pairs.design(pairs.class_list("toy16"), 16)
LABELS = [f"label {index}" for index in range(16) for _ in range(6)]


def test_every_direction_the_sign_and_the_null_are_arms():
    arms = {arm.name: arm for arm in position_control.choose("m", 0.3)}
    assert list(arms) == ["left", "right", "up", "down", "sign +", "sign −", "null"]
    assert arms["sign −"].case == Case("m", "random", -0.3)
    assert arms["null"].case == Case("m", "random:symmetric", 0.3)
    assert {name: arms[name].along(0.1, 0.02) for name in position_control.DIRECTIONS} == pytest.approx(
        {"left": -0.1, "right": 0.1, "up": -0.02, "down": 0.02}
    )
    assert {name: arms[name].across(0.1, 0.02) for name in position_control.DIRECTIONS} == pytest.approx(
        {"left": -0.02, "right": 0.02, "up": 0.1, "down": -0.1}
    )


def test_directions_may_be_written_as_shifts_and_the_null_is_always_there():
    arms = position_control.choose("m", -0.2, ["random:up", "random"])
    assert [(arm.name, arm.case.shift, arm.case.magnitude) for arm in arms] == [
        ("up", "random:up", -0.2),
        ("sign +", "random", 0.2),
        ("sign −", "random", -0.2),
        ("null", "random:symmetric", -0.2),
    ]


@pytest.mark.parametrize("magnitude", [0.0, -0.0, float("nan"), float("inf")])
def test_a_magnitude_that_moves_nothing_is_refused(magnitude):
    with pytest.raises(ValueError, match=r"nothing would move; give a finite number other than 0"):
        position_control.choose("m", magnitude)


@pytest.mark.parametrize("direction", ["leftt", "mean", "random:symmetric", "random:normal"])
def test_what_is_no_direction_is_refused(direction):
    with pytest.raises(ValueError, match=r"unknown direction .*Known: down, left, right, sign, up"):
        position_control.choose("m", 0.3, [direction])


@pytest.mark.parametrize(
    ("shape", "axes"), [((256, 64), Axes()), ((16, 1, 24), Axes()), ((1, 8, 8), Axes(channels=2, height=0, width=1))]
)
def test_a_seed_vector_without_the_axes_of_a_picture_is_refused(shape, axes):
    with pytest.raises(CaseError, match="no rows and columns of a picture"):
        check_axes("m", shape, axes)
    check_axes("m", (4, 8, 8), Axes())


@pytest.mark.parametrize("axes", [Axes(), Axes(channels=2, height=0, width=1), Axes(channels=1, height=2, width=3)])
@pytest.mark.parametrize("towards", ["right", "down"])
def test_a_direction_is_that_of_the_picture_whatever_the_axes_of_the_seed_vector(axes, towards):
    shape = {Axes(): (4, 8, 6), Axes(2, 0, 1): (8, 6, 4), Axes(1, 2, 3): (1, 4, 8, 6)}[axes]
    z = torch.zeros(len(DESIGN), *shape)
    shifted = from_images(
        shift_function(Case("m", f"random:{towards}", 1.0))(to_images(z, axes), DESIGN), axes, z.shape
    )
    axis = 1 + (axes.width if towards == "right" else axes.height)
    profile = shifted.mean([each for each in range(z.ndim) if each != axis])
    side = len(profile)
    torch.testing.assert_close(profile, (torch.arange(side) + 0.5) / side, rtol=0, atol=0.12)


@given(st.lists(st.floats(-1, 1), min_size=len(LABELS), max_size=len(LABELS)))
def test_turning_every_displacement_turns_the_interval(values):
    found, turned = (position_control.clustered([sign * each for each in values], LABELS, 0.99) for sign in (1, -1))
    assert (turned.low, turned.mean, turned.high) == pytest.approx((-found.high, -found.mean, -found.low), abs=1e-9)
    assert found.low <= found.mean <= found.high


def test_intervals_cover_as_often_as_they_say_where_pairs_of_a_label_are_alike():
    chance = np.random.default_rng(5)
    covered = alone = 0
    for _ in range(600):
        of_label = np.repeat(chance.normal(size=16), 6)
        values = (of_label + chance.normal(size=len(LABELS))).tolist()
        found = position_control.clustered(values, LABELS, 0.9)
        covered += found.low <= 0 <= found.high
        naive = position_control.clustered(values, [str(place) for place in range(len(LABELS))], 0.9)
        alone += naive.low <= 0 <= naive.high
    assert 0.87 < covered / 600 < 0.93
    assert alone / 600 < 0.75  # what taking pairs for independent would have claimed


def test_an_interval_of_independent_pairs_is_student_s():
    from scipy.stats import t

    values = [0.1, 0.3, -0.2, 0.5, 0.0]
    found = position_control.clustered(values, list("abcde"), 0.95)
    low, high = t.interval(0.95, 4, np.mean(values), np.std(values, ddof=1) / np.sqrt(5))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert position_control.clustered(values, ["one"] * 5, 0.95) == found


def test_labels_of_one_and_the_same_sum_leave_an_interval_with_the_width_that_pairs_have():
    from scipy.stats import t

    values, labels = [-1.0, 0.0, 0.0, 0.0] * 10, [label for label in "abcdefghij" for _ in range(4)]
    found = position_control.clustered(values, labels, 0.99)
    low, high = t.interval(0.99, 9, -0.25, np.std(values, ddof=1) / np.sqrt(40))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_one_pair_has_no_interval():
    with pytest.raises(ValueError, match="an interval needs two"):
        position_control.clustered([0.1], ["a"], 0.99)


def test_the_spread_is_that_from_seed_to_seed_not_from_label_to_label():
    assert spread_within(
        [0.0, 0.2, 1.0, 1.2],
        list("aabb"),
    ) == pytest.approx(np.sqrt(0.02))
    assert np.isnan(spread_within([0.1, 0.2], list("ab")))
