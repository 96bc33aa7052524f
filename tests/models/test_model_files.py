"""What a model is loaded from, and how much room its weights take on disk and in memory."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pytest_seedshift.models import catalogue, memory, model_files

TOYS = catalogue.shipped()
TOY = TOYS.find("toy-latent")
FOLDER = Path(TOY.pipeline[0])


def of_disk(*folders: Path) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.safetensors"))


def test_of_a_folder_it_is_its_weights_without_what_lies_beside_them(tmp_path):
    assert model_files.size(TOY) == of_disk(FOLDER)
    shutil.copytree(FOLDER, tmp_path / "m")
    (tmp_path / "m" / "README.md").write_text("x" * 100_000)
    entry = dataclasses.replace(TOY, pipeline=(str(tmp_path / "m"),))
    assert model_files.size(entry) == of_disk(FOLDER)


def test_of_variants_the_one_counts_that_is_loaded(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    file = tmp_path / "m/unet/diffusion_pytorch_model.safetensors"
    half = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(half, file.with_suffix(".fp16.safetensors"))
    entry = dataclasses.replace(TOY, pipeline=(str(tmp_path / "m"),))
    assert model_files.size(entry) == of_disk(FOLDER)
    smaller = model_files.size(dataclasses.replace(entry, variant="fp16"))
    assert smaller == of_disk(FOLDER) - file.stat().st_size + file.with_suffix(".fp16.safetensors").stat().st_size


def test_a_part_takes_the_place_of_the_pipeline_s_and_an_adapter_comes_on_top(tmp_path):
    zsnr = TOYS.find("toy-latent-zsnr")
    (unet,) = (Path(part) for _, part in zsnr.parts)
    assert model_files.size(zsnr) == of_disk(FOLDER) - of_disk(FOLDER / "unet") + of_disk(unet)
    adapter = tmp_path / "style.safetensors"
    save_file({"unet.a.lora_A.weight": torch.zeros(4, 8), "unet.a.lora_B.weight": torch.zeros(8, 4)}, adapter)
    name = f"toy-latent+lora={adapter}"
    assert model_files.size(TOYS.find(name)) == of_disk(FOLDER) + adapter.stat().st_size
    assert ("adapter 1", tmp_path, [(adapter.name, adapter)]) in list(model_files.of_model(TOYS.find(name)))


def test_models_of_the_user_s_own_have_no_files_that_are_known():
    entry = dataclasses.replace(TOY, own=object())
    assert model_files.size(entry) is None
    assert not list(model_files.of_model(entry))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.count = nn.Linear(10, 10), nn.Buffer(torch.zeros(3, dtype=torch.int64))
        self.two = self.one


def test_in_memory_each_weight_counts_once_and_buffers_too():
    shared = Twice()
    assert memory.loaded([shared, shared.one]) == 4 * 110 + 24


@pytest.mark.parametrize("config", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"])
def test_what_is_quantised_counts_as_it_lies_in_memory(config):
    torchao = pytest.importorskip("torchao")
    from torchao import quantization

    del torchao
    model = nn.Sequential(nn.Linear(256, 256, bias=False))
    assert memory.loaded([model]) == 4 * 256 * 256
    quantization.quantize_(model, getattr(quantization, config)())
    assert 256 * 256 <= memory.loaded([model]) <= 256 * 256 * 1.1
