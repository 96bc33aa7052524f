"""What commands make of run folders that somebody else has made: nothing out of them, nothing without end, no verdict lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fuzzing
import pytest
import synthetic

from pytest_seedshift import costs, facts, pairs
from pytest_seedshift.__main__ import main
from pytest_seedshift.folder import RunFolder

PLAN = synthetic.Plan(models=("toy-latent",), shifts=("mean",), magnitudes=(0.3,), fails="none at all")
LINK = "links in a run folder are not followed"


def with_head(folder: RunFolder) -> RunFolder:
    """Give a synthetic run the head that merging and comparing need."""
    document = folder.read_document()
    labels = [pairs.Label(name, index) for index, name in enumerate(PLAN.labels)]
    design = pairs.fingerprint(pairs.design(labels, PLAN.images))
    names = ("id", "test", "model", "shift", "magnitude")
    grid = [
        {name: record[name] for name in names}
        | {"asks": {"top1 min": 0.6}, "exact": True, "images": PLAN.images, "design": design}
        for record in document["cases"]
    ]
    model = {"device": "cpu", "dtype": "float32", "fingerprint": "print of toy-latent", "classifier": "vit"}
    model |= {"clip": "clip", "scorer_weights": ["a", "b"]}
    about = {"certainty": 0.99, "thresholds": "t", "prompt": pairs.PROMPT, "libraries": {"torch": "2"}}
    folder.write_verdicts(document["cases"], {**about, "models": {"toy-latent": model}, "grid": grid})
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs")
    folder = with_head(synthetic.write(path / "run", PLAN))
    synthetic.add_seed_use(folder, "toy-latent", "toy-latent")
    document = json.loads(folder.verdicts_file.read_text())  # without the null control, which is not in the grid
    folder.write_verdicts(
        [{**each, "generated": 1, "seconds": 0.5} for each in document["cases"] if not each.get("null")],
        {name: value for name, value in document.items() if name not in ("version", "cases")}
        | {name: value for name, value in head_of(path / "run").items()},
    )
    return path


def head_of(path: Path) -> dict:
    return {}


@pytest.fixture
def run(kept, tmp_path, monkeypatch) -> Path:
    shutil.copytree(kept / "run", tmp_path / "run")
    (tmp_path / "secret").write_text(fuzzing.SECRET)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"
