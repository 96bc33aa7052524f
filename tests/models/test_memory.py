"""What the headers of a model's files say of its memory is what its weights take, and is held against the device."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers import families
from pytest_seedshift.models import catalogue, load, locate, memory
from pytest_seedshift.models.base import Entry
from pytest_seedshift.runner import model_notes
from pytest_seedshift.runner.model_pool import ModelPool

TOY = catalogue.shipped().find("toy-latent")
FOLDER = Path(TOY.pipeline[0])


def of_parts(entry: Entry, dtype: str) -> dict[str, int]:
    return memory.of_parts(locate.locate_pipeline(entry.pipeline), entry, dtype)


def loaded(entry: Entry, dtype: str) -> dict[str, int]:
    """Of parameters alone: buffers, which are none of the file's, are a few numbers."""
    pipeline = load.load(entry, "cpu", dtype)._pipeline
    return {
        name: sum(each.nbytes for each in part.parameters())
        for name, part in pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("family", [None, "pixart", "flux"])
def test_it_is_what_the_loaded_weights_take(tmp_path, family, dtype):
    """PixArt's T5 keeps some in float32 in float16; the toy's parts have nothing of the kind."""
    entry = TOY
    if family is not None:
        getattr(families, family)().save_pretrained(tmp_path / family)
        entry = Entry(family, (str(tmp_path / family),))
    found, wanted = of_parts(entry, dtype), loaded(entry, dtype)
    assert set(found) == set(wanted)
    for part, size in wanted.items():
        assert found[part] == pytest.approx(size, rel=0.01), part


def test_a_variant_beside_counts_once_and_a_replaced_part_in_place_of_the_pipeline_s(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    before = of_parts(TOY, "float16")
    file = tmp_path / "m/unet/diffusion_pytorch_model.safetensors"
    half = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(half, file.with_suffix(".fp16.safetensors"))
    entry = dataclasses.replace(TOY, pipeline=(str(tmp_path / "m"),))
    assert of_parts(entry, "float16") == before
    save_file(load_file(file) | {"more": torch.zeros(1000)}, file)
    assert of_parts(entry, "float32")["unet"] == of_parts(TOY, "float32")["unet"] + 4000
    replaced = dataclasses.replace(entry, parts=(("unet", str(FOLDER / "unet")),))
    assert of_parts(replaced, "float16") == before


def test_what_is_quantised_or_not_loaded_is_counted_as_it_is(tmp_path):
    tensors = {"a": torch.zeros(8), "b": torch.zeros(8, dtype=torch.int8), "model_ema.a": torch.zeros(8)}
    save_file(tensors, tmp_path / "m.safetensors")
    entry = dataclasses.replace(TOY, pipeline=(str(tmp_path / "m.safetensors"),))
    assert of_parts(entry, "float16") == {"m.safetensors": 8 * 2 + 8}


@pytest.fixture
def room(monkeypatch):
    def set_to(size: float | None) -> None:
        monkeypatch.setattr(memory, "free", lambda _: size)

    return set_to


def test_a_device_with_too_little_is_named_before_anything_is_loaded(tmp_path, room):
    location, sizes = locate.locate_pipeline(TOY.pipeline), of_parts(TOY, "float32")
    needed, largest = sum(sizes.values()), max(sizes.values())

    def said(device: str) -> str | None:
        return memory.note(location, TOY, device, "float32")

    for enough in (needed, None):
        room(enough)
        assert said("cpu") is said("cuda:0") is None
    room(needed - 1)
    assert "the system may swap" in str(said("cpu"))
    assert "take turns" in str(said("cuda:0"))
    room(largest - 1)
    part = max(sizes, key=lambda name: sizes[name])
    assert f"{part} alone takes" in str(said("cuda:0"))
    (note,) = model_notes.notes(ModelPool("cpu", "float32"), "toy-latent")
    assert note == said("cpu")


def test_an_entry_s_figure_is_used_before_its_weights_are_there(room):
    entry = catalogue.shipped().find("sd35-medium")
    assert entry.memory == 15.2
    room(16 * memory.GIB)
    assert memory.foretold(entry, "cuda:0") is None
    assert "takes about 30 GiB, and cpu has room for 16.0" in str(memory.foretold(entry, "cpu"))
    assert memory.foretold(dataclasses.replace(entry, memory=None), "cpu") is None


def test_the_machine_s_own_memory_is_asked():
    assert 0 < memory.free("cpu") <= psutil.virtual_memory().total
    assert memory.free("privateuseone:0") is None
