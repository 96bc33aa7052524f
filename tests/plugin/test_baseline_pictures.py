"""A baseline with its pictures: `--seedshift-save-baseline=FOLDER`."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from helpers.runs import PAGELESS
from pytest_seedshift.results import baseline_sources
from pytest_seedshift.results.baseline import BaselineError

EASY = "[default]\ntop1 = 0.0\n"


@pytest.fixture
def saved(pytester, run) -> Path:
    """The folder of a baseline with the pictures of a control and a shifted case, 16 pairs each."""
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    result = run(*PAGELESS, "--seedshift-save-baseline=base")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*base keeps at most 32 pictures, losslessly: at most about 0.4 MB*",
            "*baseline: base, 2 cases, 32 of 32 pairs with their pictures, *",
        ]
    )
    return pytester.path / "base"


def test_a_folder_keeps_scores_and_the_picture_of_each_pair_by_its_checksum(pytester, run, saved):
    found = baseline_sources.load(saved)
    of_run = baseline_sources.load(pytester.path / ".seedshift")
    assert found.digests == of_run.digests
    assert len(found.pictures) == 32
    for place, path in found.pictures.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == found.digests[place] == path.stem
    assert [{case: each.scores for case, each in side.cases.items()} for side in (found,)] == [
        {case: each.scores for case, each in baseline_sources.load(saved / "baseline.json").cases.items()}
    ]

    stray = saved / "pictures" / f"{'0' * 64}.png"
    stray.write_bytes(b"of an earlier baseline")
    other = saved / "pictures" / "notes.txt"
    other.write_text("mine")
    before = (saved / "baseline.json").read_bytes()
    run(*PAGELESS, "--seedshift-save-baseline=base").assert_outcomes(passed=2)
    assert (saved / "baseline.json").read_bytes() == before
    assert not stray.exists()
    assert other.exists()


@pytest.mark.nightly
def test_a_path_that_ends_in_json_keeps_scores_alone(pytester, run):
    pytester.path.joinpath("thresholds.toml").write_text(EASY)
    run(*PAGELESS, "--seedshift-save-baseline=base.json").assert_outcomes(passed=2)
    assert "pictures" not in pytester.path.joinpath("base.json").read_text()
    assert baseline_sources.load(pytester.path / "base.json").pictures == {}


def test_a_list_of_pictures_that_was_edited_fails_its_checksum(saved):
    file = saved / "baseline.json"
    document = json.loads(file.read_text())
    first = document["cases"][0]["pictures"]
    first[0], first[1] = first[1], first[0]
    file.write_text(json.dumps(document))
    with pytest.raises(BaselineError, match="fails its checksum"):
        baseline_sources.load(saved)


def test_what_cannot_be_saved_is_said_before_anything_is_generated(pytester, run, saved):
    taken = pytester.mkdir("taken")
    taken.joinpath("mine.txt").write_text("mine")
    for arguments, says in (
        (["--seedshift-save-baseline=taken"], "*taken: the folder has other files and no baseline*"),
        (
            ["--seedshift-save-baseline=new", "--seedshift-keep-images=none"],
            "*keeps all pairs' pictures, and*none keeps none*",
        ),
    ):
        result = run(*PAGELESS, *arguments, "--seedshift-dir=elsewhere")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([says])
        assert not pytester.path.joinpath("elsewhere/samples.sqlite").exists()


@pytest.mark.nightly
def test_a_picture_that_the_run_folder_has_lost_is_made_again(pytester, run, saved):
    shutil.rmtree(saved)
    lost = next(pytester.path.joinpath(".seedshift").rglob("*.png"))
    lost.unlink()
    run(*PAGELESS, "--seedshift-save-baseline=base").assert_outcomes(passed=2)
    assert len(baseline_sources.load(saved).pictures) == 32
