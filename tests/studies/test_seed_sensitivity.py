"""A kept seed sensitivity is found by all that it depends on, and by nothing else."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_seedshift.core import registry as registries
from pytest_seedshift.core.registry import Extensions, Registry
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.models.catalogue import Catalogue, shipped
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies import seed_sensitivity

TOY = shipped().find("toy-latent")


class Contrast:
    """A scorer of one's own, which embeds nothing."""

    kind = ScoreKind("contrast", 1.0, binary=False)
    fingerprint = "contrast"

    def __init__(self, device: str) -> None: ...

    def check(self, labels): ...

    def score(self, images, labels): ...


WITH_OWN = ScoreRegistry({"contrast": Contrast.kind})


@pytest.fixture
def own_score() -> Iterator[None]:
    registry = Registry("scorer", (), [("conftest.py", {"contrast": Contrast})])
    made = Extensions(scorers=registry)
    registries.push(made)
    yield
    registries.remove(made)


def kept_as(folder: Path, clip: str = TOY.clip, kinds: ScoreRegistry = SHIPPED) -> str:
    catalogue = Catalogue({"toy-latent": dataclasses.replace(TOY, clip=clip)})
    bench = Workbench(RunFolder(folder), "cpu", "float32", catalogue=catalogue, kinds=kinds)
    try:
        return seed_sensitivity.wanted(bench, "toy-latent").path(bench.folder).name
    finally:
        bench.close()


@pytest.fixture
def other_clip(tmp_path: Path) -> str:
    copy = tmp_path / "clip"
    shutil.copytree(TOY.clip, copy)
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["preprocess_cfg"] = {**config.get("preprocess_cfg", {}), "interpolation": "bilinear"}
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    return str(copy)


def test_another_clip_is_another_measurement(tmp_path, other_clip):
    folder = tmp_path / "run"
    folder.mkdir()
    assert kept_as(folder) != kept_as(folder, other_clip)


@pytest.mark.usefixtures("own_score")
def test_with_a_score_of_one_s_own_it_still_goes_by_clip(tmp_path, other_clip):
    folder = tmp_path / "run"
    folder.mkdir()
    assert kept_as(folder, kinds=WITH_OWN) != kept_as(folder, other_clip, WITH_OWN)


def test_a_score_of_one_s_own_is_no_part_of_it(tmp_path, request):
    folder = tmp_path / "run"
    folder.mkdir()
    before = kept_as(folder)
    request.getfixturevalue("own_score")
    assert kept_as(folder, kinds=WITH_OWN) == before
