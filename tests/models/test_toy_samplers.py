"""toy-glide as it ships: what its sampler does with the seed vector, and what it does not."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from pytest_seedshift.core import pairs
from pytest_seedshift.models import catalogue, load

PAIRS = pairs.design(pairs.class_list("toy16"), 64)[:6]
BOTH = ("toy-glide", "toy-glide-ddim")
TOLERANCE = 1e-4
"""Between batch sizes: other shapes are other orders of summation."""


@cache
def model(name: str):
    return load.load(catalogue.shipped().find(name), "cpu", "float32")


@cache
def unshifted(name: str):
    return model(name).generate(PAIRS)


def distance(one, other) -> float:
    return (one - other).abs().mean().item()


@pytest.mark.parametrize("name", BOTH)
def test_an_image_does_not_depend_on_its_batch(name):
    assert model(name).seed_shape == (3, 16, 16)
    assert unshifted(name).shape == (6, 3, 32, 32)
    for index in (0, 5):
        alone = model(name).generate([PAIRS[index]])
        assert (alone[0] - unshifted(name)[index]).abs().max() < TOLERANCE


def test_the_released_sampler_replaces_the_seed_vector_and_ddim_keeps_it():
    def exchanged(name: str) -> float:
        return distance(model(name).generate(PAIRS, lambda z, _: z.flip(0)), unshifted(name))

    def others(name: str) -> float:
        return distance(unshifted(name).flip(0), unshifted(name))

    assert exchanged("toy-glide") < 0.2 * others("toy-glide")
    assert exchanged("toy-glide-ddim") > 0.5 * others("toy-glide-ddim")


def test_the_upsampler_s_noise_is_the_same_whatever_the_base_s_sampler():
    drawn = {}
    for name in BOTH:
        pipeline = model(name)._pipeline
        native = pipeline.prepare_upsampler_latents
        pipeline.prepare_upsampler_latents = lambda *args, native=native, name=name: drawn.setdefault(
            name, native(*args)
        )
        try:
            model(name).generate(PAIRS[:2])
        finally:
            del pipeline.prepare_upsampler_latents
    assert torch.equal(drawn["toy-glide"], drawn["toy-glide-ddim"])
