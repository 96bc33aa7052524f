"""Checkpoints of which weights are missing are refused, whatever library would fill them with random numbers."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.load import load
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore

ENTRY = catalogue.shipped().find("toy-latent")


def drop(file: Path, part: str) -> None:
    """Take one tensor out of a safetensors file."""
    tensors = load_file(file)
    name = next(name for name in tensors if part in name)
    del tensors[name]
    save_file(tensors, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("text_encoder/model.safetensors", "token_embedding"),
        ("unet/diffusion_pytorch_model.safetensors", "conv_out.bias"),
        ("vae/diffusion_pytorch_model.safetensors", "decoder.conv_in.weight"),
    ],
)
def test_a_pipeline_that_lacks_a_weight_is_refused(tmp_path, file, part):
    shutil.copytree(ENTRY.pipeline[0], tmp_path / "model")
    entry = dataclasses.replace(ENTRY, pipeline=(str(tmp_path / "model"),))
    assert load(entry, "cpu", "float32").name == "toy-latent"
    drop(tmp_path / "model" / file, part)
    with pytest.raises(SeedshiftError, match=part):
        load(entry, "cpu", "float32")


def test_a_classifier_that_lacks_a_weight_is_refused(tmp_path):
    shutil.copytree(ENTRY.classifier, tmp_path / "vit")
    drop(tmp_path / "vit/model.safetensors", "classifier.bias")
    with pytest.raises(SeedshiftError, match=r"classifier\.bias"):
        Classifier.load(str(tmp_path / "vit"), "cpu")


def test_a_clip_that_lacks_a_weight_is_refused(tmp_path):
    shutil.copytree(ENTRY.clip, tmp_path / "clip")
    drop(tmp_path / "clip/open_clip_model.safetensors", "text_projection")
    with pytest.raises((SeedshiftError, RuntimeError), match="text_projection"):
        ClipScore.load(str(tmp_path / "clip"), "cpu")


def logging_state() -> list[tuple[int, set[logging.Handler]]]:
    return [(logger.level, set(logger.handlers)) for logger in map(logging.getLogger, ("diffusers", "transformers"))]


def test_the_libraries_logging_is_as_it_was(capsys):
    before = logging_state()
    load(ENTRY, "cpu", "float32")
    assert logging_state() == before
    assert capsys.readouterr().err == ""
