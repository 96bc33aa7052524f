"""Paths that lead nowhere, and what may have been meant."""

from __future__ import annotations

import pytest

from pytest_seedshift.core import files, path_hints
from pytest_seedshift.core.checkpoints import places


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints" / "mine").mkdir(parents=True)
    (tmp_path / "Prompts").mkdir()
    (tmp_path / "Prompts" / "product.csv").write_text("prompt")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("checkpoint/mine", "checkpoints/mine"),
        ("checkpoints/mien", "checkpoints/mine"),
        ("Checkpoint/Mine", "checkpoints/mine"),
        ("prompts/products.csv", "Prompts/product.csv"),
        ("checkpoints/other", None),
        ("checkpoint/other", None),  # a folder that is near, and nothing in it
        ("checkpoints/mine", None),  # it is there
        ("owner/name", None),
    ],
)
def test_what_is_there_and_spelled_nearly_so_is_meant(here, given, meant):
    assert path_hints.near(here / given) == (None if meant is None else here / meant)
    assert path_hints.hint(here / given) == ("" if meant is None else f". Did you mean {meant!r}?")


def test_a_missing_file_and_a_missing_folder_of_weights_say_so(here):
    with pytest.raises(files.MissingFileError, match=r"directory\. Did you mean 'Prompts/product\.csv'\?"):
        files.read_text(here / "prompt/product.csv", most=10)
    with pytest.raises(files.MissingFileError, match=r"No such file or directory$"):
        files.read_text(here / "nothing/like.it", most=10)
    tried = places.no_folder("checkpoint/mine", "model_index.json")
    assert tried == f"the folder checkpoint/mine (not there: {here}/checkpoint/mine. Did you mean 'checkpoints/mine'?)"
    said = str(places.nowhere(["checkpoint/mine"], [tried]))
    assert "such as checkpoints/mine" in said
    assert "hf download" not in said
    assert "hf download owner/name" in str(places.nowhere(["owner/name"], []))
