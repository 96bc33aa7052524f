"""Repairs of a seed vector: they make it look like N(0, 1), hardly move one that does, and a model applies them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

import pytest_seedshift
from pytest_seedshift.core import model_names, pairs, shifts
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.models import catalogue, entry_schema, load, repairs, rng
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.entry_tables import entry_of
from pytest_seedshift.models.repairs import repair
from pytest_seedshift.runner.generate import shift_function

SIDE = 32
N = SIDE * SIDE
VECTORS = torch.randn(200, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
KEEPING = ("moments", "quantiles", "spectrum")
ALL = (*KEEPING, "blend=0.3")
CHANCE = 0.001
"""Of each test of a channel; of 800 channels some two are expected below it, and 8 are far from that."""


def fresh() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def rejected(z: Tensor, test: Callable[[Any], Any]) -> int:
    """How many channels a test finds unlike N(0, 1)."""
    return int((test(z.flatten(2).flatten(0, 1).double().numpy()) < CHANCE).sum())


def two_sided(below: Any) -> Any:
    return 2 * np.minimum(below, 1 - below)


def moments(channels: Any) -> Any:
    """By channel, the smaller p value of its mean's and of its variance's test, doubled."""
    mean = two_sided(stats.norm.cdf(channels.mean(-1) * math.sqrt(N)))
    variance = two_sided(stats.chi2.cdf((N - 1) * channels.var(-1, ddof=1), N - 1))
    return 2 * np.minimum(mean, variance)


def normality(channels: Any) -> Any:
    """By channel, the p value of Kolmogorov and Smirnov's exact test, as `stats.kstest` has it of one at a time."""
    below = stats.norm.cdf(np.sort(channels, axis=-1))
    steps = np.arange(N + 1) / N
    furthest = np.maximum(steps[1:] - below, below - steps[:-1]).max(-1)
    return stats.kstwo.sf(furthest, N)


def spectrum(channels: Any) -> Any:
    """By channel, whether the power of frequencies of up to three cycles, without the mean, is that of white noise."""
    power = np.abs(np.fft.fft2(channels.reshape(-1, SIDE, SIDE), norm="ortho")) ** 2
    return two_sided(stats.gamma.cdf(power[:, 1:4, :4].sum((1, 2)) + power[:, 0, 1:4].sum(-1), 15))


def shifted(name: str, magnitude: float) -> Tensor:
    return shifts.apply(VECTORS, name, magnitude, generator=fresh())


def test_all_channels_at_once_are_tested_as_each_is_by_itself():
    channels = np.random.default_rng(0).normal(0.02, 1.05, (3, N))
    assert normality(channels) == pytest.approx([stats.kstest(row, "norm").pvalue for row in channels])


# What it makes


@pytest.mark.parametrize("magnitude", [0.3, -0.3])
@pytest.mark.parametrize("name", ["random", "mean", "std", "mixed"])
@pytest.mark.parametrize("how", ["moments", "quantiles"])
def test_a_repaired_vector_passes_tests_of_moments_and_of_normality(how, name, magnitude):
    z = shifted(name, magnitude)
    assert rejected(z, moments) > 700, "the tests see nothing"
    made = repair(z, how, generator=fresh())
    assert rejected(made, moments) <= 8
    assert rejected(made, normality) <= 8


def test_only_the_spectrum_s_repair_mends_what_has_an_order():
    z = shifted("arrangement", 0.8)
    assert rejected(z, spectrum) > 400, "the test sees nothing"
    assert rejected(repair(z, "spectrum"), spectrum) <= 8
    for how in ("moments", "quantiles"):
        assert rejected(repair(z, how, generator=fresh()), spectrum) > 400
    smooth = torch.nn.functional.avg_pool2d(VECTORS, 3, 1, 1) * 3
    assert rejected(smooth, spectrum) > 400
    assert rejected(repair(smooth, "spectrum"), spectrum) <= 8


