"""A model over two GPUs, which are pretended: its pictures are those of one device, or it is said why it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from helpers.families import EACH, FAMILIES
from helpers.pretended_device import PretendedDevices
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import load
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.pipeline_class import LoadError
from pytest_seedshift.runner.generate import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_seedshift.models.pipeline import DiffusersPipeline

DESIGN = pairs.design(pairs.class_list("toy16"), 64)[:4]
CASE = Case("small", "mean", 0.3)
LEVEL = 1.01 / 255
REFUSED = {"kandinsky-2.2", "wuerstchen", "stable-cascade", "stable-unclip"}
"""Those whose parts lie in several folders, or are no modules by all of torch's rules."""

FIXED = {"kandinsky-5"}
"""Of one size, which is too large here."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.* is deprecated:FutureWarning"),
]


def saved(name: str, folder: Path, **more: object) -> Entry:
    """A small pipeline as a folder."""
    family = FAMILIES[name]
    family.build().save_pretrained(folder)
    steps = None if "num_inference_steps" in family.call else 2
    return Entry("small", (str(folder),), classes="toy16", steps=steps, call=tuple(family.call.items()), **more)


def images_of(model: DiffusersPipeline) -> torch.Tensor:
    return torch.cat([each.cpu() for each in Engine(model, (), 2, overlap=False).images(CASE, DESIGN)])


def check(entry: Entry) -> list[int]:
    """How many bytes were used at most on each of two GPUs."""
    expected = images_of(load.load(entry, "cpu", "float32"))
    with PretendedDevices(2) as gpus:
        found = images_of(load.load(entry, "cuda", "float32", spread=True))
    assert (found - expected).abs().max() < LEVEL
    return list(gpus.peaks)


def test_two_text_encoders_on_two_gpus_and_a_part_of_elsewhere_give_the_pictures_of_one_device(tmp_path):
    other = FAMILIES["stable-diffusion-xl"].build().vae
    with torch.no_grad():
        other.decoder.conv_out.bias += 0.2
    other.save_pretrained(tmp_path / "vae")
    entry = saved("stable-diffusion-xl", tmp_path / "model", parts=(("vae", str(tmp_path / "vae")),))
    assert min(check(entry)) > 10**6  # both hold something
    with PretendedDevices(2):
        parts = load.load(entry, "cuda", "float32", spread=True)._pipeline.components
    places = {name: {each.device.index for each in parts[name].parameters()} for name in ("text_encoder", "vae")}
    assert all(len(found) == 1 for found in places.values())
    second = {each.device.index for each in parts["text_encoder_2"].parameters()}
    assert second != places["text_encoder"]  # which is what goes wrong where nothing is brought together


@pytest.mark.nightly
@pytest.mark.parametrize("name", [each for each in EACH if getattr(each, "values", [each])[0] not in REFUSED | FIXED])
def test_a_family_draws_the_same_pictures_over_two_gpus(name, tmp_path):
    check(saved(name, tmp_path))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.nightly) for name in sorted(REFUSED)])
def test_a_family_that_cannot_be_spread_says_so(name, tmp_path):
    entry = saved(name, tmp_path)
    said = r"cannot be spread over several GPUs by diffusers .*; without --seedshift-gpus-per-model it is loaded on one"
    with PretendedDevices(2), pytest.raises(LoadError, match=said):
        load.load(entry, "cuda", "float32", spread=True)


def test_a_single_file_cannot_be_spread(tmp_path):
    from safetensors.torch import save_file

    save_file(
        {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(320, 4, 3, 3)}, tmp_path / "one.safetensors"
    )
    entry = Entry("small", (str(tmp_path / "one.safetensors"),), classes="toy16")
    with pytest.raises(LoadError, match=r"one\.safetensors cannot be spread over several GPUs: only the folder"):
        load.load(entry, "cuda", "float32", spread=True)
