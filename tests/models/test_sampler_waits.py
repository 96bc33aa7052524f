"""Samplers of diffusers wait for no GPU where they need not, and what they make is the same to the last bit."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, SchedulerMixin

from helpers.families import FAMILIES
from helpers.pretended_device import PretendedDevices
from pytest_seedshift.core import pairs
from pytest_seedshift.models import sampler_waits
from pytest_seedshift.models.pipeline import DiffusersPipeline

PAIRS = pairs.design(pairs.class_list("toy16"), 64)[:2]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


class Derived(DDIMScheduler):
    """Of a user's own, who may do with a timestep what he likes."""


def model_of(
    sampler: type[Any] | None, device: str, dtype: torch.dtype = torch.float32, family: str = "stable-diffusion-1"
) -> DiffusersPipeline:
    made = FAMILIES[family]
    pipeline = made.build().to(dtype).to(device)
    if sampler is not None:
        pipeline.scheduler = sampler.from_config(pipeline.scheduler.config)
    return DiffusersPipeline("small", pipeline, "", {**made.arguments, "num_inference_steps": 4})


@pytest.fixture
def gpu():
    with PretendedDevices() as gpus:
        yield gpus


def waited(gpus: PretendedDevices, places: tuple[str, ...] = ("diffusers/schedulers/",)) -> int:
    """How often samplers have waited since it was asked last."""
    count = sum(count for (_, line), count in gpus.waits.items() if line.startswith(places))
    gpus.reset()
    return count


EVERYWHERE = ("diffusers/schedulers/", "diffusers/utils/torch_utils")  # noise is brought to a GPU in the latter


@contextlib.contextmanager
def as_diffusers_does(monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patches:
        patches.setattr(sampler_waits, "avoided", lambda pipeline: contextlib.nullcontext())
        yield


@pytest.mark.parametrize("name", ["DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "TCDScheduler"])
def test_a_sampler_with_a_table_of_timesteps_does_not_wait_and_draws_the_same(name, gpu, monkeypatch):
    kind = getattr(diffusers, name)
    expected = model_of(kind, "cpu").generate(PAIRS)
    model = model_of(kind, "cuda")
    found = model.generate(PAIRS).cpu()
    assert waited(gpu, EVERYWHERE) == 0
    assert torch.equal(found, expected)
    with as_diffusers_does(monkeypatch):
        assert torch.equal(model.generate(PAIRS).cpu(), found)
        assert waited(gpu) > 3  # that is what it is good for


@pytest.mark.parametrize(
    "family",
    [
        "stable-unclip",
        *(
            pytest.param(each, marks=pytest.mark.nightly)
            for each in ("cogview-3-plus", "kandinsky-2.2", "deepfloyd-if")
        ),
    ],
)
def test_the_samplers_of_a_family_do_not_wait_at_their_steps(family, gpu, monkeypatch):
    model = model_of(None, "cuda", torch.bfloat16, family)
    model.generate(PAIRS)  # what is sent there once
    gpu.reset()
    found = model.generate(PAIRS).cpu()
    assert waited(gpu) == 0
    with as_diffusers_does(monkeypatch):
        assert torch.equal(model.generate(PAIRS).cpu(), found)
        assert waited(gpu) > 3


def test_a_class_derived_from_such_a_sampler_is_left_as_it_is(gpu, monkeypatch):
    model = model_of(Derived, "cuda", torch.float16)
    assert model.seed_shape
    gpu.reset()
    found = model.generate(PAIRS).cpu()
    count = waited(gpu)
    assert count > 3
    with as_diffusers_does(monkeypatch):
        assert torch.equal(model.generate(PAIRS).cpu(), found)
        assert waited(gpu) == count


def test_timesteps_that_are_not_the_samplers_own_numbers_and_copied_samplers_go_their_way(gpu):
    pipeline = FAMILIES["stable-diffusion-1"].build().to("cuda")
    native = DDIMScheduler.step
    with sampler_waits.avoided(pipeline):
        assert DDIMScheduler.step is not native
        sampler = pipeline.scheduler
        sampler.set_timesteps(num_inference_steps=4, device="cuda")
        assert sampler.timesteps.device.type == "cuda"
        noise = torch.ones(1, 4, 8, 8, device="cuda")
        own = sampler.step(noise, sampler.timesteps[1], noise).prev_sample.cpu()
        for step, who in (
            (int(sampler.timesteps[1]), sampler),
            (sampler.timesteps[1].clone(), sampler),
            (sampler.timesteps[1], copied := copy.deepcopy(sampler)),
            (copied.timesteps[1], copied),
        ):
            assert torch.equal(who.step(noise, timestep=step, sample=noise).prev_sample.cpu(), own)
        with pytest.raises(TypeError):
            sampler.step(None, sampler.timesteps[0], noise)
        assert sampler.timesteps.device.type == "cuda"  # also after an error
        sampler.set_timesteps(4)
        assert sampler.timesteps.device.type == "cpu"
    assert DDIMScheduler.step is native


def test_noise_of_a_generator_on_the_device_is_drawn_there(gpu):
    drawn = sampler_waits._drawn((2, 3), device="cuda")
    assert drawn.device.type == "cuda"
    assert drawn.shape == (2, 3)


def _samplers() -> list[str]:
    found = {name: getattr(diffusers, name) for name in dir(diffusers) if name.endswith("Scheduler") and name[0] != "_"}
    return [name for name, kind in found.items() if isinstance(kind, type) and issubclass(kind, SchedulerMixin)]


@pytest.mark.nightly
@pytest.mark.parametrize("name", _samplers())
def test_every_sampler_of_diffusers_draws_what_it_drew(name, gpu, monkeypatch):
    kind = getattr(diffusers, name)
    try:
        model = model_of(kind, "cuda", torch.float16)
        with as_diffusers_does(monkeypatch):
            expected = model.generate(PAIRS).cpu()
    except Exception as error:
        pytest.skip(f"does not draw with a Stable Diffusion: {error}")
    before = waited(gpu, EVERYWHERE)
    assert torch.equal(model.generate(PAIRS).cpu(), expected)
    assert waited(gpu, EVERYWHERE) <= before
