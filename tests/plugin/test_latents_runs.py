"""A run whose seed vectors come from a file: named in the plan, recorded, and refused where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pytest_seedshift.__main__ import main
from pytest_seedshift.core import pairs
from pytest_seedshift.models import catalogue, latents

TOY = catalogue.shipped().find("toy-latent")
TABLES = f"""
[models.mine]
pipeline = "{TOY.pipeline[0]}"
classes = "toy16"
scorers = "toy"
steps = 2
guidance = 3.0
latents = "noise/z.safetensors"

[default]
clip = 1.0
"""
RUN = (
    "seedshift",
    "--seedshift-model=mine",
    "--seedshift-shift=mean",
    "--seedshift-magnitude=0.3",
    "--seedshift-images=16",
    "--seedshift-batch-size=8",
    "-q",
    "-p",
    "no:cacheprovider",
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    path = pytester.path
    path.joinpath("noise").mkdir()
    path.joinpath("thresholds.toml").write_text(TABLES)
    write(path)
    return path


def write(path: Path, count: int = 16, seed: int = 0) -> None:
    design = pairs.design(pairs.class_list("toy16"), 16)[:count]
    generator = torch.Generator().manual_seed(seed)
    drawn = {latents.name_of(pair): torch.randn(4, 16, 16, generator=generator) for pair in design}
    save_file(drawn, path / "noise" / "z.safetensors")


def prints(path: Path) -> str:
    return json.loads(path.joinpath(".seedshift/verdicts.json").read_text())["models"]["mine"]["fingerprint"]


def test_a_run_says_and_records_whose_noise_it_has(pytester, project):
    plan = pytester.runpytest_inprocess(*RUN, "--seedshift-plan")
    plan.stdout.fnmatch_lines(["seedshift: mine: *latents z.safetensors (????????????)*; fingerprint *"])
    first = pytester.runpytest_inprocess(*RUN)
    first.assert_outcomes(passed=2)
    (settings,) = json.loads(project.joinpath(".seedshift/verdicts.json").read_text())["models"].values()
    assert settings["run_with"]["engine"]["latents"].startswith("z.safetensors (")
    assert "z.safetensors (" in project.joinpath(".seedshift/run.json").read_text()
    before = prints(project)
    again = pytester.runpytest_inprocess(*RUN)
    again.stdout.fnmatch_lines(["*, 0 generated*"])
    write(project, seed=1)
    pytester.runpytest_inprocess(*RUN).stdout.no_fnmatch_line("*, 0 generated*")
    assert prints(project) != before


@pytest.mark.nightly
def test_searches_seed_sensitivity_and_the_noise_floor_begin_in_it(pytester, project, capsys):
    result = pytester.runpytest_inprocess(
        *RUN[:3], *RUN[4:], "--seedshift-breaking-point", "--seedshift-trajectories=2"
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["  mine  mean *"])
    assert main(["noise", "mine", "--images", "16", "--dir", ".seedshift"]) == 0
    assert "batch size 1" in capsys.readouterr().out


def test_what_does_not_fit_a_run_is_said_before_it(pytester, project, capsys):
    write(project, 12)
    result = pytester.runpytest_inprocess(*RUN)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*mine: latents = '*z.safetensors' has no tensor for 4 of the 16 pairs of the design: *"]
    )
    capsys.readouterr()
    assert main(["noise", "mine", "--images", "16", "--dir", "other"]) == 4
    assert "has no tensor for 4 of the 16 pairs" in capsys.readouterr().err
    save_file({"latents": torch.randn(4, 16, 16)}, project / "noise" / "z.safetensors")
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-images=32")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*has one seed vector for all pairs, so the design's 32 pairs are only 16 different*"])
    result = pytester.runpytest_inprocess(*RUN, "--seedshift-null")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the null control needs seed vectors that are drawn*"])
    save_file({"latents": torch.randn(4, 9, 9)}, project / "noise" / "z.safetensors")
    result = pytester.runpytest_inprocess(*RUN)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*of shape (4, 9, 9), and StableDiffusionPipeline draws (4, 16, 16)*"])
    assert not list(project.joinpath(".seedshift").rglob("*.png"))
    assert not project.joinpath(".seedshift/verdicts.json").exists()
