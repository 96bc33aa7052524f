"""Bounds on the use of the seed vector: how they are read, whom they speak of, when they break."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.seed_use_bounds import MAX, MIN, REGRESSION, SeedUseBound
from pytest_seedshift.core.stats import seed_shares
from pytest_seedshift.core.stats.seed_shares import Distances, Sensitivity, SensitivityError
from pytest_seedshift.core.thresholds import ThresholdsError


def read(text: str):
    return thresholds_parser.parse(text, "t.toml", lambda name: None)


def test_a_model_s_own_table_decides_about_the_keys_that_it_has():
    found = read(
        """
        [default]
        top1 = 0.5
        min_sensitivity = 0.3
        max_sensitivity = { clip = 2, pixel = 3 }
        [model.turbo]
        min_sensitivity = { clip = 0.01 }
        """
    )
    every = {SeedUseBound(MIN, "pixel", 0.3), SeedUseBound(MAX, "clip", 2.0), SeedUseBound(MAX, "pixel", 3.0)}
    assert set(found.seed_use.of("other")) == every
    assert {(each.key, each.kind) for each in found.seed_use.of("turbo")} == {
        (MIN, "clip"),
        (MAX, "clip"),
        (MAX, "pixel"),
    }
    plain = read("[default]\ntop1 = 0.5\n")
    assert plain.seed_use.of("other") == ()
    assert plain.fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("min_sensitivity = 0", "min_sensitivity = 0: give a part of what another label changes, above 0"),
        ("min_sensitivity = true", "give a part of what another label changes"),
        ("max_sensitivity = { pixels = 1 }", "Did you mean 'pixel'?"),
        ("max_sensitivity = {}", "sets no bound"),
        ("max_sensitivity_regression = 1", "may be lost, from 0 to below 1"),
        ("max_sensitivity_regression = { clip = -0.1 }", "may be lost, from 0 to below 1"),
        ("min_sensitivity = 2\nmax_sensitivity = 1", "is above max_sensitivity = 1"),
    ],
)
def test_nonsense_is_refused_in_words(asked, said):
    with pytest.raises(ThresholdsError) as caught:
        read(f"[default]\n{asked}\n")
    assert said in str(caught.value)


def test_a_shift_s_table_has_none():
    with pytest.raises(ThresholdsError, match="is no matter of a shift"):
        read("[shift.mean]\nmin_sensitivity = 0.3\n")


def test_a_bound_breaks_where_the_interval_lies_beyond_it():
    blocks = Distances((0.9, 1.0, 1.1, 1.0), (0.0,) * 4, (2.0, 2.0, 2.0, 2.0))
    found = Sensitivity("m", {"clip": blocks, "pixel": blocks}, 24, 1.0, 0.95)
    share = found.vector("pixel")
    assert share.low < 0.5 < share.high
    for value, low, high in ((share.low * 0.9, False, True), (0.5, False, False), (share.high * 1.1, True, False)):
        for key, kind, broken in ((MIN, "pixel", low), (MAX, "clip", high)):
            bound = SeedUseBound(key, kind, value)
            assert bound.broken_by(bound.measured(found)) is broken


def versions(rng: np.random.Generator, left: float, blocks: int = 8) -> tuple[Distances, Distances]:
    """A version and one of which so much of the share by seed vector is left: blocks differ much, and alike in both."""
    base = np.exp(0.7 * rng.normal(size=blocks))
    label = 2 * np.exp(0.3 * rng.normal(size=blocks))

    def drawn(share: float) -> Distances:
        vector, unit = (each * np.exp(0.1 * rng.normal(size=blocks)) for each in (share * base, label))
        return Distances(tuple(vector), (0.0,) * blocks, tuple(unit))

    return drawn(1.0), drawn(left)


def of(distances: Distances, certainty: float) -> Sensitivity:
    return Sensitivity("m", {"clip": distances, "pixel": distances}, 48, 1.0, certainty)


def test_what_is_left_of_a_baseline_is_found_block_by_block_and_an_equal_version_loses_nothing():
    rng, bound = np.random.default_rng(0), SeedUseBound(REGRESSION, "pixel", 0.3)
    none = SeedUseBound(REGRESSION, "pixel", 0.0)
    found, false, held, apart = 0, 0, 0, 0
    for _ in range(300):
        before, after = versions(rng, 0.5)
        share = bound.measured(of(after, 0.95), of(before, 0.95))
        found += bound.broken_by(share)
        held += share.low <= 0.5 <= share.high
        # Each by itself, blocks that differ much hide it.
        apart += of(after, 0.95).vector("pixel").high < 0.7 * of(before, 0.95).vector("pixel").low
        same, again = versions(rng, 1.0)
        false += none.broken_by(none.measured(of(again, 0.95), of(same, 0.95)))
    assert found > 250
    assert apart < 150
    assert 275 <= held <= 297
    assert false <= 20  # a half of 5 % of 300 is 7.5
    with pytest.raises(SensitivityError, match="changes nothing in the baseline"):
        seed_shares.left(after, Distances((0.0,) * 8, (0.0,) * 8, (1.0,) * 8))
