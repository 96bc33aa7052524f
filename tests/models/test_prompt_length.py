"""Prompts are read to their ends, or it is said before anything is loaded."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, prompt_length

TOY = catalogue.shipped().find("toy-latent")
GLIDE = catalogue.shipped().find("toy-glide")
LONG = "snail on a leaf " * 8


@pytest.fixture
def listed(tmp_path) -> Path:
    """A class list of one short label and a long one."""
    path = tmp_path / "listed.csv"
    path.write_text(f"label,index,aliases\nviolin,15,\n{LONG}end,0,snail\n")
    return path


def copied(entry, tmp_path: Path) -> Path:
    return Path(shutil.copytree(entry.pipeline[0], tmp_path / "mine"))


def refused(entry) -> str:
    with pytest.raises(SeedshiftError, match="the prompt") as caught:
        catalogue.shipped().check_prompts(entry)
    return str(caught.value)


@pytest.mark.parametrize("entry", [TOY, GLIDE], ids=lambda each: each.name)
def test_a_prompt_that_a_model_would_cut_is_refused_with_its_tokens(entry, listed):
    message = refused(dataclasses.replace(entry, classes=str(listed), clip=""))
    assert f"{entry.name}: the prompt 'A photo of a snail on a leaf " in message
    assert "tokenizer reads 16 of its " in message
    assert f"shorter name in the class list {listed}" in message


def test_so_is_one_that_clip_would_cut(listed):
    own = dataclasses.replace(TOY, classes=str(listed), own=lambda: None)
    assert "tokens, more than the 16 that CLIP" in refused(own)
    catalogue.shipped().check_prompts(dataclasses.replace(own, clip=""))


def test_what_fits_to_the_token_is_read(tmp_path):
    mine, path = copied(TOY, tmp_path), tmp_path / "c.csv"
    entry = dataclasses.replace(TOY, pipeline=(str(mine),), classes=str(path), clip="")
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(mine / "tokenizer")
    for words in range(1, 30):
        label = " ".join(["x"] * words)
        path.write_text(f"label,index\n{label},0\n")
        tokens = len(tokenizer(pairs.Label(label, 0).prompt)["input_ids"])
        if tokens <= 16:
            catalogue.shipped().check_prompts(entry)
        else:
            assert f"tokenizer reads 16 of its {tokens} tokens" in refused(entry)


def test_one_encoder_that_reads_it_whole_is_enough(tmp_path, listed):
    mine = copied(TOY, tmp_path)
    shutil.copytree(mine / "tokenizer", mine / "tokenizer_2")
    index = json.loads((mine / "model_index.json").read_text())
    (mine / "model_index.json").write_text(json.dumps(index | {"tokenizer_2": index["tokenizer"]}))
    entry = dataclasses.replace(TOY, pipeline=(str(mine),), classes=str(listed), clip="")
    assert "tokenizer reads 16 of its" in (said := refused(entry))
    assert "and tokenizer_2 reads 16 of its" in said
    path = mine / "tokenizer_2" / "tokenizer_config.json"
    path.write_text(path.read_text().replace('"model_max_length": 16', '"model_max_length": 512'))
    catalogue.shipped().check_prompts(entry)


def test_short_prompts_ask_no_tokenizer(tmp_path, monkeypatch):
    monkeypatch.setattr(prompt_length, "_counter", lambda *_: pytest.fail("a tokenizer was loaded"))
    path = tmp_path / "c.csv"
    path.write_text("label,index\na,0\nb,1\n")  # 14 bytes and three marks are more than the toys' 16 tokens
    mine = copied(TOY, tmp_path)
    config = mine / "tokenizer" / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"model_max_length": 16', '"model_max_length": 17'))
    catalogue.shipped().check_prompts(dataclasses.replace(TOY, pipeline=(str(mine),), classes=str(path), clip=""))
    catalogue.shipped().check_prompts(TOY)
