"""The share of a variance that the seed vector explains: planted shares are found, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_seedshift.core.stats import seed_variance
from pytest_seedshift.core.stats.seed_shares import Squares
from pytest_seedshift.core.stats.seed_variance import explained, overall, squares


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
