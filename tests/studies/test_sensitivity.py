"""Seed sensitivity: planted models, whose dependence on each of their noises is known, come out as what they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pytest_seedshift.core import pairs as pairing
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.pairs import Label, Noise, Pair
from pytest_seedshift.core.stats import seed_shares, seed_variance
from pytest_seedshift.core.stats.seed_shares import SensitivityError, share
from pytest_seedshift.models import catalogue, load, rng
from pytest_seedshift.scorers.clip import ClipScore
from pytest_seedshift.studies.sensitivity import design, measure

LABELS = tuple(Label(name, index) for index, name in enumerate(("owl", "fig", "Löwe", "snail", "frog")))
SHAPE = (3, 8, 8)


class Planted:
    """A model whose image is a sum of what it makes of the label, the seed vector and the later noise."""

    name = "planted"
    fingerprint = "planted"
    seed_shape = SHAPE

    def __init__(self, label: float = 0.1, vector: float = 0.1, later: float = 0.1) -> None:
        self.weights = label, vector, later
        self.asked: list[tuple[Pair, ...]] = []

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        self.asked.append(tuple(pairs))
        drawn = (
            torch.stack([torch.randn(SHAPE, generator=torch.Generator().manual_seed(p.label.index)) for p in pairs]),
            rng.seed_vectors(pairs, SHAPE),
            torch.stack([torch.randn(SHAPE, generator=rng.generator(pair, "steps")) for pair in pairs]),
        )
        return (0.5 + sum(w * each for w, each in zip(self.weights, drawn, strict=True))).clamp(0, 1)


class Plain:
    """Embeds an image as itself."""

    fingerprint = "plain"

    def embed(self, images: Tensor) -> Tensor:
        return torch.nn.functional.normalize(images.flatten(1) - 0.5, dim=1)


def measured(model: Planted, blocks: int = 8, **more) -> seed_shares.Sensitivity:
    return measure(model, Plain(), design(LABELS, blocks), **more)


# What is compared -------------------------------------------------------------------------------------------------


@given(st.integers(2, 40), st.integers(2, 12))
def test_images_differ_in_nothing_but_what_is_varied(count, blocks):
    labels = [Label(f"label {index}", index) for index in range(count)]
    first, vector, later = design(labels, blocks)
    for plain, other, same in ((first, vector, "later"), (first, later, "vector")):
        for one, two in zip(plain, other, strict=True):
            assert one.label == two.label
            assert one.noise != two.noise
            assert getattr(one.noise, same) == getattr(two.noise, same)
    for row in (first, vector, later):
        for one, two in zip(row[::2], row[1::2], strict=True):
            assert one.label != two.label
            assert one.noise == two.noise
    noises = [
        {
            (kind, getattr(pair.noise, kind))
            for row in (first, vector, later)
            for pair in row[2 * k : 2 * k + 2]
            for kind in ("vector", "later")
        }
        for k in range(blocks)
    ]
    assert sum(map(len, noises)) == len(set().union(*noises))  # no block shares noise with another


def test_every_label_comes_once_before_any_comes_again_whatever_the_order_of_the_list():
    first, *_ = design(LABELS, 5)
    assert sorted(pair.label.name for pair in first[:5]) == sorted(label.name for label in LABELS)
    assert design(LABELS[::-1], 5) == design(LABELS, 5)


@pytest.mark.parametrize(("labels", "blocks"), [(LABELS[:1], 8), (LABELS, 1)])
def test_without_two_labels_and_blocks_there_is_no_unit(labels, blocks):
    with pytest.raises(SensitivityError, match="needs two of both at least"):
        design(labels, blocks)


def test_a_pair_s_noise_is_named_by_its_indices_alone():
    def drawn(pair: Pair) -> tuple[Tensor, Tensor]:
        return rng.seed_vectors([pair], SHAPE)[0], torch.randn(SHAPE, generator=rng.generator(pair, "steps"))

    z, later = drawn(Pair(LABELS[0], 0, Noise(3, 5)))
    other_z, other_later = drawn(Pair(LABELS[1], 7, Noise(3, 5)))
    assert torch.equal(z, other_z)
    assert torch.equal(later, other_later)
    assert not torch.equal(z, drawn(Pair(LABELS[0], 0, Noise(4, 5)))[0])
    assert not torch.equal(later, drawn(Pair(LABELS[0], 0, Noise(3, 4)))[1])
    assert not torch.equal(z, later)


# Planted models ---------------------------------------------------------------------------------------------------


def test_a_model_that_ignores_its_seed_vector_is_told_and_a_spread_of_none_is_exactly_0():
    found = measured(Planted(vector=0.0))
    assert found.ignores_vector
    assert not found.deterministic
    for kind in found.distances:
        assert found.vector(kind) == seed_shares.Share(0.0, 0.0, 0.0)
        assert found.later(kind).low > 0.3


def test_a_model_that_hardly_looks_is_told_too():
    assert measured(Planted(label=0.2, vector=0.01, later=0.01)).ignores_vector


def test_what_eight_blocks_leave_open_may_be_ignored():
    """One block of eight sees a change, so that the interval reaches far beyond the limit: more blocks have to tell."""
    rare = seed_shares.Distances(vector=(0.2, *7 * [0.001]), later=(0.5,) * 8, label=(1.0,) * 8)
    found = seed_shares.Sensitivity("any", {"pixel": rare}, 48, 1.0, 0.99)
    assert found.may_ignore_vector
    assert not found.ignores_vector
    often = seed_shares.Distances(vector=(0.2,) * 8, later=(0.5,) * 8, label=(1.0,) * 8)
    assert not seed_shares.Sensitivity("any", {"pixel": often}, 48, 1.0, 0.99).may_ignore_vector


def test_a_deterministic_model_has_a_later_spread_of_exactly_0_and_is_not_told_to_ignore_its_vector():
    found = measured(Planted(later=0.0))
    assert found.deterministic
    assert not found.ignores_vector
    for kind in found.distances:
        assert found.later(kind) == seed_shares.Share(0.0, 0.0, 0.0)
        assert found.vector(kind).low > 0.3


def test_shares_are_what_the_weights_say():
    """Pixels of an image are independent here: what differs has a root mean square of √2 times its weight."""
    found = measured(Planted(label=0.1, vector=0.05, later=0.02), blocks=30)
    assert found.vector("pixel").value == pytest.approx(0.5, rel=0.1)  # five labels are not quite independent
    assert found.later("pixel").value == pytest.approx(0.2, rel=0.1)
    assert found.images == 180


class Squares:
    """A model that draws a square of a colour at a place; of each the label or the seed vector decides."""

    name = fingerprint = "squares"
    seed_shape = SHAPE

    def __init__(self, place: str, colour: str) -> None:
        self._by = place, colour

    def _drawn(self, pair: Pair, by: str, purpose: int) -> Tensor:
        key = pair.label.index if by == "label" else pair.noise.vector
        return torch.rand(2, generator=torch.Generator().manual_seed(1000 * purpose + key))

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        images = torch.full((len(pairs), 3, 32, 32), 0.2)
        for image, pair in zip(images, pairs, strict=True):
            (x, y), shade = (self._drawn(pair, by, purpose) for purpose, by in enumerate(self._by))
            left, top = int(2 + 20 * x), int(2 + 20 * y)
            image[:, top : top + 8, left : left + 8] = torch.tensor([0.6, *(0.4 + 0.6 * shade)])[:, None, None]
        return images


def test_what_a_seed_vector_decides_of_a_picture_is_told_apart_from_what_the_label_does():
    labels = tuple(Label(f"label {index}", index) for index in range(16))

    def of(model: Squares) -> dict[str, float]:
        found = measure(model, Plain(), design(labels, 8)).variance
        shares = {name: seed_variance.explained(each) for name, each in found.items()}
        return {**{name: each.value for name, each in shares.items()}, "all": seed_variance.overall(found).value}

    places, colours = of(Squares("vector", "label")), of(Squares("label", "vector"))
    assert places["position"] == pytest.approx(1.0, abs=0.01)
    assert places["colour"] == pytest.approx(0.0, abs=0.01)
    assert places["layout"] > 0.7
    assert colours["position"] == pytest.approx(0.0, abs=0.01)
    assert colours["colour"] == pytest.approx(1.0, abs=0.01)
    assert colours["layout"] < 0.3
    assert colours["all"] < 0.5 < places["all"]
    blind = of(Squares("label", "label"))
    assert blind["all"] == 0.0


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing(batch_size):
    found = measured(Planted(), batch_size=batch_size)
    assert found.distances == measured(Planted()).distances


def test_every_image_is_held_against_one_of_the_same_place_in_the_same_batch():
    model = Planted()
    measured(model, batch_size=5)
    sizes = [len(batch) for batch in model.asked]
    assert sizes == 3 * [5, 5, 5, 1]


def test_a_model_that_ignores_its_label_has_no_unit():
    with pytest.raises(SensitivityError, match="planted with unlike labels do not differ by CLIP"):
        measured(Planted(label=0.0))


def test_a_model_that_makes_nan_is_an_error_of_the_pair():
    with pytest.raises(CaseError, match=r"NaN or Inf in the image.*vector \d+, later noise \d+"):
        measured(Planted(vector=math.nan))


# Intervals --------------------------------------------------------------------------------------------------------

amounts = st.floats(0.01, 100)


@given(st.lists(st.tuples(amounts, amounts), min_size=2, max_size=12), amounts)
def test_a_share_lies_in_its_interval_and_does_not_depend_on_the_unit_of_the_distance(blocks, factor):
    values, units = zip(*blocks, strict=True)
    found = share(values, units)
    assert 0 <= found.low <= found.value <= found.high
    scaled = share([factor * value for value in values], [factor * unit for unit in units])
    assert dataclasses.astuple(scaled) == pytest.approx(dataclasses.astuple(found), rel=1e-6)
    assert share(values, units, certainty=0.5).high <= found.high


def test_where_one_block_alone_differs_nothing_is_claimed():
    found = share([0, 0, 1, 0], [1, 1, 1, 1])
    assert (found.value, found.low, found.high) == (0.25, 0.0, math.inf)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    draw = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        values, units = draw.lognormal(0, 0.6, (2, 8))
        found = share(values, 4 * units, certainty=0.95)
        held += found.low <= 0.25 <= found.high
    assert held >= 920  # of 950; a jackknife of eight is not exact


# The toys ---------------------------------------------------------------------------------------------------------


def test_a_real_pipeline_s_noises_are_varied_one_at_a_time():
    entry = catalogue.shipped().find("toy-latent")
    clip = ClipScore.load(entry.clip, "cpu")
    rows = design(pairing.class_list("toy16"), 2)
    found = measure(load.load(dataclasses.replace(entry, steps=4), "cpu", "float32"), clip, rows)
    assert found.deterministic
    assert found.vector("pixel").value > 0.3
    ancestral = dataclasses.replace(entry, steps=4, call=(*entry.call, ("eta", 1.0)))
    found = measure(load.load(ancestral, "cpu", "float32"), clip, rows)
    assert found.vector("pixel").value > 0.3
    assert found.later("pixel").value > 0.3


def test_toy_glide_ignores_its_seed_vector_and_its_ddim_does_not():
    clip = ClipScore.load(catalogue.shipped().find("toy-glide").clip, "cpu")
    rows = design(pairing.class_list("toy16"), 2)
    shares = {}
    for name in ("toy-glide", "toy-glide-ddim"):
        entry = catalogue.shipped().find(name)
        entry = dataclasses.replace(entry, steps=16, call=(*entry.call, ("upsampler_steps", 4)))
        found = measure(load.load(entry, "cpu", "float32"), clip, rows)
        shares[name] = found.vector("pixel").value, found.later("pixel").value
    assert shares["toy-glide"][0] < 0.1
    assert shares["toy-glide"][1] > 0.3
    assert shares["toy-glide-ddim"][0] > 0.3
    assert 0 < shares["toy-glide-ddim"][1] < 0.3  # the upsampler's noise
