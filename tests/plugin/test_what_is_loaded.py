"""Models as people have saved them: used and named, or refused in one error before anything is generated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from helpers.runs import EASY, PAGELESS
from pytest_seedshift.models import catalogue

TOY = catalogue.shipped().find("toy-latent")
OURS = ("--seedshift-model=./mine", *PAGELESS[1:])
PART = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
ENTRY = '[models."./mine"]\nclasses = "toy16"\nscorers = "toy"\nsteps = 2\n'


@pytest.fixture
def mine(pytester, run) -> Path:  # which lays thresholds of its own first
    pytester.path.joinpath("thresholds.toml").write_text(ENTRY + EASY)
    return Path(shutil.copytree(TOY.pipeline[0], pytester.path / "mine"))


def test_a_folder_with_fp16_files_alone_is_run_and_its_variant_named(mine, run):
    for path in mine.glob("*/*.safetensors"):
        path.rename(path.with_name(f"{path.stem}.fp16.safetensors"))
    result = run(*OURS, "--seedshift-plan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*the weights of ./mine are of the variant fp16 (*unet*): there are no others*"])


@pytest.mark.nightly
def test_so_it_is_run(mine, run):
    for path in mine.glob("*/*.safetensors"):
        path.rename(path.with_name(f"{path.stem}.fp16.safetensors"))
    run(*OURS).assert_outcomes(passed=2)


@pytest.mark.nightly
def test_what_is_laid_beside_a_model_has_no_picture_made_again(mine, run):
    run(*OURS).stdout.fnmatch_lines(["*32 generated*"])
    (mine / "README.md").write_text("---\nlicense: mit\n---\nA model.\n")
    (mine / "checkpoint-10").mkdir()
    (mine / "checkpoint-10" / "optimizer.pt").write_text("x")
    (mine / "unet" / "sample.png").write_text("x")
    run(*OURS).stdout.fnmatch_lines(["* 0 generated*"])


def adapter(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    save_file({f"{PART}.lora_A.weight": torch.zeros(4, 32), f"{PART}.lora_B.weight": torch.zeros(32, 4)}, path)


def adapter_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    adapter(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4}))


def modular(folder: Path) -> None:
    (folder / "model_index.json").rename(folder / "modular_model_index.json")


def two_variants(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    for variant in ("fp16", "bf16"):
        shutil.copy(path, path.with_name(f"{path.stem}.{variant}.safetensors"))
    path.unlink()


def pointer(folder: Path) -> None:
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")


def lora_beside(folder: Path) -> None:
    adapter(folder / "pytorch_lora_weights.safetensors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (adapter_folder, "is a LoRA or another adapter (adapter_config.json), and no model*merge*"),
        (lora_beside, "pytorch_lora_weights.safetensors: is the file of a LoRA or another adapter, beside a pipeline*"),
        (modular, "is a modular pipeline of diffusers (modular_model_index.json), which is not read*"),
        (two_variants, "unet: it has no *, but several variants (bf16, fp16): choose one by the key variant*"),
        (pointer, "vae/diffusion_pytorch_model.safetensors is not a safetensors file, but a pointer of git-lfs*pull*"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_cannot_be_loaded_is_one_error_before_the_work(
    mine, pytester, run, change: Callable[[Path], Any], says: str
):
    change(mine)
    result = run(*OURS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (error,) = [line for line in result.errlines if line.startswith("ERROR")]
    assert not [line for line in result.outlines if "cannot be judged" in line]
    result.stderr.fnmatch_lines([f"ERROR: *{says.replace('[', '[[]')}"])
    assert "Traceback" not in error


@pytest.mark.nightly
def test_a_variant_is_chosen_by_its_key(mine, pytester, run):
    two_variants(mine)
    pytester.path.joinpath("thresholds.toml").write_text(f'{ENTRY}variant = "fp16"\n{EASY}')
    result = run(*OURS)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*the weights of ./mine are of the variant fp16 (unet), as its entry says*"])


def test_a_lora_file_is_refused_as_such(mine, pytester, run):
    adapter(pytester.path / "style.safetensors")
    pytester.path.joinpath("thresholds.toml").write_text(ENTRY.replace("./mine", "./style.safetensors") + EASY)
    result = run("--seedshift-model=./style.safetensors", *PAGELESS[1:])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *style.safetensors holds the weights of a LoRA or another adapter*"])
