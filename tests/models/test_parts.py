"""Parts of other folders in place of a pipeline's own, as toy-latent-zsnr has its UNet."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from pytest_seedshift.core.checkpoints import places
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, load
from pytest_seedshift.models import fingerprint as fingerprints

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

SHIPPED = catalogue.shipped()
TOY, OTHER = SHIPPED.find("toy-latent"), SHIPPED.find("toy-latent-zsnr")
UNET = Path(dict(OTHER.parts)["unet"])


def with_parts(**parts: Path | str) -> Entry:
    return dataclasses.replace(TOY, name="mine", parts=tuple((name, str(folder)) for name, folder in parts.items()))


def refused(**parts: Path | str) -> str:
    with pytest.raises(SeedshiftError) as caught:
        load.load(with_parts(**parts), "cpu", "float32")
    return str(caught.value)


def test_a_part_takes_the_place_of_the_pipeline_s_own():
    pipeline = load.load(with_parts(unet=UNET), "cpu", "float32")._pipeline
    own = load.load(TOY, "cpu", "float32")._pipeline
    stored = load_file(UNET / "diffusion_pytorch_model.safetensors")["conv_in.weight"]
    assert torch.equal(pipeline.unet.conv_in.weight, stored.float())
    assert not torch.equal(pipeline.unet.conv_in.weight, own.unet.conv_in.weight)
    assert torch.equal(pipeline.vae.quant_conv.weight, own.vae.quant_conv.weight)
    assert pipeline.unet.dtype == torch.float32
    assert not pipeline.unet.training


def test_a_part_of_transformers_can_be_given_too():
    text = load.load(with_parts(text_encoder=Path(TOY.pipeline[0]) / "text_encoder"), "cpu", "bfloat16")._pipeline
    assert text.text_encoder.dtype == torch.bfloat16


def test_what_a_part_holds_and_not_where_it_lies_is_in_the_fingerprint(tmp_path):
    def fingerprint(entry: Entry) -> str:
        return fingerprints.of_model(entry, "cpu", "float32")

    copy = shutil.copytree(UNET, tmp_path / "copy")
    assert fingerprint(with_parts(unet=copy)) == fingerprint(with_parts(unet=UNET)) != fingerprint(TOY)
    file = copy / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    assert fingerprint(with_parts(unet=copy)) != fingerprint(with_parts(unet=UNET))


def test_the_toy_s_two_unets_are_shipped_and_its_other_parts_once():
    assert OTHER.pipeline == TOY.pipeline
    assert (OTHER.classifier, OTHER.clip, OTHER.steps) == (TOY.classifier, TOY.clip, TOY.steps)
    shipped = {each.name for each in (files("pytest_seedshift") / "models/toys/toy-latent-zsnr").iterdir()}
    assert shipped == {"unet"}
    SHIPPED.check_weights(OTHER)


# Mistakes ---------------------------------------------------------------------------------------------------------


def test_a_part_that_is_not_there_is_found_before_anything_is_loaded(tmp_path):
    for folder, problem in ((tmp_path / "none", "is no folder"), (tmp_path, "has no config.json")):
        with pytest.raises(places.WeightsNotFoundError, match=f"mine: parts: unet: .* {problem}: give the folder of"):
            SHIPPED.check_weights(with_parts(unet=folder))


def test_a_part_whose_weights_are_a_pickle_is_refused(tmp_path):
    shutil.copy(UNET / "config.json", tmp_path)
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"never read")
    assert (
        "diffusion_pytorch_model.bin: its weights are a pickle, which could run any code and is never loaded"
        in refused(unet=tmp_path)
    )


def test_a_part_that_the_pipeline_has_not():
    assert "mine: parts: unknown part of the pipeline 'umet'. Did you mean 'unet'?" in refused(umet=UNET)


def test_a_part_that_lacks_weights_is_refused(tmp_path):
    from safetensors.torch import save_file

    shutil.copytree(UNET, tmp_path / "unet")
    file = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    state = load_file(file)
    del state["conv_in.weight"]
    save_file(state, file)
    assert "lacks weights" in refused(unet=tmp_path / "unet")


def test_a_part_that_is_damaged_is_refused(tmp_path):
    shutil.copytree(UNET, tmp_path / "unet")
    file = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert refused(unet=tmp_path / "unet")


def test_an_entry_s_parts_are_relative_to_its_file(tmp_path):
    (tmp_path / "thresholds.toml").write_text('[models.mine]\npipeline = "a/b"\nparts = { unet = "tuned/unet" }\n')
    assert catalogue.load(tmp_path).find("mine").parts == (("unet", str(tmp_path / "tuned/unet")),)
    (tmp_path / "thresholds.toml").write_text('[models.mine]\npipeline = "a/b"\nparts = "tuned/unet"\n')
    with pytest.raises(SeedshiftError, match="parts = 'tuned/unet': give a table of folders by part"):
        catalogue.load(tmp_path)