@pytest.mark.parametrize("how", ALL)
def test_what_needs_no_repair_stays_normal(how):
    made = repair(VECTORS, how, generator=fresh())
    assert [rejected(made, test) <= 8 for test in (moments, normality, spectrum)] == [True] * 3


# How far it moves what needs none: the docstring's figures


@pytest.mark.parametrize(
    ("how", "formula"),
    [
        ("moments", lambda n, rings: math.sqrt(1.5 / n)),
        ("quantiles", lambda n, rings: math.sqrt((2 * math.log(math.log(n)) + 2.4) / n)),
        ("spectrum", lambda n, rings: math.sqrt(rings / (2 * n))),
        ("blend=0.3", lambda n, rings: math.sqrt(2 - 2 * math.sqrt(1 - 0.3**2))),
        ("blend=1", lambda n, rings: math.sqrt(2)),
    ],
)
@pytest.mark.parametrize("side", [16, 32, 64])
def test_a_typical_vector_hardly_moves(how, formula, side):
    z = torch.randn(64, 4, side, side, generator=fresh())
    made = repair(z, how, generator=torch.Generator().manual_seed(2))
    moved = ((made - z).square().sum() / z.square().sum()).sqrt().item()
    rings = round(math.hypot(side / 2, side / 2)) + 1
    assert moved == pytest.approx(formula(side**2, rings), rel=0.1)


# Properties


@settings(deadline=None, max_examples=60)
@given(
    how=st.sampled_from(ALL),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(2, 12), st.integers(2, 12)),
    scale=st.floats(0.01, 100),
    offset=st.floats(-10, 10),
    seed=st.integers(0, 2**30),
)
def test_shape_type_rows_and_a_second_repair(how, shape, scale, offset, seed):
    z = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale + offset
    before = z.clone()

    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed + row) for row in range(len(z))]

    made = repair(z, how, generator=generators())
    assert torch.equal(z, before)
    assert (made.shape, made.dtype, made.device) == (z.shape, z.dtype, z.device)
    assert made.isfinite().all()
    alone = torch.cat([repair(z[row : row + 1], how, generator=generators()[row]) for row in range(len(z))])
    assert torch.allclose(made, alone, atol=1e-5)
    assert torch.allclose(repair(z[0], how, generator=generators()[0]), alone[0], atol=1e-5)
    if how in KEEPING:
        assert torch.allclose(repair(made, how, generator=generators()), made, atol=1e-3)
        # Nothing of the scale is left, and with it nothing of a mean that was far off.
        other = repair(z * 4, how, generator=generators())
        assert torch.allclose(other, made, atol=1e-3)


@settings(deadline=None, max_examples=40)
@given(magnitude=st.floats(-0.9, 3).filter(lambda x: abs(x) > 1e-3), name=st.sampled_from(["mean", "std", "mixed"]))
def test_a_shift_of_mean_and_std_is_undone_whatever_its_size(name, magnitude):
    z = VECTORS[:4]
    far = shifts.apply(z, name, magnitude)
    assert torch.allclose(repair(far, "moments"), repair(z, "moments"), atol=1e-4)
    one, other = (repair(each, "quantiles", generator=fresh()) for each in (far, z))
    # Two values that lie next to each other may change their order where numbers are rounded.
    assert (one - other).abs().mean() < 1e-3


