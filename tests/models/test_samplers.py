"""What a derived model's changes make of the scheduler that it has, and what they cannot."""

from __future__ import annotations

import dataclasses
import json
import shutil
from functools import cache
from pathlib import Path

import diffusers
import pytest
import torch

from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, load, locate, rng, samplers
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.base import Entry, Sampling, Scheduler
from pytest_seedshift.models.derive import DerivationError
from pytest_seedshift.runner import model_notes
from pytest_seedshift.runner.model_pool import ModelPool

SHIPPED = catalogue.shipped()
TOY = SHIPPED.find("toy-latent")
PAIRS = pairs.design(pairs.class_list("toy16"), 64)[:4]
# As Stable Diffusion 2.1's file has them.
SD21 = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
GLIDE = {"beta_schedule": "squaredcos_cap_v2", "variance_type": "learned_range"}
FLOW = {"num_train_timesteps": 1000, "shift": 3.0}
RESCALED = (("rescale_betas_zero_snr", True), ("timestep_spacing", "trailing"))


def settled(
    name: str, config: dict, *, scheduler: Scheduler | None = None, steps: int | None = None, **changes
) -> Scheduler | None:
    """The scheduler of a derived model whose pipeline has a scheduler of that class and configuration."""
    entry = Entry("m+change", ("a/b",), scheduler=scheduler, sampling=Sampling(**changes), steps=steps)
    found = samplers.settle(entry, name, config)
    assert found.sampling is None
    assert dataclasses.replace(found, scheduler=None) == dataclasses.replace(entry, scheduler=None, sampling=None)
    return found.scheduler


DDIM, DDPM, OLD = Scheduler("DDIMScheduler"), Scheduler("DDPMScheduler"), Scheduler("PNDMScheduler")


@pytest.mark.parametrize(
    ("name", "config", "changes", "expected"),
    [
        ("PNDMScheduler", SD21, {"sampler": "ddim"}, DDIM),
        ("PNDMScheduler", SD21, {"sampler": "ancestral"}, DDPM),
        ("DDIMScheduler", SD21, {"sampler": "ddim"}, None),
        ("DDIMScheduler", SD21, {"clip": False}, None),
        ("DDIMScheduler", SD21, {"zsnr": True}, Scheduler("DDIMScheduler", RESCALED)),
        ("DDIMScheduler", SD21, {"clip": True}, Scheduler("DDIMScheduler", (("clip_sample", True),))),
        ("DDIMScheduler", SD21 | {"clip_sample": True}, {"clip": 1.0}, None),
        ("PNDMScheduler", SD21, {"clip": False}, None),
        ("PNDMScheduler", SD21, {"sampler": "ddim", "scheduler": DDIM}, DDIM),
        ("PNDMScheduler", SD21, {"sampler": "ancestral", "zsnr": True}, Scheduler("DDPMScheduler", RESCALED)),
        (
            "DPMSolverMultistepScheduler",
            SD21,
            {"clip": True},
            Scheduler("DPMSolverMultistepScheduler", (("thresholding", True),)),
        ),
        ("GlideDDPMScheduler", GLIDE, {"sampler": "ancestral", "clip": True}, None),
        ("GlideDDPMScheduler", GLIDE, {"sampler": "ddim"}, Scheduler("GlideDDIMScheduler")),
        ("GlideDDPMScheduler", GLIDE, {"clip": False}, Scheduler("GlideDDPMScheduler", (("clip_sample", False),))),
        ("GlideDDPMScheduler", GLIDE, {"sampler": "ancestral", "scheduler": Scheduler("GlideDDIMScheduler")}, None),
        ("FlowMatchEulerDiscreteScheduler", FLOW, {"clip": False}, None),
    ],
)
def test_what_changes_make_of_a_scheduler(name, config, changes, expected):
    assert settled(name, config, **changes) == expected


def test_a_sampler_that_is_exchanged_clips_no_more_than_the_one_before():
    """Euler's knows no clipping; DDIM's default is to clip, which would be a second change."""
    euler = {key: value for key, value in SD21.items() if key != "clip_sample"}
    for change, name in (("ddim", "DDIMScheduler"), ("ancestral", "DDPMScheduler")):
        made = settled("EulerDiscreteScheduler", euler, sampler=change)
        assert made == Scheduler(name, (("clip_sample", False),))
    kept = settled("DDIMScheduler", euler, sampler="ancestral")
    assert kept is not None
    assert dict(kept.options).get("clip_sample", True) is True


