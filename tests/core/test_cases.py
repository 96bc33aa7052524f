"""The grid of cases and their ids."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_seedshift.core.cases import Case, format_magnitude, grid

SHIFTS = ["random", "mean", "std", "mixed", "arrangement"]
MAGNITUDES = [-0.3, -0.2, -0.1, 0.1, 0.2, 0.3]

finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("magnitude", "text"),
    [
        (0.3, "+0.30"),
        (-0.125, "-0.125"),
        (0, "+0.00"),
        (-0.0, "+0.00"),
        (1e-05, "+0.00001"),
        (-1e-05, "-0.00001"),
        (0.1 + 0.2, "+0.30000000000000004"),
        (2, "+2.00"),
        (1e22, "+10000000000000000000000.00"),
    ],
)
def test_magnitudes_are_written_in_full(magnitude, text):
    assert format_magnitude(magnitude) == text


@given(finite, finite)
@example(0.3, math.nextafter(0.3, 1))
@example(5e-324, -5e-324)
def test_no_two_magnitudes_share_an_id(first, second):
    one, other = format_magnitude(first), format_magnitude(second)
    assert float(one) == first
    assert (one == other) == (first == second)
    assert "e" not in one
    assert len(one.partition(".")[2]) >= 2


def test_id_names_model_shift_and_magnitude():
    case = Case("toy-latent", "mean:exact", 0.3)
    assert case.id == "toy-latent-mean:exact-+0.30"
    assert case.describe() == "mean:exact +0.30"
    assert not case.is_control


def test_control_is_the_unshifted_case_of_its_model():
    control = Case("toy-latent", "mean", 0.3).control
    assert control == Case("toy-latent")
    assert control.is_control
    assert control.id == "toy-latent-none-+0.00"
    assert control.describe() == "control"


def test_the_default_grid_is_the_control_and_thirty_cases():
    cases = grid(["toy-latent"], SHIFTS, MAGNITUDES)
    assert len(cases) == len({case.id for case in cases}) == 31
    assert cases[0] == Case("toy-latent")
    assert [(case.shift, case.magnitude) for case in cases[1:]] == [(s, m) for s in SHIFTS for m in MAGNITUDES]


def test_grid_goes_model_by_model_in_the_order_given_and_sorts_magnitudes():
    assert grid(["b", "a"], ["std", "mean:exact"], iter([0.2, -0.1])) == [
        Case(model, shift, magnitude)
        for model in ("b", "a")
        for shift, magnitude in (
            ("none", 0),
            ("std", -0.1),
            ("std", 0.2),
            ("mean:exact", -0.1),
            ("mean:exact", 0.2),
        )
    ]


def test_magnitude_zero_is_the_control_and_no_case_of_its_own():
    assert grid(["m"], ["mean"], [0, -0.0, 0.1]) == [Case("m"), Case("m", "mean", 0.1)]
    assert grid(["m"], ["mean"], [0]) == [Case("m")]


@pytest.mark.parametrize(
    ("shift", "magnitude"), [("std", -1.0), ("arrangement", 1.5), ("mixed:independent", 1.0), ("mean", math.nan)]
)
def test_a_magnitude_without_a_meaning_is_refused_before_any_case_runs(shift, magnitude):
    with pytest.raises(ValueError, match="magnitude"):
        grid(["m"], ["random", shift], [0.1, magnitude])


def test_an_unknown_shift_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'mean'"):
        grid(["m"], ["maen"], [0.1])
