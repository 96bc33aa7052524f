"""`compare --likeness`: how like the pictures of the same pairs are in two runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from helpers.runs import EASY
from pytest_seedshift.__main__ import main

PICKED = "--seedshift-images=16", "--seedshift-exact", "--seedshift-keep-images=all", "-k", "none"


@pytest.fixture
def runs(pytester, run, capsys):
    """Two run folders, `old` and `new`, of a model and of it in half precision."""
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    for name, model in (("old", "toy-latent"), ("new", "toy-latent+dtype=bfloat16")):
        run(f"--seedshift-model={model}", *PICKED, f"--seedshift-dir={name}").assert_outcomes(passed=1, deselected=30)
    capsys.readouterr()
    return pytester.path


def compared(capsys, *arguments: str) -> tuple[int, str]:
    status = main(["compare", *arguments, "--likeness"])
    told = capsys.readouterr()
    return status, told.out + told.err


NAMED = "--model", "toy-latent+dtype=bfloat16=toy-latent"


def test_the_pictures_of_another_engine_are_alike_and_not_the_same(runs, capsys):
    status, told = compared(capsys, "old", "new", *NAMED)
    assert status == 0
    line = next(line for line in told.splitlines() if "bfloat16 control" in line and "dB" in line)
    assert 0.9 < float(line.split()[2]) < 1

    compared(capsys, "old", "new", *NAMED, "--json")
    main(["compare", "old", "new", *NAMED, "--likeness", "--json"])
    (found,) = json.loads(capsys.readouterr().out)["likeness"]
    assert found["pairs"] == len(found["ssim"]["values"]) == len(found["psnr"]["values"]) == 16
    assert found["equal"] == 0
    assert found["ssim"]["low"] <= found["ssim"]["mean"] == pytest.approx(np.mean(found["ssim"]["values"]))
    assert f"{found['least']['label']} {found['least']['seed']}: {min(found['ssim']['values']):.3f}" in line

    status, told = compared(capsys, "old", "old")
    assert "the same" in told
    assert " 16    16 " in told


def test_what_has_no_pictures_cannot_be_compared(runs, capsys, run):
    run("--seedshift-model=toy-latent", "--seedshift-images=16", "-k", "none", "--seedshift-save-baseline=base.json")
    status, told = compared(capsys, "base.json", "new", *NAMED)
    assert status == 4
    assert "--likeness: base.json has no pictures: compare run folders that were made with" in told


def test_pictures_that_were_edited_or_torn_are_said(runs, capsys):
    contents = {path: path.read_bytes() for path in runs.glob("old/pictures/*/*.png")}
    for path in contents:
        Image.new("RGB", (32, 32)).save(path)
    status, told = compared(capsys, "old", "new", *NAMED)
    assert status == 4
    assert "is not the picture that was kept there: it was edited, or is cut off" in told
    for path, content in contents.items():
        path.write_bytes(content[: len(content) // 2])
    status, told = compared(capsys, "old", "new", *NAMED)
    assert status == 4
    assert "is not the picture that was kept there" in told
    assert "Traceback" not in told
