"""Entries held against pipelines of all families by their files alone: no weights are read."""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.families import FAMILIES
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, file_checks, fit, locate, pipeline_class, samplers
from pytest_seedshift.models.base import Entry, Scheduler

if TYPE_CHECKING:
    from pytest_seedshift.models.location import Location

TOY = Path(str(files("pytest_seedshift") / "models/toys/toy-latent"))
DAILY = ("stable-diffusion-1", "stable-diffusion-3", "flux", "pixart-alpha")
OWN_KEYS = {"num_inference_steps": "steps", "guidance_scale": "guidance", "height": "height", "width": "width"}

WITHOUT_STANDING_IN = ("qwen-image-2.1",)
"""Of which no pipeline can be made of configurations alone."""

SET_BY_HAND = ("kandinsky-2.2", "kandinsky-5")
"""Of which the small pipelines make sizes that those of the real size do not."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def built(tmp_path):
    def build(name: str) -> tuple[Entry, Location]:
        """An entry with the sizes and arguments that a small pipeline of a family is called with."""
        FAMILIES[name].build().save_pretrained(tmp_path)
        given = FAMILIES[name].arguments
        own = {OWN_KEYS[key]: value for key, value in given.items() if key in OWN_KEYS}
        call = tuple((key, value) for key, value in given.items() if key not in OWN_KEYS)
        return Entry(name, (str(tmp_path),), call=call, **own), locate.locate_pipeline((str(tmp_path),))

    return build


@pytest.mark.parametrize(
    "name", [name if name in DAILY else pytest.param(name, marks=pytest.mark.nightly) for name in FAMILIES]
)
def test_every_family_is_checked_without_its_weights(built, name):
    entry, location = built(name)
    for path in location.path.rglob("*.safetensors"):
        path.unlink()  # who reads them fails
    kind = fit.kind_of(location)
    stands_in = fit.weightless(kind, location)
    assert (stands_in is None) == (name in WITHOUT_STANDING_IN)
    if name not in SET_BY_HAND:
        fit.check(entry, location)  # what the family is tested with
    odd = dataclasses.replace(entry, height=(entry.height or 64) + 1, width=entry.width or 64)
    if stands_in is not None:
        with pytest.raises(SeedshiftError, match=r"height|takes no"):
            fit.check(odd, location)
    with pytest.raises(pipeline_class.LoadError, match=r"unknown argument of .*'promtp'"):
        fit.check(dataclasses.replace(entry, call=(*entry.call, ("promtp", 1))), location)


def at(**changes: object) -> Entry:
    return dataclasses.replace(catalogue.shipped().find("toy-latent"), name="mine", **changes)


LOCATION = locate.locate_pipeline((str(TOY),))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scheduler": Scheduler("EulerAncestralDiscreteScheduler", (("timestep_spacing", "trailing"),))},
        {"scheduler": Scheduler("LCMScheduler")},
        {"scheduler": Scheduler("UniPCMultistepScheduler", (("solver_order", 3),))},
        {"call": (("eta", 1),)},
        {"call": (("eta", 0.5), ("guidance_rescale", 0.7))},
        {"call": (("negative_prompt", "grey"),)},
        {"call": (("timesteps", [900, 500, 100]),)},
        {"height": 64, "width": 48},
        {"height": 8},
        {"guidance": 7.5},
    ],
)
def test_what_fits_is_let_through(changes):
    fit.check(at(**changes), LOCATION)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scheduler": Scheduler("FlowMatchHeunDiscreteScheduler")}, "cannot take the place of DDIMScheduler"),
        ({"scheduler": Scheduler("UnCLIPScheduler")}, "These fit: DDIMScheduler"),
        (
            {"scheduler": Scheduler("DDIMScheduler", (("timestep_spacing", 5), ("spacing", 1)))},
            "unknown option .*'spacing'",
        ),
        ({"call": (("negative_prompt", 5),)}, r"negative_prompt = 5: StableDiffusionPipeline takes str"),
        ({"call": (("negative_prompt", ["a", "b"]),)}, "give one text"),
        ({"call": (("eta", "1"),)}, "eta = '1': StableDiffusionPipeline takes float"),
        ({"call": (("eta", True),)}, "takes float"),
        ({"call": (("guidance_rescale", {"of": 1}),)}, "takes float"),
        ({"call": (("clip_skip", 1.5),)}, "takes int"),
        ({"call": (("ip_adapter_image", "dog.png"),)}, "ip_adapter_image = 'dog.png'"),
        ({"height": 12}, "height = 12: .* divisible by 8"),
        ({"width": 1001}, "width = 1001: .* divisible by 8"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(changes, says):
    with pytest.raises(SeedshiftError, match=says) as caught:
        fit.check(at(**changes), LOCATION)
    assert "mine" in str(caught.value)


@pytest.mark.parametrize(
    ("own", "wanted", "options", "fits"),
    [
        ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", (), True),
        ("FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler", (("use_flow_sigmas", True),), True),
        ("FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler", (), False),
        ("FlowMatchEulerDiscreteScheduler", "DDIMScheduler", (), False),
        ("EulerDiscreteScheduler", "DPMSolverMultistepScheduler", (), True),
        ("EulerDiscreteScheduler", "TCDScheduler", (), True),
        ("GlideDDPMScheduler", "GlideDDIMScheduler", (), True),
        ("GlideDDPMScheduler", "FlowMatchEulerDiscreteScheduler", (), False),
    ],
)
def test_which_schedulers_can_take_each_others_place(own, wanted, options, fits):
    entry = at(scheduler=Scheduler(wanted, options))
    config = {
        name: value
        for name, value in samplers.takes(samplers.find(own)).items()
        if isinstance(value, (str, int, float))
    }
    if fits:
        samplers.check_replacement(entry, own, config)
    else:
        with pytest.raises(SeedshiftError, match=r"the scheduler of mine: .* cannot take the place of"):
            samplers.check_replacement(entry, own, config)


# What the files themselves say -------------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path):
    return Path(shutil.copytree(TOY, tmp_path / "mine"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def no_header(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**15) + path.read_bytes()[8:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def header_of(content: object):
    def write(path: Path) -> None:
        text = json.dumps(content).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text)

    return write


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (cut, "cut short: 100 bytes are missing"),
        (no_header, "not a safetensors file"),
        (huge_header, "not a safetensors file, or is cut short"),
        (empty, "not a safetensors file"),
        (header_of([]), "not a safetensors file"),
        (header_of({"weight": {"data_offsets": "none"}}), "not a safetensors file"),
        (header_of({"weight": {"data_offsets": [0, float("inf")]}}), "not a safetensors file"),
        (header_of({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}), "4 bytes are missing"),
    ],
)
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_weights_that_are_not_whole_are_told_with_their_file(copied, part, damage, says):
    path = next((copied / part).glob("*.safetensors"))
    damage(path)
    entry = at(pipeline=(str(copied),))
    with pytest.raises(SeedshiftError, match=says) as caught:
        file_checks.check(entry, locate.locate_pipeline(entry.pipeline))
    assert str(path) in str(caught.value)


def test_weights_that_are_whole_are_let_through(copied):
    entry = at(pipeline=(str(copied),))
    file_checks.check(entry, locate.locate_pipeline(entry.pipeline))


@pytest.mark.parametrize(("steps", "fits"), [(1, True), (1000, True), (1001, False), (10**6, False)])
def test_a_schedule_of_betas_has_no_more_steps_than_were_trained(copied, steps, fits):
    entry = at(pipeline=(str(copied),), steps=steps)
    location = locate.locate_pipeline(entry.pipeline)
    if fits:
        file_checks.check_steps(entry, location)
        return
    with pytest.raises(SeedshiftError, match=f"steps = {steps}: the model was trained with 1000 steps"):
        file_checks.check_steps(entry, location)


def test_a_flow_has_as_many_steps_as_are_wanted(copied):
    (copied / "scheduler/scheduler_config.json").write_text('{"num_train_timesteps": 1000, "shift": 3.0}')
    entry = at(pipeline=(str(copied),), steps=2000)
    file_checks.check_steps(entry, locate.locate_pipeline(entry.pipeline))
