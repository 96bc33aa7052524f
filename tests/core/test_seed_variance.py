"""The share of a variance that the seed vector explains: planted shares are found, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_seedshift.core.stats import seed_variance
from pytest_seedshift.core.stats.seed_shares import Squares
from pytest_seedshift.core.stats.seed_variance import by_label, explained, overall, squares


def planted(
    rng: np.random.Generator, label: float, vector: float, both: float, blocks: int = 8, dimensions: int = 2
) -> np.ndarray:
    """Values of blocks with planted standard deviations."""
    shape = (blocks, 2, 2, dimensions)
    of_label = label * rng.normal(size=(blocks, 2, 1, dimensions))
    of_vector = vector * rng.normal(size=(blocks, 1, 2, dimensions))
    return of_label + of_vector + both * rng.normal(size=shape)


PLANTED = [(1.0, 1.0, 1.0), (2.0, 0.5, 0.3), (0.3, 1.0, 0.2)]


@pytest.mark.parametrize("spreads", PLANTED)
@pytest.mark.parametrize("draws", [150, pytest.param(1000, marks=pytest.mark.nightly)])
def test_a_planted_share_is_found_as_often_as_is_said(spreads, draws):
    rng = np.random.default_rng(1)
    label, vector, both = (each**2 for each in spreads)
    truth = (vector + both) / (label + vector + both)
    many = explained(squares(planted(rng, *spreads, blocks=20_000)))
    assert many.value == pytest.approx(truth, abs=0.02)
    held, main = 0, 0
    for _ in range(draws):
        values = squares(planted(rng, *spreads, dimensions=4))
        found = explained(values, 0.95)
        held += found.low <= truth <= found.high
        # What only the vector's own squares would say is another number: both count for what changes with it.
        main += sum(values.vector) / (sum(values.label) + sum(values.vector) + sum(values.both)) > truth
    assert held >= 0.89 * draws
    assert main < 0.35 * draws or truth > 0.8


def test_where_the_seed_vector_changes_nothing_its_share_is_0_and_where_the_label_does_not_it_is_1():
    rng = np.random.default_rng(2)
    none = explained(squares(planted(rng, 1.0, 0.0, 0.0)))
    assert (none.value, none.high) == (0.0, 0.0)
    whole = explained(squares(planted(rng, 0.0, 1.0, 0.0)))
    assert (whole.value, whole.low, whole.high) == (1.0, pytest.approx(1.0), pytest.approx(1.0))
    assert explained(squares(np.zeros((8, 2, 2, 3)))) is None


def test_each_quantity_counts_as_much_as_another_whatever_its_unit():
    rng = np.random.default_rng(3)
    values = {
        name: planted(rng, *spreads, blocks=400)
        for name, spreads in zip(seed_variance.QUANTITIES, [(1, 0, 0), (0, 1, 0), (1, 1, 0)], strict=True)
    }
    found = overall({name: squares(each) for name, each in values.items()})
    scaled = overall(
        {name: squares(each * unit) for (name, each), unit in zip(values.items(), (1, 90, 7), strict=True)}
    )
    assert found.value == pytest.approx(scaled.value)
    assert found.value == pytest.approx(0.5, abs=0.05)  # the mean of 0, 1 and 0.5
    assert overall({"position": squares(values["position"])}) is None


def test_more_blocks_are_joined():
    one, two = Squares((1.0,), (2.0,), (3.0,)), Squares((4.0,), (5.0,), (6.0,))
    assert one.joined(two) == Squares((1.0, 4.0), (2.0, 5.0), (3.0, 6.0))


def pictures(rng: np.random.Generator, spreads: dict[str, float], count: int, between: float = 1.0) -> dict:
    """Values of labels' pictures: each label about a mean of its own, with a spread of its own."""
    return {
        label: between * rng.normal(size=(1, 4)) + spread * rng.normal(size=(count, 4))
        for label, spread in spreads.items()
    }


@pytest.mark.parametrize("draws", [60, pytest.param(600, marks=pytest.mark.nightly)])
def test_a_label_whose_pictures_change_more_than_others_is_found_and_none_where_all_are_alike(draws):
    rng = np.random.default_rng(4)
    planted_spreads = {**{f"label {number}": 0.5 for number in range(11)}, "still": 0.05}
    found, false = 0, 0
    for _ in range(draws):
        shares = by_label(pictures(rng, planted_spreads, 16), 0.95)
        assert min(shares, key=lambda label: shares[label].value) == "still"
        others = [each.low for label, each in shares.items() if label != "still"]
        found += shares["still"].high < min(others)
        alike = by_label(pictures(rng, dict.fromkeys(planted_spreads, 0.5), 16), 0.95)
        common = np.mean([each.value for each in alike.values()])
        false += any(not each.low <= common <= each.high for each in alike.values())
    assert found > 0.9 * draws
    assert false <= 0.05 * draws + 3 * (0.0475 * draws) ** 0.5


def test_of_labels_alike_but_for_their_seeds_the_seed_explains_nearly_all_and_of_few_pictures_nothing_is_said():
    rng = np.random.default_rng(5)
    spreads = {f"label {number}": 1.0 for number in range(10)}
    assert all(each.value > 0.75 for each in by_label(pictures(rng, spreads, 30, between=0.0)).values())
    assert all(each.value == 0 for each in by_label(pictures(rng, dict.fromkeys(spreads, 0.0), 5)).values())
    assert by_label(pictures(rng, spreads, 3)) == {}
    assert by_label(pictures(rng, {"one": 1.0}, 30)) == {}


def test_few_pictures_of_a_label_leave_its_share_open():
    """Why it is left to runs that keep all pictures: the figures of docs/explanation/seed-use.md."""
    rng, middle = np.random.default_rng(0), {}
    for count in (4, 10, 25):
        found = []
        for _ in range(20):
            means = rng.normal(size=(16, 2))
            values = {str(label): mean + rng.normal(size=(count, 2)) for label, mean in enumerate(means)}
            found += by_label(values).values()
        middle[count] = np.median([each.low for each in found]), np.median([each.high for each in found])
    assert middle[4] == pytest.approx((0.0, 1.0), abs=0.01)
    assert middle[10] == pytest.approx((0.14, 0.85), abs=0.04)
    assert middle[25] == pytest.approx((0.29, 0.69), abs=0.03)
