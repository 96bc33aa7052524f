"""Reading GLIDE's released files: what is refused, and in what words."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers import golden
from helpers.families import glide
from pytest_seedshift.core.checkpoints import places
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models import load, locate
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.glide import convert, released
from pytest_seedshift.models.glide.architecture import BASE, UPSAMPLER, text_moves, unet_moves

PUBLISHED = "https://openaipublic.blob.core.windows.net/diffusion/dec-2021/base.pt"


class Trap:
    """Runs a command when it is unpickled by a loader that runs code."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def small(tmp_path) -> Path:
    """A file of weights by name, as torch saves it."""
    torch.save({"weight": torch.ones(100_000)}, tmp_path / "base.pt")
    return tmp_path / "base.pt"


def refused(action: Any, *arguments: Any) -> str:
    with pytest.raises(SeedshiftError, match=r".") as caught:
        action(*arguments)
    return str(caught.value)


# Files ------------------------------------------------------------------------------------------------------------


def test_weights_are_read_as_they_are(small):
    assert torch.equal(convert.read_checkpoint(small)["weight"], torch.ones(100_000))
    torch.save({"weight": torch.ones(3)}, small, _use_new_zipfile_serialization=False)
    assert torch.equal(convert.read_checkpoint(small)["weight"], torch.ones(3))


@pytest.mark.parametrize("way", ["zip", "legacy", "plain"])
def test_a_pickle_with_code_in_it_is_refused_and_the_code_not_run(tmp_path, way):
    file, mark = tmp_path / "base.pt", tmp_path / "ran"
    content = {"weight": torch.ones(3), "trap": Trap(mark)}
    if way == "plain":
        file.write_bytes(pickle.dumps(Trap(mark)))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=way == "zip")
    message = refused(convert.read_checkpoint, file)
    assert f"{file} is not weights alone; whatever else is in it could run any code, so it is never loaded" in message
    assert PUBLISHED in message
    assert "weights_only" not in message  # torch's own advice is to load it all the same
    assert not mark.exists()
    torch.load(file, weights_only=False) if way != "plain" else pickle.loads(file.read_bytes())
    assert mark.exists()  # the trap works


@pytest.mark.parametrize("left", [4, 100, 200_000, -1])
def test_a_file_that_is_cut_short_is_refused(small, left):
    small.write_bytes(small.read_bytes()[:left])
    message = refused(convert.read_checkpoint, small)
    assert f"{small} is cut short ({small.stat().st_size:,} bytes are there): get it again" in message
    assert PUBLISHED in message


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>not found</html>", b"\x80\x02}q\x00."])
def test_a_file_that_is_none_of_weights_is_refused(small, content):
    small.write_bytes(content)
    message = refused(convert.read_checkpoint, small)
    assert str(small) in message
    assert PUBLISHED in message


@pytest.mark.parametrize(
    ("content", "words"),
    [([torch.ones(3)], "holds other things than weights by name"), ({"a": 3}, "other things than weights by name")],
)
def test_a_file_of_other_things_is_refused(small, content, words):
    torch.save(content, small)
    assert words in refused(convert.read_checkpoint, small)


def test_a_file_that_is_not_there_says_where_it_is_published(tmp_path):
    message = refused(convert.read_checkpoint, tmp_path / "base.pt")
    assert f"{tmp_path / 'base.pt'} is not there: OpenAI publishes GLIDE's weights as {PUBLISHED}" in message


# Stages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "tensors", "parameters"), [(BASE, 783, 385_030_726), (UPSAMPLER, 797, 398_361_286)])
def test_the_real_sizes_have_as_many_weights_as_were_released(size, tensors, parameters):
    with torch.device("meta"):
        text, unet = convert.GlideTextEncoder(**size.text()), convert.UNet2DConditionModel(**size.unet())
    names = [name for module in (text, unet) for name in module.state_dict()]
    assert sum(weight.numel() for module in (text, unet) for weight in module.parameters()) == parameters
    moves = [move for move in (*text_moves(size), *unet_moves(size)) if set(move.ours) <= set(names)]
    assert len(moves) == tensors
    assert sorted(name for move in moves for name in move.ours) == sorted(names)


def changed(part: str, **changes: Any) -> dict[str, Any]:
    """The weights of a small model, some changed; None takes one away."""
    weights = {**golden.weights(part), **{name.replace("__", "."): value for name, value in changes.items()}}
    return {name: tensor for name, tensor in weights.items() if tensor is not None}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (lambda: {"model.diffusion_model.out.2.bias": torch.ones(4)}, "it has no token_embedding.weight"),
        (lambda: changed("base", out__2__bias=None), "it has no out.2.bias"),
        (lambda: changed("base", middle_block__1__qkv__weight=None), "it has no middle_block.1.qkv.weight"),
        (lambda: changed("base", label_emb__weight=torch.ones(3)), "it has label_emb.weight, which that one has not"),
        (lambda: changed("base", out__2__bias=torch.ones(3)), "out.2.bias is of shape (3,), which does not fit"),
        (
            lambda: changed("base", middle_block__1__qkv__bias=torch.ones(191)),
            "middle_block.1.qkv.bias is of shape (191,), which does not fit",
        ),
        (lambda: golden.weights("up"), "it looks like GLIDE's upsampler"),
        (
            lambda: changed("base", input_blocks__0__0__weight=torch.ones(32, 7, 3, 3)),
            "it looks like GLIDE's base for inpainting",
        ),
    ],
)
def test_weights_of_another_model_are_refused(state, words):
    message = refused(convert.stage, state(), golden.architecture("base"), "my.pt")
    assert message.startswith(f"my.pt is not a checkpoint of GLIDE's base: {words}. OpenAI publishes")