def test_options_that_the_entry_has_set_stay_where_the_new_class_knows_them():
    given = Scheduler("DDIMScheduler", (("timestep_spacing", "linspace"), ("set_alpha_to_one", True)))
    assert settled("PNDMScheduler", SD21, scheduler=given, sampler="ancestral") == Scheduler(
        "DDPMScheduler", (("timestep_spacing", "linspace"),)
    )


@pytest.mark.parametrize(
    ("name", "config", "changes", "message"),
    [
        ("FlowMatchEulerDiscreteScheduler", FLOW, {"sampler": "ddim"}, "+ddim: the model is sampled by FlowMatchEuler"),
        ("FlowMatchEulerDiscreteScheduler", FLOW, {"sampler": "ancestral"}, "whose schedule is not one of betas"),
        ("FlowMatchEulerDiscreteScheduler", FLOW, {"clip": True}, "+clip: FlowMatchEulerDiscreteScheduler has nothing"),
        ("FlowMatchEulerDiscreteScheduler", FLOW, {"zsnr": True}, "+zsnr: FlowMatchEulerDiscreteScheduler cannot"),
        ("DPMSolverMultistepScheduler", SD21 | {"use_flow_sigmas": True}, {"sampler": "ddim"}, "not one of betas"),
        ("DDIMScheduler", SD21 | {"prediction_type": "flow_prediction"}, {"sampler": "ddim"}, "'flow_prediction'"),
        ("DDPMScheduler", SD21 | {"variance_type": "learned_range"}, {"sampler": "ddim"}, "predicts a variance too"),
        ("PNDMScheduler", SD21, {"clip": True}, "+clip: PNDMScheduler has nothing that clips. DDIM and DDPM's"),
        ("DPMSolverMultistepScheduler", SD21, {"clip": 2.0}, "has thresholding to 1 at most, which is +clip"),
        ("PNDMScheduler", SD21, {"zsnr": True}, "+zsnr: PNDMScheduler cannot rescale its betas"),
        (
            "DDIMScheduler",
            SD21 | {"prediction_type": "epsilon"},
            {"zsnr": True},
            "+zsnr: the network predicts the noise",
        ),
        ("GlideDDPMScheduler", GLIDE, {"zsnr": True}, "+zsnr: GlideDDPMScheduler takes the schedule and the steps"),
        ("DDIMScheduler", SD21, {"steps": 1001}, "steps=1001: the model was trained with 1000 steps"),
    ],
)
def test_a_change_that_the_scheduler_does_not_support(name, config, changes, message):
    with pytest.raises(DerivationError) as caught:
        settled(name, config, **changes)
    assert str(caught.value).startswith("m+change: ")
    assert message in str(caught.value)


def test_a_model_of_flows_takes_any_number_of_steps():
    assert settled("FlowMatchEulerDiscreteScheduler", FLOW, steps=1001) is None


# Shipped models ---------------------------------------------------------------------------------------------------


def fingerprint(name: str) -> str:
    return fingerprints.of_model(SHIPPED.find(name), "cpu", "float32")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("toy-latent+ddim", "toy-latent"),
        ("toy-latent+noclip+steps=5+guidance=2", "toy-latent"),
        ("toy-latent+steps=4+ancestral", "toy-latent+ancestral+steps=04"),
        ("toy-glide+ddim", "toy-glide-ddim"),
        ("toy-glide-ddim+ancestral", "toy-glide"),
        ("toy-latent-zsnr+zsnr", "toy-latent-zsnr"),
    ],
)
def test_models_that_are_the_same_have_one_fingerprint(one, other):
    assert fingerprint(one) == fingerprint(other)


def test_models_that_differ_in_a_change_have_fingerprints_of_their_own():
    changes = ("", "+ancestral", "+clip", "+clip=2", "+clip+ancestral", "+zsnr", "+steps=4", "+guidance=3")
    assert len({fingerprint(f"toy-latent{change}") for change in changes}) == len(changes)
    assert fingerprint("toy-latent+zsnr") != fingerprint("toy-latent-zsnr")


def test_the_catalogue_knows_which_derived_model_is_the_same_as_its_base():
    assert SHIPPED.same_as("toy-latent+ddim") == "toy-latent"
    assert SHIPPED.same_as("toy-latent+clip") is None
    assert SHIPPED.same_as("toy-latent") is None


def test_the_catalogue_knows_which_derived_models_are_the_same():
    same = catalogue.shipped().are_same
    assert same("toy-latent-zsnr+steps=4+zsnr", "toy-latent-zsnr+steps=4")
    assert same("toy-latent+steps=4", "toy-latent+ddim+steps=4")
    assert not same("toy-latent+steps=4+zsnr", "toy-latent+steps=4")
    assert not same("toy-latent+steps=4", "toy-latent")


