"""What the seed vector explains of each label's pictures: of pictures that a run has kept, kept in its folder."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image

from helpers import synthetic
from pytest_seedshift.reporting import page
from pytest_seedshift.results import label_shares
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies import label_shares as study

PLAN = synthetic.Plan(models=("toy-latent",), shifts=("mean",), images=8 * 6, pictures=8 * 6)


def draw(path, still: bool, rng: np.random.Generator) -> None:
    """A square at a place of its own, or at one for all."""
    left, top = (8, 8) if still else rng.integers(0, 22, 2)
    levels = np.full((32, 32, 3), 40, dtype=np.uint8)
    levels[top : top + 8, left : left + 8] = 220
    Image.fromarray(levels).save(path)


def test_the_label_whose_pictures_stand_still_is_told_and_nothing_is_measured_twice(tmp_path, monkeypatch):
    folder = RunFolder(synthetic.write(tmp_path / "run", PLAN).path)
    run, rng = runs.load(folder.path), np.random.default_rng(0)
    for sample in run.control("toy-latent").samples:
        draw(sample.picture, sample.label == "snail", rng)
    without = [dataclasses.replace(each, digest="") for each in run.control("toy-latent").samples]
    control = dataclasses.replace(run.control("toy-latent"), samples=tuple(without))
    run = dataclasses.replace(run, cases=(control, *run.cases[1:]))
    (found,) = study.of_run(run, {})
    assert found.pictures == dict.fromkeys(PLAN.labels, 6)
    places = {label: shares["position"] for label, shares in found.shares.items() if "position" in shares}
    assert places["snail"].value == 0.0
    assert all(each.value > 0.5 for label, each in places.items() if label != "snail")
    label_shares.write(folder, [found])
    assert label_shares.read(folder.path) == {"toy-latent": found}
    made = page.make(runs.load(folder.path))
    assert "label by label" in made
    assert made.index('<th scope="row"><bdi>snail</bdi></th><td>6</td><td>0.00 (0.00–0.00)</td>') > 0
    monkeypatch.setattr(study, "_measured", None)
    assert list(study.of_run(run, {"toy-latent": found})) == [found]
    few = dataclasses.replace(run, cases=(dataclasses.replace(control, samples=tuple(without[:16])), *run.cases[1:]))
    assert list(study.of_run(few, {})) == []
    (folder.path / label_shares.FILE_NAME).write_text("{}")
    assert label_shares.read(folder.path) == {}
