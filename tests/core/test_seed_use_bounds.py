"""Bounds on the use of the seed vector: how they are read, whom they speak of, when they break."""

from __future__ import annotations

import pytest

from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.seed_use_bounds import MAX, MIN, SeedUseBound
from pytest_seedshift.core.stats.seed_shares import Distances, Sensitivity
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
        ("min_sensitivity = 0", "min_sensitivity = 0: give a number above 0"),
        ("min_sensitivity = true", "give a number above 0"),
        ("max_sensitivity = { pixels = 1 }", "Did you mean 'pixel'?"),
        ("max_sensitivity = {}", "sets no bound"),
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
        assert (SeedUseBound(MIN, "pixel", value).broken_by(found) is not None) is low
        assert (SeedUseBound(MAX, "clip", value).broken_by(found) is not None) is high
