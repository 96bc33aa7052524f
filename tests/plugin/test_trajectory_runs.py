"""`--seedshift-trajectories` and the fixture `seedshift_trajectory` in whole runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from helpers.runs import ONE, samples_of
from pytest_seedshift.__main__ import main
from pytest_seedshift.core.cases import Case
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.studies.trajectories import files

MEAN = Case("toy-latent", "mean", 0.3)
ASKED = "--seedshift-trajectories=2"


def kept(path: Path) -> dict[Case, files.Kept]:
    return {each.case: each for each in map(files.read, files.find(RunFolder(path)))}


def timeless(path: Path) -> str:
    return re.sub(r'"(seconds|generated)": [\d.]+', "", (path / "verdicts.json").read_text())


def test_recording_changes_no_sample_and_no_verdict_and_needs_none_that_is_new(pytester, run):
    path = pytester.path / ".seedshift"
    run(*ONE, "--seedshift-fresh").assert_outcomes(passed=2)
    verdicts, samples = timeless(path), samples_of(path)
    assert not (path / "trajectories").exists()

    result = run(*ONE, ASKED)
    result.stdout.fnmatch_lines(
        [
            "seedshift: the trajectories of 2 pairs a case are recorded besides, one image each",
            "2 cases: * images looked at, 0 generated*",
        ]
    )
    assert (timeless(path), samples_of(path)) == (verdicts, samples)
    found = kept(path)
    assert set(found) == {MEAN, MEAN.control}
    first = [
        (sample["label"], sample["seed"])
        for sample in json.loads((path / "verdicts.json").read_text())["cases"][1]["pictures"]
    ]
    assert list(found[MEAN].trajectory.pairs) == first[:2]
    assert not (path / "trajectories/states").exists()
    assert '<section id="trajectories"' in (path / "report.html").read_text()

    written = {each: each.stat().st_mtime_ns for each in (path / "trajectories").rglob("*")}
    result = run(*ONE, ASKED)
    result.stdout.no_fnmatch_line("* model load*")
    assert {each: each.stat().st_mtime_ns for each in (path / "trajectories").rglob("*")} == written

    run(*ONE, "--seedshift-fresh", "--seedshift-batch-size=8", ASKED).assert_outcomes(passed=2)
    again = kept(path)[MEAN].trajectory
    assert again.plane == pytest.approx(found[MEAN].trajectory.plane, abs=1e-5)
    assert {each.stat().st_mtime_ns for each in (path / "trajectories").glob("*/*")}.isdisjoint(written.values())


def test_shards_record_the_same_pairs_and_are_merged(pytester, run, monkeypatch):
    monkeypatch.chdir(pytester.path)
    for number in (1, 2):
        run(*ONE, ASKED, f"--seedshift-shard={number}/2", f"--seedshift-dir=shard-{number}").assert_outcomes(
            passed=1, deselected=1
        )
    parts = sorted((kept(Path(f"shard-{number}")) for number in (1, 2)), key=len)
    assert set(parts[0]) == {MEAN.control}
    assert set(parts[1]) == {MEAN, MEAN.control}  # with a control of its own, to compare with
    assert parts[0][MEAN.control].trajectory.pairs == parts[1][MEAN].trajectory.pairs
    assert main(["merge", "shard-1", "shard-2", "--output", "merged"]) == 0
    merged = kept(Path("merged"))
    assert set(merged) == {MEAN, MEAN.control}
    assert all(path.is_file() for each in merged.values() for path in each.pictures.values())
    assert "predicted after step 1" in Path("merged/report.html").read_text()


def test_the_fixture_gives_a_case_s_trajectory_and_the_ini_key_says_of_how_many_pairs(pytester, run):
    pytester.makeini("[pytest]\nseedshift_trajectories = 1\n")
    pytester.makepyfile(
        """
        import numpy as np

        def test_mine(seedshift_trajectory, seedshift_case):
            found = seedshift_trajectory
            assert found.case == seedshift_case
            assert found.distance.shape == (1, found.steps + 1)
            assert (found.distance.max() > 0) != seedshift_case.is_control
            assert found.discontinuity > 0
            assert np.isfinite(found.plane).all()
        """
    )
    run(*ONE, "-k", "test_mine").assert_outcomes(passed=2, deselected=2)


@pytest.mark.parametrize("number", ["0", "-3"])
def test_a_number_of_pairs_that_is_none_is_a_usage_error(run, number):
    result = run(*ONE, f"--seedshift-trajectories={number}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --seedshift-trajectories={number}: give a whole number of at least 1"])
