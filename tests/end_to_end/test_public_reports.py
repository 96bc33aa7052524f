"""What users of near libraries have reported publicly, tried here as they would; each is a member of a kind."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from helpers.runs import EASY, PAGELESS
from pytest_seedshift.models import catalogue

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

TOY = catalogue.shipped().find("toy-latent")
ENTRY = '[models."./mine"]\nclasses = "{classes}"\nscorers = "toy"\nsteps = 2\n'
MARKED = """
import pytest
@pytest.mark.reliability(models="./mine", shifts="mean", magnitudes=[0.3])
def test_it(reliability):
    assert reliability.passed
"""


def test_a_prompt_that_the_model_would_cut_is_said_before_the_work(pytester, run):
    """A CLIP score of a prompt of over 77 tokens is silently another one (torchmetrics 2000, 2883)."""
    shutil.copytree(TOY.pipeline[0], pytester.path / "mine")
    pytester.path.joinpath("thresholds.toml").write_text(ENTRY.format(classes="./long.csv") + EASY)
    rows = "".join(f"{label.name}{' on a leaf' * 9},{label.index},{label.name}\n" for label in LABELS)
    pytester.path.joinpath("long.csv").write_text(f"label,index,aliases\n{rows}")
    result = run("--seedshift-model=./mine", *PAGELESS[1:])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: ./mine: the prompt 'A photo of a * is too long for it (tokenizer reads 16 *"])


def test_a_test_that_leaves_for_a_folder_that_goes_takes_nothing_along(pytester, run):
    """Tests change the working folder and remove it, and plugins write beside it (pytest 7228, scilpy 959)."""
    leaves = (
        "import os, shutil, tempfile\ndef test_leaves():\n    os.chdir(d := tempfile.mkdtemp())\n    shutil.rmtree(d)\n"
    )
    pytester.makepyfile(test_a=leaves, test_b=MARKED)
    shutil.copytree(TOY.pipeline[0], pytester.path / "mine")
    shutil.copy(CLASSES, pytester.path / "c.csv")
    pytester.path.joinpath("thresholds.toml").write_text(ENTRY.format(classes="./c.csv") + EASY)
    result = run("--seedshift-images=16", "--junitxml=j.xml", "test_a.py", "test_b.py")
    result.assert_outcomes(passed=3)
    assert not [line for line in [*result.outlines, *result.errlines] if "Traceback" in line or "rror" in line]
    there = {path.name for path in (pytester.path / ".seedshift").iterdir()}
    assert {"report.html", "verdicts.json", "samples.sqlite"} <= there
    assert len(ET.parse(pytester.path / "j.xml").findall(".//testcase")) == 3


CLASSES = Path(catalogue.__file__).parents[1] / "core" / "classes" / "toy16.csv"
LABELS = catalogue.pairs.class_list(TOY.classes)
