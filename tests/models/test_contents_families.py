"""Pipelines of every family, saved as a variant, in shards, and as a cache of the hub that lacks a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.families import FAMILIES
from pytest_seedshift.core import pairs
from pytest_seedshift.core.checkpoints import contents, places
from pytest_seedshift.models import file_checks, load, locate
from pytest_seedshift.models.base import Entry

if TYPE_CHECKING:
    import torch

PAIR = pairs.design(pairs.class_list("toy16"), 16)[:1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TINY = 20_000
"""Bytes of a shard, so that small networks have several."""

DAILY = ("stable-diffusion-1", "flux", "glide")

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`callback_steps` is deprecated:FutureWarning"),
]


NAMES = [pytest.param(name, marks=() if name in DAILY else pytest.mark.nightly) for name in FAMILIES]


def entry(name: str, folder: Path, **changes: object) -> Entry:
    return Entry(name, (str(folder),), call=tuple(FAMILIES[name].arguments.items()), **changes)  # type: ignore[arg-type]


def pixels(entry: Entry, pipeline: object) -> torch.Tensor:
    model = load.load(entry, "cpu", "float32")
    if hasattr(pipeline, "resolutions"):  # sizes that the class allows, made small; not saved
        model._pipeline.resolutions = pipeline.resolutions
    return model.generate(PAIR)


def opened(folder: Path) -> set[str]:
    location = locate.locate_pipeline([str(folder)])
    file_checks.check(Entry("mine", (str(folder),)), location)
    return {path.relative_to(folder).as_posix() for path in location.files()}


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def assert_same(images: torch.Tensor, expected: torch.Tensor) -> None:
    """But for last digits: where a weight lies in memory, some processors sum in another order."""
    assert (images - expected).abs().max() < 1e-3, (images - expected).abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_a_family_is_loaded_from_whatever_files_it_was_saved_in(tmp_path, monkeypatch, name):
    from huggingface_hub import constants

    pipeline = FAMILIES[name].build()
    plain, fp16, shards = (tmp_path / each for each in ("plain", "fp16", "shards"))
    pipeline.save_pretrained(plain)
    expected = pixels(entry(name, plain), pipeline)
    # All that a saved pipeline has is loaded, so that its fingerprint is that of all its files.
    assert opened(plain) == files_of(plain)

    shutil.copytree(plain, fp16)
    for path in fp16.glob("*/*.safetensors"):
        path.rename(path.with_name(f"{path.stem}.fp16.safetensors"))
    networks = {path.parent.name for path in fp16.glob("*/*.safetensors")}
    assert set(locate.locate_pipeline([str(fp16)]).variants) == networks
    assert_same(pixels(entry(name, fp16), pipeline), expected)
    assert_same(pixels(entry(name, fp16, variant="fp16"), pipeline), expected)

    pipeline.save_pretrained(shards, max_shard_size=TINY, variant="bf16")
    assert list(shards.glob("*/*.safetensors.index.bf16.json"))
    assert opened(shards) == files_of(shards)
    assert_same(pixels(entry(name, shards), pipeline), expected)

    shutil.rmtree(plain)
    pipeline.save_pretrained(plain, max_shard_size=TINY)
    assert opened(plain) == files_of(plain)
    assert_same(pixels(entry(name, plain), pipeline), expected)

    # Each file by itself away, of the cache of the hub: what it lacks is told, and by its part.
    root = tmp_path / "cache" / "models--me--toy"
    snapshot = root / "snapshots" / COMMIT
    shutil.copytree(plain, snapshot)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate.locate_pipeline(["me/toy"]).path == snapshot
    parts = contents.classes(json.loads((snapshot / "model_index.json").read_text()))
    for part in parts:
        aside = snapshot.with_name("aside")
        (snapshot / part).rename(aside)
        with pytest.raises(places.WeightsNotFoundError, match=rf"\(not whole: {part}: is not there\)"):
            locate.locate_pipeline(["me/toy"])
        aside.rename(snapshot / part)
        needed = [*sorted((snapshot / part).glob("*.safetensors"))[:1], *(snapshot / part).glob("config.json")]
        for path in needed:
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(places.WeightsNotFoundError, match=rf"\(not whole: {part}: (lacks|has no weights)"):
                locate.locate_pipeline(["me/toy"])
            path.write_bytes(content)
