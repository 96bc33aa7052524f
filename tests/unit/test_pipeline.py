"""The shipped toy through the adapter that loads Stable Diffusion, against diffusers itself."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from diffusers import DiffusionPipeline

from pytest_seedshift import engine, pairs, weights
from pytest_seedshift.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.pipeline import DiffusersPipeline

ENTRY = catalogue.find("toy-latent")
DESIGN = pairs.design(pairs.class_list("toy16"), 64)
TOLERANCE = 1e-4
"""Between batch sizes: other shapes are other orders of summation."""


@pytest.fixture(scope="module")
def model():
    return catalogue.load(ENTRY, "cpu", "float32")


@pytest.fixture(scope="module")
def images(model):
    """The control's images of the whole design, in one batch of 64."""
    return model.generate(DESIGN)


def plain_pipeline() -> DiffusionPipeline:
    pipeline = DiffusionPipeline.from_pretrained(ENTRY.source, dtype=torch.float32, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_images_are_what_the_protocol_says(model, images):
    assert images.shape == (64, 3, 64, 64)
    assert images.is_floating_point()
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.1
    assert model.seed_shape == (4, 16, 16)
    assert model.name == "toy-latent"


def test_unshifted_generation_equals_the_plain_pipeline_call_on_the_same_noise(images):
    chunk = DESIGN[:16]
    expected = plain_pipeline()(
        prompt=[pair.prompt for pair in chunk],
        latents=pairs.noise(chunk, (4, 16, 16)),
        num_inference_steps=ENTRY.steps,
        guidance_scale=ENTRY.guidance,
        output_type="pt",
    ).images
    assert (images[:16] - expected).abs().max() < 1e-5


def test_a_shifted_case_equals_the_plain_pipeline_call_on_the_shifted_noise(model):
    chunk = DESIGN[:8]
    images = model.generate(chunk, engine.shift_function(Case("toy-latent", "mixed", 0.2)))
    expected = plain_pipeline()(
        prompt=[pair.prompt for pair in chunk],
        latents=1.2 * pairs.noise(chunk, (4, 16, 16)) + 0.2,
        num_inference_steps=ENTRY.steps,
        guidance_scale=ENTRY.guidance,
        output_type="pt",
    ).images
    assert (images - expected).abs().max() < 1e-5
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
    call = {"num_inference_steps": ENTRY.steps, "guidance_scale": ENTRY.guidance, "eta": 1.0}
    ancestral = DiffusersPipeline("ancestral", plain_pipeline(), "x", call)
    at_once = ancestral.generate(DESIGN[:5])
    assert (ancestral.generate(DESIGN[2:4]) - at_once[2:4]).abs().max() < TOLERANCE
    assert (ancestral.generate(DESIGN[:5]) - at_once).abs().max() < TOLERANCE
    assert (model.generate(DESIGN[:5]) - at_once).abs().max() > 0.05  # it is another sampler


def test_every_step_is_reported_with_the_state_of_every_pair(model):
    seen = []
    model.generate(DESIGN[:3], on_step=lambda step, state: seen.append((step, tuple(state.shape))))
    assert seen == [(step, (3, 4, 16, 16)) for step in range(ENTRY.steps)]


def test_generating_leaves_torch_s_own_random_numbers_alone(model):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    model.generate(DESIGN[:2])
    assert torch.equal(torch.rand(3), expected)


def test_the_fingerprint_knows_settings_and_number_type(model):
    other = catalogue.load(dataclasses.replace(ENTRY, steps=4), "cpu", "float32")
    half = catalogue.load(ENTRY, "cpu", "bfloat16")
    again = catalogue.load(ENTRY, "cpu", "float32")
    assert len({model.fingerprint, other.fingerprint, half.fingerprint}) == 3
    assert again.fingerprint == model.fingerprint


def test_a_pipeline_folder_on_disk_is_loaded_with_its_own_defaults(tmp_path, model):
    plain_pipeline().save_pretrained(tmp_path / "mine")
    mine = catalogue.load(dataclasses.replace(ENTRY, name="mine", source=str(tmp_path / "mine")), "cpu", "float32")
    assert (mine.generate(DESIGN[:2]) - model.generate(DESIGN[:2])).abs().max() < 1e-5
    assert mine.fingerprint != model.fingerprint


def test_pickled_weights_are_refused(tmp_path):
    plain_pipeline().save_pretrained(tmp_path / "unsafe", safe_serialization=False)
    entry = dataclasses.replace(ENTRY, name="unsafe", source=str(tmp_path / "unsafe"))
    with pytest.raises((OSError, ValueError, weights.WeightsNotFoundError)):
        catalogue.load(entry, "cpu", "float32")
