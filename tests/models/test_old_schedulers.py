"""A scheduler that takes the place of one whose configuration is of 2022 goes on to say what that one said."""

from __future__ import annotations

import dataclasses
import json

import diffusers
import pytest

from helpers import families
from pytest_seedshift.models import catalogue, fingerprint, load, locate, samplers
from pytest_seedshift.models.base import Entry, Scheduler

OF_2022 = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.2.2",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "skip_prk_steps": True,
}
"""As Stable Diffusion 1.4 had it: nothing of clipping, of the offset of steps, of the last α."""
SAID = {"clip_sample": False, "steps_offset": 1, "set_alpha_to_one": False}
WANTED = {
    "DDIMScheduler": SAID,
    "DDIMParallelScheduler": SAID,
    "DDPMScheduler": {"clip_sample": False, "steps_offset": 1},
    "LCMScheduler": SAID | {"beta_start": 0.00085},
    "PNDMScheduler": {"steps_offset": 1, "set_alpha_to_one": False},
    "EulerDiscreteScheduler": {"steps_offset": 1},
    "DPMSolverMultistepScheduler": {"steps_offset": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("old") / "sd14"
    families.stable_diffusion().save_pretrained(place)
    return place


def entry_of(folder, name: str | None = None, config=OF_2022, **options) -> Entry:
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    index["scheduler"] = ["diffusers", config["_class_name"]]
    path.write_text(json.dumps(index))
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(config))
    scheduler = None if name is None else Scheduler(name, tuple(sorted(options.items())))
    return Entry("old", (str(folder),), scheduler=scheduler, steps=4, height=32, width=32, classes="toy16")


def loaded(entry: Entry):
    return load.load(entry, "cpu", "float32")._pipeline.scheduler


def said(scheduler, names) -> dict:
    return {name: scheduler.config[name] for name in names}


@pytest.mark.parametrize("name", WANTED)
def test_what_the_configuration_does_not_say_stays_as_it_was(folder, name):
    scheduler = loaded(entry_of(folder, name))
    assert type(scheduler).__name__ == name
    assert said(scheduler, WANTED[name]) == WANTED[name]


@pytest.mark.parametrize("change", ["+ddim", "+ancestral", "+ancestral+noclip", "+ddim+steps=3"])
@pytest.mark.parametrize("kind", ["PNDMScheduler", "DDIMScheduler"])
def test_derived_models_keep_it_too(folder, change, kind):
    base = entry_of(folder, config={**OF_2022, "_class_name": kind})
    derived = catalogue.Catalogue({"old": base}).find(f"old{change}")
    scheduler = loaded(derived)
    wanted = WANTED["DDPMScheduler" if "ancestral" in change else "DDIMScheduler"]
    if kind == "DDIMScheduler" and "ddim" in change:
        wanted = wanted | {"set_alpha_to_one": True}  # its own default, and the base's
    assert said(scheduler, wanted) == wanted


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_diffusers_alone_forgets_it(folder):
    """The reason for all of this: without what is kept, latents are clipped."""
    entry_of(folder)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    made = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config)
    assert said(made, SAID) == {"clip_sample": True, "steps_offset": 0, "set_alpha_to_one": True}
    assert samplers.kept(pipeline.scheduler, diffusers.DDIMScheduler) == SAID


def test_what_the_entry_says_counts(folder):
    scheduler = loaded(entry_of(folder, "DDIMScheduler", clip_sample=True, steps_offset=0))
    assert said(scheduler, SAID) == {"clip_sample": True, "steps_offset": 0, "set_alpha_to_one": False}


def test_the_key_says_that_it_is_kept_and_says_nothing_where_all_is_said(folder):
    old, full = entry_of(folder, "DDIMScheduler"), {**OF_2022, **SAID}
    location = locate.locate_pipeline(old.pipeline)
    assert samplers.unsaid(old, location) == ("clip_sample", "set_alpha_to_one", "steps_offset")
    assert samplers.unsaid(dataclasses.replace(old, scheduler=None), location) == ()
    new = entry_of(folder, "DDIMScheduler", config=full)
    assert samplers.unsaid(new, location) == ()
    scheduler = loaded(new)
    assert said(scheduler, SAID) == SAID
    assert samplers.kept(loaded(entry_of(folder, config=full)), diffusers.DDIMScheduler) == {}


@pytest.mark.parametrize("name", ["toy-latent", "toy-latent-zsnr", "toy-glide-ddim", "toy-latent+ancestral"])
def test_the_toys_say_all(name):
    entry = catalogue.shipped().find(name)
    location = locate.locate_pipeline(entry.pipeline)
    assert samplers.unsaid(samplers.settled(entry, location), location) == ()
    assert fingerprint.of_model(entry, "cpu", "float32")
