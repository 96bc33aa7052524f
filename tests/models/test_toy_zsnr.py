"""toy-latent-zsnr as it ships: what a schedule that ends in pure noise does with the seed vector under each sampler."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from pytest_seedshift.core import pairs
from pytest_seedshift.models import catalogue, load
from pytest_seedshift.models.seed_weight import seed_weight

PAIRS = pairs.design(pairs.class_list("toy16"), 64)[:6]
KEEPS, FORGETS = "toy-latent-zsnr", "toy-latent-zsnr+ancestral"


@cache
def model(name: str) -> load.DiffusersPipeline:
    return load.load(catalogue.shipped().find(name), "cpu", "float32")


@cache
def unshifted(name: str) -> torch.Tensor:
    return model(name).generate(PAIRS)


def weight(name: str) -> float:
    scheduler = model(name)._pipeline.scheduler
    scheduler.set_timesteps(10)
    return seed_weight(scheduler).weight


def test_its_schedule_ends_in_pure_noise():
    scheduler = model(KEEPS)._pipeline.scheduler
    scheduler.set_timesteps(10)
    assert scheduler.timesteps.tolist() == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]
    assert scheduler.alphas_cumprod[-1] == 0


def test_an_image_does_not_depend_on_its_batch():
    assert unshifted(KEEPS).shape == (6, 3, 64, 64)
    for index in (0, 5):
        alone = model(KEEPS).generate([PAIRS[index]])
        assert (alone[0] - unshifted(KEEPS)[index]).abs().max() < 1e-4


def test_the_ancestral_sampler_forgets_the_seed_vector_and_ddim_keeps_it():
    """A planted case: at its first step all of the seed vector is replaced by fresh noise."""

    def exchanged(name: str) -> float:
        others = (unshifted(name).flip(0) - unshifted(name)).abs().mean()
        made = model(name).generate(PAIRS, lambda z, _: z.flip(0))
        return ((made - unshifted(name)).abs().mean() / others).item()

    assert weight(FORGETS) == 0
    assert weight(KEEPS) > 0.9
    assert exchanged(FORGETS) < 0.1
    assert exchanged(KEEPS) > 0.3


def test_its_first_guess_is_that_of_the_label_whatever_the_seed_vector():
    """At zero SNR a state tells nothing of its picture; toy-latent, which never saw such a state, reads one into it."""

    def spread(name: str) -> float:
        pipeline = model(name)._pipeline
        z = torch.randn(32, 4, 16, 16, generator=torch.Generator().manual_seed(0))
        words = pipeline.encode_prompt(["A photo of a frog"], "cpu", 1, False)[0].expand(32, -1, -1)
        with torch.no_grad():
            v = pipeline.unet(z, 999, encoder_hidden_states=words).sample
        return v.std(dim=0).mean().item()

    assert spread(KEEPS) < 0.35 * spread("toy-latent")


@pytest.mark.nightly
@pytest.mark.reliability(models=KEEPS, magnitudes=0, images=192, top1=0.90, top5=0.97, clip=30.0)
def test_without_a_shift_it_draws_what_it_is_asked_for():
    pass