def test_the_base_in_the_upsampler_s_place_is_refused():
    message = refused(convert.stage, golden.weights("base"), golden.architecture("up"), "my.pt")
    assert "my.pt is not a checkpoint of GLIDE's upsampler: it looks like GLIDE's base." in message


def test_a_res_block_s_surplus_weight_is_refused():
    state = changed("base", input_blocks__1__0__skip_connection__weight=torch.ones(32, 32, 1, 1))
    assert "it has input_blocks.1.0.skip_connection.weight" in refused(
        convert.stage, state, golden.architecture("base"), "my.pt"
    )


# The command ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_says_what_is_wrong_and_leaves_nothing_behind(small, warm_python):
    folder = small.parent
    shutil.copy(small, folder / "upsample.pt")
    shutil.copy(golden.VOCABULARY, folder)
    names = ("base.pt", "upsample.pt", golden.VOCABULARY.name, "out/made")
    command = [warm_python, "-m", "pytest_seedshift.models.glide.convert", *(str(folder / name) for name in names)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 4
    assert result.stdout == ""
    assert result.stderr.startswith(
        f"error: {small} is not a checkpoint of GLIDE's base: it has no token_embedding.weight"
    )
    assert "Traceback" not in result.stderr
    assert list((folder / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vocab.bpe", "vocab.bpe is not there: the vocabulary is GPT-2's vocab.bpe"),
        ("short.bpe", "short.bpe has 1 merges, 50000 are wanted: the vocabulary is GPT-2's vocab.bpe"),
        ("clip.bpe", "line 2, 'e r</w>', is not a merge of two symbols that are known there: give GPT-2's vocab.bpe"),
    ],
)
def test_a_vocabulary_that_is_missing_or_another_one_is_refused(small, name, words, capsys):
    (small.parent / "short.bpe").write_text("#version: 0.2\nt h\n")
    (small.parent / "clip.bpe").write_text("#version: 0.2\ne r</w>\n")
    out = small.parent / "made"
    assert convert.main([str(small), str(small), str(small.parent / name), str(out)]) == 4
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_the_command_never_writes_into_a_folder_that_exists(small, capsys):
    assert convert.main([str(small), str(small), str(golden.VOCABULARY), str(small.parent)]) == 4
    assert capsys.readouterr().err == f"error: {small.parent} exists: give a folder that does not\n"


# As a source of weights -------------------------------------------------------------------------------------------


@pytest.fixture
def files(small) -> Path:
    """A folder as OpenAI's own code leaves it, with a vocabulary laid beside the weights."""
    shutil.copy(small, small.parent / "upsample.pt")
    shutil.copy(golden.VOCABULARY, small.parent)
    return small.parent


def test_a_folder_of_released_files_is_found(files):
    location = locate.locate_pipeline(("nowhere", str(files)))
    assert location.released == released.Files(files / "base.pt", files / "upsample.pt", files / "vocab.bpe")
    assert location.parts == {}
    locate.probe_pipeline((str(files),))


def test_released_files_are_in_a_model_s_fingerprint_and_what_lies_beside_them_is_not(files):
    entry = Entry("mine", (str(files),))

    def fingerprint() -> str:
        return fingerprints.of_model(entry, "cpu", "float32")

    first = fingerprint()
    (files / "clip_image_enc.pt").write_bytes(b"another")
    assert fingerprint() == first
    found = {first}
    for name in ("base.pt", "upsample.pt", "vocab.bpe"):
        data = (files / name).read_bytes()
        (files / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        found.add(fingerprint())
    assert len(found) == 4


def test_released_files_of_another_model_are_refused_when_they_are_loaded(files):
    message = refused(load.load, Entry("mine", (str(files),)), "cpu", "float32")
    assert f"{files / 'base.pt'} is not a checkpoint of GLIDE's base" in message


def test_released_files_without_a_vocabulary_say_what_is_missing(files):
    (files / "vocab.bpe").unlink()
    message = refused(locate.probe_pipeline, (str(files),))
    assert message.startswith(f"{files} has base.pt and upsample.pt, but no vocab.bpe: lay it there; the vocabulary is")
    assert "glide_text2im/tokenizer/vocab.bpe.gz" in message


def test_one_stage_alone_is_not_enough(files):
    (files / "upsample.pt").unlink()
    with pytest.raises(places.WeightsNotFoundError, match=r"base\.pt is in it, but no upsample\.pt"):
        locate.probe_pipeline((str(files),))


def test_a_pipeline_of_safetensors_goes_before_released_files(files):
    glide().save_pretrained(files)
    assert locate.locate_pipeline((str(files),)).released is None
