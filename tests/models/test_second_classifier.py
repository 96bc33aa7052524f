"""What toy-vit says of the toys is confirmed by a classifier of another architecture, which was trained apart from it.

It is a scorer of the product: see tools/toys/second.py. Its weights lie with the tests and are in no wheel.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODELS = ("toy-latent", "toy-latent-zsnr", "toy-glide")

pytestmark = pytest.mark.skipif(
    not ROOT.joinpath("tests/data/toy-conv").is_dir(), reason="the second classifier is in the repository alone"
)


def controls(python: str, folder: Path, images: int, least: float, *options: str) -> dict[str, dict]:
    """The verdicts on the toys' controls by both classifiers, by model."""
    folder.joinpath("thresholds.toml").write_text(f"[default]\ntop1 = {least}\nsecond = {least}\n")
    command = f"-m pytest seedshift -p tools.toys.second --seedshift-model={','.join(MODELS)} --seedshift-magnitude=0"
    how = f"--seedshift-images={images} --seedshift-exact --seedshift-report=none --seedshift-sensitivity=never"
    done = subprocess.run(
        [python, *command.split(), *how.split(), *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    cases = json.loads(folder.joinpath(".seedshift/verdicts.json").read_text())["cases"]
    return {each["model"]: each for each in cases}


@pytest.mark.parametrize(
    ("images", "least"), [(32, 0.9), pytest.param(400, 0.97, marks=pytest.mark.nightly)], ids=["32", "400"]
)
def test_both_classifiers_see_what_was_asked_for(warm_python, tmp_path, images, least):
    found = controls(warm_python, tmp_path, images, least)
    assert set(found) == set(MODELS)
    for model, case in found.items():
        means = {name: case["scores"][name]["mean"] for name in ("top1", "second")}
        assert case["verdict"] == "pass", (model, means)
        assert min(means.values()) >= least, (model, means)


def test_neither_sees_what_was_not_asked_for(warm_python, tmp_path):
    """A panda is asked for under other labels: what is drawn is no frog, and both say so."""
    rows = "".join(f"{label},A photo of a panda,{label}\n" for label in ("frog", "lemon", "snail", "pizza"))
    tmp_path.joinpath("pandas.csv").write_text(f"id,prompt,label\n{rows}")
    found = controls(warm_python, tmp_path, 8, 0.9, "--seedshift-prompts=pandas.csv")
    for model, case in found.items():
        assert case["verdict"] == "fail", model
        assert max(case["scores"][name]["mean"] for name in ("top1", "second")) < 0.2, model
