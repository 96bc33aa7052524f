"""The adapter for diffusers pipelines: the shipped toy against diffusers itself, and what it makes of odd pipelines."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline

from helpers.families import FAMILIES, stable_diffusion
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, rng
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.models.seed_vector import SeedVectorError
from pytest_seedshift.runner import generate

ENTRY = catalogue.shipped().find("toy-latent")
DESIGN = pairs.design(pairs.class_list("toy16"), 64)
CALL = {"num_inference_steps": 10, "guidance_scale": 1.0}
TOLERANCE = 1e-4
"""Between batch sizes: other shapes are other orders of summation."""


def plain_pipeline() -> Any:
    pipeline = DiffusionPipeline.from_pretrained(ENTRY.pipeline[0], dtype=torch.float32, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def model():
    return DiffusersPipeline("toy-latent", plain_pipeline(), "x", CALL)


@pytest.fixture(scope="module")
def images(model):
    """The control's images of the whole design, in one batch of 64."""
    return model.generate(DESIGN)


def noise(chosen):
    return torch.stack([torch.randn(4, 16, 16, generator=rng.generator(pair, "z(4, 16, 16)")) for pair in chosen])


def test_images_are_what_the_protocol_says(model, images):
    assert images.shape == (64, 3, 64, 64)
    assert images.is_floating_point()
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.1
    assert model.seed_shape == (4, 16, 16)
    assert model.name == "toy-latent"
    assert model.fingerprint == "x"


def test_unshifted_generation_equals_the_plain_pipeline_call(model):
    chunk = DESIGN[:8]
    expected = plain_pipeline()(
        prompt=[pair.prompt for pair in chunk],
        generator=[rng.generator(pair, "z(4, 16, 16)") for pair in chunk],
        output_type="pt",
        **CALL,
    ).images
    assert torch.equal(model.generate(chunk), expected)
    assert torch.equal(model.generate(chunk), expected)


def test_a_shifted_case_equals_the_plain_pipeline_call_on_the_shifted_noise(model):
    chunk = DESIGN[:8]
    images = model.generate(chunk, generate.shift_function(Case("toy-latent", "mixed", 0.2)))
    expected = plain_pipeline()(
        prompt=[pair.prompt for pair in chunk], latents=1.2 * noise(chunk) + 0.2, output_type="pt", **CALL
    ).images
    assert torch.equal(images, expected)
    assert (images - model.generate(chunk)).abs().max() > 0.01  # the shift does something


@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_pair_s_image_does_not_depend_on_its_batch(model, images, batch_size):
    for start in (0, 21):
        chunk = DESIGN[start : start + batch_size]
        assert (model.generate(chunk) - images[start : start + batch_size]).abs().max() < TOLERANCE


def test_a_pair_s_image_does_not_depend_on_the_order(model, images):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))[:9].tolist()
    again = model.generate([DESIGN[index] for index in order])
    assert (again - images[order]).abs().max() < TOLERANCE


def test_different_pairs_have_different_images(images):
    distance = torch.cdist(images.flatten(1), images.flatten(1)) + torch.eye(64) * 1e6
    assert distance.min() > 1


def test_an_ancestral_sampler_s_own_noise_belongs_to_the_pair_too(model):
    ancestral = DiffusersPipeline("ancestral", plain_pipeline(), "x", {**CALL, "eta": 1.0})
    at_once = ancestral.generate(DESIGN[:5])
    assert (ancestral.generate(DESIGN[2:4]) - at_once[2:4]).abs().max() < TOLERANCE
    assert (ancestral.generate(DESIGN[:5]) - at_once).abs().max() < TOLERANCE
    assert (model.generate(DESIGN[:5]) - at_once).abs().max() > 0.05  # it is another sampler


def test_every_step_is_reported_with_the_state_of_every_pair(model):
    seen = []
    model.generate(DESIGN[:3], on_step=lambda step, state: seen.append((step, tuple(state.shape))))
    assert seen == [(step, (3, 4, 16, 16)) for step in range(10)]


def test_generating_leaves_torch_s_own_random_numbers_alone(model):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    model.generate(DESIGN[:2])
    assert torch.equal(torch.rand(3), expected)


def test_in_another_number_type_it_is_the_same_seed_vector_and_nearly_the_same_image():
    call, seen = {"num_inference_steps": 2, "guidance_scale": 1.0}, []
    expected = DiffusersPipeline("full", stable_diffusion(), "x", call).generate(DESIGN[:2])

    def look(z: torch.Tensor, _: Any) -> torch.Tensor:
        seen.append(z)
        return z

    images = DiffusersPipeline("half", stable_diffusion().to(torch.bfloat16), "y", call).generate(DESIGN[:2], look)
    assert torch.equal(seen[0], noise(DESIGN[:2]))
    assert images.dtype == torch.float32
    assert (images - expected).abs().mean() < 0.02


def test_learning_the_seed_s_shape_ends_at_the_draw():
    pipeline = stable_diffusion()
    denoised = []
    pipeline.unet.register_forward_hook(lambda *_: denoised.append(1))
    model = DiffusersPipeline("small", pipeline, "x", {"height": 48, "width": 32})
    assert model.seed_shape == (4, 24, 16)
    assert not denoised
    assert model.generate(DESIGN[:1]).shape == (1, 3, 48, 32)


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        (
            "stable-diffusion-1",
            "guidance",
            r"guidance is not an argument of StableDiffusionPipeline's call.*guidance_scale",
        ),
        ("stable-diffusion-1", "num_images_per_prompt", "num_images_per_prompt is set by this package"),
        ("latent-diffusion", "negative_prompt", "negative_prompt is not an argument of LDMTextToImagePipeline's call"),
    ],
)
def test_what_a_pipeline_s_call_does_not_take_is_refused(name, argument, message):
    with pytest.raises(SeedshiftError, match=message):
        DiffusersPipeline(name, FAMILIES[name].build(), "x", {argument: 2})


def test_a_safety_checker_is_switched_off():
    pipeline = stable_diffusion()
    expected = DiffusersPipeline("small", pipeline, "x", {"num_inference_steps": 1}).generate(DESIGN[:1])

    def blacken(images: Any, **_: Any) -> Any:
        return torch.zeros_like(images), [True] * len(images)

    pipeline.safety_checker = blacken
    model = DiffusersPipeline("small", pipeline, "x", {"num_inference_steps": 1})
    assert torch.equal(model.generate(DESIGN[:1]), expected)


def test_a_pipeline_that_makes_other_than_colour_pictures_is_refused():
    pipeline = stable_diffusion()
    decode = pipeline.vae.decode
    pipeline.vae.decode = lambda *args, **kwargs: (decode(*args, **kwargs)[0][:, :1],)
    model = DiffusersPipeline("grey", pipeline, "x", {"num_inference_steps": 1})
    with pytest.raises(SeedshiftError, match=r"gave \(2, 1, 32, 32\) where \(2, 3, height, width\) was expected"):
        model.generate(DESIGN[:2])


def test_a_pipeline_that_draws_for_more_images_than_asked_is_refused():
    pipeline = stable_diffusion()
    prepare = pipeline.prepare_latents

    def twice(batch: int, *args: Any, **kwargs: Any) -> Any:
        *before, generator, latents = args
        return prepare(2 * batch, *before, 2 * generator, latents, **kwargs)

    pipeline.prepare_latents = twice
    model = DiffusersPipeline("twice", pipeline, "x", {"num_inference_steps": 1})
    with pytest.raises(SeedVectorError, match="draws 4 seed vectors for 2 images"):
        model.generate(DESIGN[:2])