def test_values_keep_their_order_and_frequencies_their_phases():
    z = VECTORS[:2]
    made = repair(z, "quantiles", generator=fresh())
    assert torch.equal(made.flatten(2).argsort(-1), z.flatten(2).argsort(-1))
    before, after = (torch.fft.fft2(each, norm="ortho") for each in (z, repair(z, "spectrum")))
    assert torch.allclose(torch.sgn(before), torch.sgn(after), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types_are_kept_and_half_precision_is_computed_in_single(dtype):
    made = repair((VECTORS + 0.3).to(dtype), "moments")
    assert made.dtype == dtype
    assert torch.allclose(made.float(), repair(VECTORS + 0.3, "moments"), atol=0.05)


@pytest.mark.parametrize(
    ("given_", "how", "message"),
    [
        (VECTORS, "moment", "give one of moments, quantiles, spectrum, or blend=B"),
        (VECTORS, "blend", "blend=B"),
        (VECTORS, "blend=0", "above 0"),
        (VECTORS, "blend=1.2", "at most 1"),
        (VECTORS, "blend=nan", "at most 1"),
        (VECTORS, "moments=2", "give one of"),
        (VECTORS[0, 0], "moments", r"\(batch, channels, height, width\)"),
        (VECTORS.long(), "moments", "floating point"),
        (VECTORS.tolist(), "moments", "got list"),
        (VECTORS / 0, "moments", "finite"),
        (torch.zeros(1, 4, 8, 8), "moments", "constant"),
        (torch.ones(1, 4, 8, 8), "quantiles", "constant"),
        (torch.zeros(1, 4, 8, 8), "spectrum", "zero"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_cannot_be_repaired_is_told(given_, how, message):
    with pytest.raises(InvalidValueError, match=message):
        repair(given_, how)


def test_as_many_generators_as_seed_vectors():
    with pytest.raises(InvalidValueError, match="2 generators for 200 seed vectors"):
        repair(VECTORS, "quantiles", generator=[fresh(), fresh()])
    assert pytest_seedshift.repair is repair


# In a model


TOY = catalogue.shipped()
PAIRS = pairs.design(pairs.class_list("toy16"), 16)[:4]


@pytest.mark.parametrize("how", ["moments", "blend=0.3"])
def test_a_model_with_a_repair_draws_what_diffusers_draws_of_repaired_latents(how):
    plain, mended = (load.load(TOY.find(name), "cpu", "float32") for name in ("toy-latent", f"toy-latent+repair={how}"))
    shift = shift_function(Case("toy-latent", "mean", 0.3))
    assert shift is not None

    def by_hand(z: Tensor, named: object) -> Tensor:
        rows = [rng.generator(pair, f"repair {how}") for pair in PAIRS]
        return repair(shift(z, PAIRS), how, generator=rows)

    together = mended.generate(PAIRS, shift)
    assert torch.equal(together, plain.generate(PAIRS, by_hand))
    assert not torch.equal(together, plain.generate(PAIRS, shift))
    alone = torch.cat([mended.generate([pair], shift) for pair in PAIRS])
    assert (together - alone).abs().max() < 1e-3
    only = repairs.keyed(how)
    assert only is not None
    assert torch.equal(mended.generate(PAIRS), plain.generate(PAIRS, only)), "the control is repaired as well"


def test_it_is_in_the_key_and_in_what_is_kept_of_a_run_and_written_in_any_order():
    keys = {
        fingerprints.of_model(TOY.find(name), "cpu", "float32")
        for name in ("toy-latent", "toy-latent+repair=moments", "toy-latent+repair=blend=0.3")
    }
    assert len(keys) == 3
    assert model_names.canonical("x+steps=3+repair=blend=0.30") == "x+repair=blend=0.3+steps=3"
    assert TOY.find("toy-latent+repair=moments").engine.record() == {"repair": "moments"}


def test_an_entry_has_it_too(tmp_path):
    table = {"pipeline": str(tmp_path), "repair": "blend=0.50"}
    entry_schema.check("mine", table, "thresholds.toml: [models.mine]", new=True)
    assert entry_of("mine", table, tmp_path, None).engine.repair == "blend=0.5"
    named = dataclasses.replace(TOY.find("toy-latent+repair=moments"), name="x")
    written = entry_of("x", {"repair": "moments"}, tmp_path, dataclasses.replace(TOY.find("toy-latent"), name="x"))
    assert written.engine == named.engine
    for wrong in ("moment", "blend", "blend=0", "blend=2", 3, ""):
        with pytest.raises(entry_schema.EntryError, match=r"repair = .*: give"):
            entry_schema.check("mine", {**table, "repair": wrong}, "here", new=True)
