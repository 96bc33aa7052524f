"""Embeddings that a baseline keeps: read back to the bit, and never taken for those of others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_seedshift.core.cases import Case
from pytest_seedshift.results import baseline_embeddings, baseline_folder, baseline_sources
from pytest_seedshift.results.baseline import Baseline, BaselineError, Design, Samples, Version

CASE = Case("m")
VERSION = Version("print", "cpu", "float32", "vit", "clip")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def vectors(count: int, width: int = 5, seed: int = 0) -> list[bytes]:
    drawn = np.random.default_rng(seed).normal(size=(count, width))
    return [row.astype("<f4").tobytes() for row in drawn / np.linalg.norm(drawn, axis=1, keepdims=True)]


@pytest.fixture
def made(tmp_path) -> Baseline:
    """A baseline of four pairs, whose pictures lie somewhere."""
    design = Design("list", ("owl", "pizza"), "{label}", 4)
    samples = Samples(CASE, "design", True, {"top1": (1.0,) * 4})
    base = Baseline("base", {}, {"m": VERSION}, {"design": design}, {CASE: samples})
    paths, digests = {}, {}
    for number, place in enumerate(design.places()):
        path = tmp_path / f"{number}.png"
        path.write_bytes(b"picture %d" % number)
        paths[CASE, *place], digests[CASE, *place] = path, digest(path.read_bytes())
    return replace(base, pictures=paths, digests=digests)


def kept(made: Baseline, scorer: str = "one", seed: int = 0) -> dict[str, dict[str, bytes]]:
    return {scorer: dict(zip(made.digests.values(), vectors(4, seed=seed), strict=True))}


def saved(made: Baseline, folder: Path, embeddings: dict[str, dict[str, bytes]]) -> Baseline:
    baseline_folder.save(made, folder, embeddings)
    return baseline_sources.load(folder)


def test_what_is_kept_is_read_back_to_the_bit_by_its_scorer_alone(made, tmp_path):
    both = kept(made) | kept(made, "other", seed=1)
    found = saved(made, tmp_path / "base", both)
    assert {scorer: baseline_embeddings.of(found, scorer) for scorer in both} == both
    assert baseline_embeddings.of(found, "third") == {}
    assert "embeddings" not in json.loads(found.text())  # of a file of scores


def test_saving_again_replaces_them_and_a_baseline_without_any_has_none(made, tmp_path):
    folder = tmp_path / "base"
    saved(made, folder, kept(made))
    found = saved(made, folder, kept(made, seed=1))
    assert baseline_embeddings.of(found, "one") == kept(made, seed=1)["one"]
    assert len(list((folder / "embeddings").iterdir())) == 1
    before = (folder / "baseline.json").read_bytes()
    assert saved(made, folder, kept(made, seed=1)).embeddings == found.embeddings
    assert (folder / "baseline.json").read_bytes() == before
    assert saved(made, folder, {}).embeddings == {}
    assert not list((folder / "embeddings").iterdir())


@pytest.mark.parametrize("change", [lambda content: content[:-3], lambda content: content[:-4] + b"\0\0\0\0"])
def test_a_file_that_was_edited_or_cut_off_is_an_error_and_one_that_is_gone_is_not(made, tmp_path, change):
    found = saved(made, tmp_path / "base", kept(made))
    path, _ = found.embeddings["one"]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BaselineError, match=r"edited, or is cut off\. Restore it, or remove it: the embeddings"):
        baseline_embeddings.of(found, "one")
    path.unlink()
    assert baseline_embeddings.of(found, "one") == {}


def test_a_list_that_gives_them_to_another_scorer_fails_its_checksum(made, tmp_path):
    folder = tmp_path / "base"
    saved(made, folder, kept(made))
    file = folder / "baseline.json"
    file.write_text(file.read_text().replace('"one"', '"two"'))
    with pytest.raises(BaselineError, match="fails its checksum"):
        baseline_sources.load(folder)


def forged(content: bytes, made: Baseline, folder: Path) -> Baseline:
    """A baseline whose file of embeddings is another, with checksums that fit."""
    path = baseline_folder.embeddings_of(folder, digest(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return replace(made, embeddings={"one": (path, digest(content))})


def test_what_is_no_file_of_embeddings_is_an_error_in_words_though_its_checksum_fits(made, tmp_path):
    from safetensors.numpy import save

    rows = np.zeros((2, 32), np.uint8)
    unit = np.eye(2, 5, dtype=np.float32)
    told = {"scorer": "one"}
    for content, says in (
        (b"", "cannot be read"),
        (b"\xff" * 64, "cannot be read"),
        (baseline_embeddings.packed("other", kept(made)["one"]), "of another scorer"),
        (save({"pictures": rows, "embeddings": unit}), "of another scorer"),
        (save({"embeddings": unit}, told), "pictures"),
        (save({"pictures": rows.astype(np.float32), "embeddings": unit}, told), "not those of embeddings"),
        (save({"pictures": rows, "embeddings": unit.astype(np.float64)}, told), "not those of embeddings"),
        (save({"pictures": rows, "embeddings": unit[:1]}, told), "no embedding of length 1 for each"),
        (save({"pictures": rows, "embeddings": unit * np.nan}, told), "no embedding of length 1 for each"),
        (save({"pictures": rows, "embeddings": unit * 2}, told), "no embedding of length 1 for each"),
    ):
        with pytest.raises(BaselineError, match=says):
            baseline_embeddings.of(forged(content, made, tmp_path), "one")


def test_a_path_in_the_place_of_a_checksum_is_refused(made, tmp_path):
    document = made.document(pictures=True) | {"embeddings": {"one": "../" * 20 + "etc/passwd"}}
    from pytest_seedshift.results.baseline import checksum

    text = json.dumps(document | {"checksum": checksum(document)})
    with pytest.raises(BaselineError, match="embeddings"):
        baseline_sources.parse(text, "base", tmp_path)
