"""Scorers of folders whose settings libraries stumble over: one sentence before the cases, whatever is raised where."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from helpers.runs import EASY
from pytest_seedshift import scorers

TOYS = Path(scorers.__file__).parent / "toys"
VIT, CLIP = "preprocessor_config.json", "open_clip_config.json"

STRANGE = {
    "labels that are numbers": (
        "config.json",
        {"id2label": {str(number): number for number in range(16)}},
        "cannot be",
    ),
    "a filter that is a list": (CLIP, {"preprocess_cfg": {"interpolation": ["bicubic"]}}, "cannot be loaded"),
    "a mode that is a list": (CLIP, {"preprocess_cfg": {"resize_mode": ["a"]}}, "cannot be loaded"),
    "a filter of nobody": (VIT, {"resample": 99}, "cannot score a picture: KeyError: 99"),
    "a mean in words": (VIT, {"image_mean": "half"}, "cannot score a picture: TypeError"),
    "a size of another network": (VIT, {"size": {"height": 33, "width": 32}}, "cannot score a picture: ValueError"),
    "a mean of two channels": (CLIP, {"preprocess_cfg": {"mean": [0.5, 0.5], "std": [1, 1]}}, "cannot score a picture"),
    "a deviation of 0": (CLIP, {"preprocess_cfg": {"std": [0, 0, 0]}}, "a standard deviation of 0 for a colour"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_a_scorer_cannot_do_is_said_before_the_cases(pytester, run, name):
    file, change, says = STRANGE[name]
    kind = "clip" if file == CLIP else "vit"
    shutil.copytree(TOYS / f"toy-{kind}", pytester.path / "strange")
    path = pytester.path / "strange" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    paths = {"vit": TOYS / "toy-vit", "clip": TOYS / "toy-clip"} | {kind: path.parent}
    given = ", ".join(f'{key} = "{value}"' for key, value in paths.items())
    pytester.path.joinpath("thresholds.toml").write_text(f"{EASY}[models.toy-latent]\nscorers = {{ {given} }}\n")
    result = run("--seedshift-model=toy-latent", "--seedshift-images=16", "--seedshift-magnitude=0")
    told = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in told
    assert "strange" in told
    assert "Traceback" not in told
    assert "INTERNALERROR" not in told
