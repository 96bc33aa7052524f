"""The models that the table of changes of an engine has besides: noised weights, and an adapter of another style."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pytest_seedshift import class_list, design
from pytest_seedshift.models import catalogue, load
from tools.toys import noised, train_lora

TOY = catalogue.shipped().find("toy-latent")
UNET = Path(TOY.pipeline[0]) / "unet"
FILE = "diffusion_pytorch_model.safetensors"
PAIRS = design(class_list("toy16"), 16)[:2]


def images(entry):
    return load.load(entry, "cpu", "float32").generate(PAIRS)


def test_noise_is_that_share_of_each_tensor_and_another_seed_is_other_noise(tmp_path):
    for name, share, seed in (("a", 0.02, 1), ("b", 0.02, 1), ("c", 0.02, 2), ("none", 0.0, 1)):
        noised.write(UNET, tmp_path / name, share, seed)
    before, first, again, other, none = (
        load_file(folder / FILE) for folder in (UNET, *(tmp_path / name for name in ("a", "b", "c", "none")))
    )
    assert before.keys() == first.keys()
    shares = [
        float((first[name] - before[name]).std() / before[name].std())
        for name in before
        if before[name].numel() > 2000 and before[name].std() > 0
    ]
    assert len(shares) > 20
    assert all(share == pytest.approx(0.02, rel=0.1) for share in shares)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(torch.equal(before[name], none[name]) for name in before)
    assert noised.noised(torch.arange(5), 0.5, torch.Generator()).tolist() == [0, 1, 2, 3, 4]


def test_the_entry_is_the_model_with_its_part_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["noised", "--out", str(tmp_path / "n"), "--share", "0.02"])
    noised.main()
    found = catalogue.load(tmp_path / "n", None).find("noised")
    assert (found.classes, found.classifier, found.clip, found.steps) == (
        *(TOY.classes, TOY.classifier, TOY.clip),
        TOY.steps,
    )
    changed, before = images(found), images(TOY)
    assert not torch.equal(changed, before)
    assert float((changed - before).abs().mean()) < 0.2


def test_an_adapter_is_trained_and_is_a_change_by_name(tmp_path):
    four = torch.rand(16, 4, 4, 128, 128, generator=torch.Generator().manual_seed(1))
    sprites = train_lora.of_style(four, 2)
    assert all(torch.equal(sprites[:, style], four[:, 2]) for style in range(4))
    out = tmp_path / "lora" / "style.safetensors"
    settings = {"minutes": 5, "batch": 2, "rank": 2, "rate": 5e-3}
    found = train_lora.train(Path(TOY.pipeline[0]), sprites, out, steps=4, **settings)
    assert len(found) == 4
    changed = images(catalogue.shipped().find(f"toy-latent+lora={out}"))
    assert not torch.equal(changed, images(TOY))
    assert all("lora" in name for name in load_file(out))