def test_a_run_says_that_a_derived_model_is_its_base():
    pool = ModelPool("cpu", "float32")
    (note,) = model_notes.notes(pool, "toy-latent+ddim")
    assert note.startswith("toy-latent+ddim is toy-latent itself")
    assert model_notes.notes(pool, "toy-latent+clip") == model_notes.notes(pool, "toy-latent") == []


@cache
def model(name: str) -> load.DiffusersPipeline:
    return load.load(SHIPPED.find(name), "cpu", "float32")


@pytest.mark.parametrize(
    "name", ["toy-latent+ancestral+zsnr", "toy-latent+steps=3+clip=2", "toy-glide+ddim+noclip", "toy-latent-zsnr"]
)
def test_what_is_loaded_has_the_scheduler_that_its_fingerprint_speaks_of(name):
    entry = SHIPPED.find(name)
    told = samplers.settled(entry, locate.locate_pipeline(entry.pipeline)).scheduler
    assert told is not None
    scheduler = model(name)._pipeline.scheduler
    assert type(scheduler).__name__ == told.name
    assert {key: scheduler.config[key] for key, _ in told.options} == dict(told.options)
    assert model(name).name == name
    assert model(name).fingerprint == fingerprint(name)


def test_a_derived_model_draws_as_the_same_pipeline_set_up_by_hand():
    made = model("toy-latent+steps=3+clip=2").generate(PAIRS)
    pipeline = model("toy-latent")._pipeline
    native = pipeline.scheduler
    pipeline.scheduler = diffusers.DDIMScheduler.from_config(native.config, clip_sample=True, clip_sample_range=2.0)
    try:
        images = pipeline(
            prompt=[pair.prompt for pair in PAIRS],
            generator=[rng.generator(pair, "z(4, 16, 16)") for pair in PAIRS],
            num_inference_steps=3,
            guidance_scale=2.0,
            output_type="pt",
        ).images
    finally:
        pipeline.scheduler = native
    assert torch.equal(made, images.clamp(0, 1))


def test_a_file_whose_configuration_is_not_there_is_settled_when_it_is_loaded(tmp_path):
    """Until then the fingerprint holds the changes as they were asked for."""
    (tmp_path / "m.safetensors").write_bytes(b"0")
    entry = Entry("m+clip", (str(tmp_path / "m.safetensors"),), sampling=Sampling(clip=True))
    assert samplers.settled(entry, locate.locate_pipeline(entry.pipeline)) == entry
    marks = [dataclasses.replace(entry, sampling=each) for each in (None, Sampling(clip=True), Sampling(clip=False))]
    assert len({fingerprints.of_model(each, "cpu", "float32") for each in marks}) == 3


def test_a_configuration_that_cannot_be_read_says_where(tmp_path):
    shutil.copytree(TOY.pipeline[0], tmp_path / "model")
    file = tmp_path / "model/scheduler/scheduler_config.json"
    file.write_text("{")
    entry = dataclasses.replace(TOY, pipeline=(str(tmp_path / "model"),), sampling=Sampling(clip=True))
    with pytest.raises(SeedshiftError, match=r"scheduler_config\.json: cannot be read"):
        SHIPPED.check_sampling(entry)


def test_a_change_that_does_not_fit_is_found_before_anything_is_loaded(tmp_path):
    shutil.copytree(TOY.pipeline[0], tmp_path / "model")
    file = tmp_path / "model/scheduler/scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": "epsilon"}))
    (tmp_path / "model/unet/diffusion_pytorch_model.safetensors").write_bytes(b"not to be read")
    entry = dataclasses.replace(TOY, pipeline=(str(tmp_path / "model"),), sampling=Sampling(zsnr=True))
    with pytest.raises(DerivationError, match="predicts the noise"):
        SHIPPED.check_sampling(entry)


def test_released_files_of_glide_are_known_to_be_sampled_by_glide_s_own_sampler(tmp_path):
    for name in ("base.pt", "upsample.pt", "vocab.bpe"):
        (tmp_path / name).write_bytes(b"never read")
    location = locate.locate_pipeline((str(tmp_path),))
    entry = dataclasses.replace(SHIPPED.find("glide"), pipeline=(str(tmp_path),))
    derived = dataclasses.replace(entry, sampling=Sampling(clip=False))
    assert samplers.settled(derived, location).scheduler == SHIPPED.find("glide-noclip").scheduler
    assert Path(location.path) == tmp_path
