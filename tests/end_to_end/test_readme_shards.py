"""The matrix of GitHub Actions and the Slurm array of the how-to guides do what they say, on a small grid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from helpers.pages import blocks
from helpers.runs import EASY

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

SMALL = "--seedshift-images=16 --seedshift-batch-size=16 --seedshift-magnitude=0.3 --seedshift-shift=mean,std,mixed"
CASES = 4


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project in which a grid is small, whatever the command line says of it."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{SMALL} -p no:cacheprovider")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    tmp_path.joinpath("thresholds.toml").write_text(f"{EASY}[shift.std]\nclip = 49.9\n")
    return tmp_path


def run_all(scripts: Sequence[tuple[str, dict[str, str]]], folder: Path, at_once: int = 2) -> list[tuple[int, str]]:
    """Run scripts with bash as a CI does, each with some variables; their statuses and outputs."""
    ended = []
    for start in range(0, len(scripts), at_once):
        processes = [
            subprocess.Popen(
                ["bash", "-e", "-o", "pipefail", "-c", script],
                cwd=folder,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for script, variables in scripts[start : start + at_once]
        ]
        ended += [(output, process) for process in processes for output in [process.communicate()[0]]]
    return [(process.returncode, output) for output, process in ended]


def check(folder: Path, shards: Sequence[tuple[int, str]], merged: tuple[int, str]) -> None:
    """Of the four cases one fails, in one of the shards."""
    assert sorted(status for status, _ in shards) == [0] * (len(shards) - 1) + [1], shards
    status, output = merged
    assert status == 1, output
    assert f"{CASES} cases of {len(shards)} runs: 3 pass, 1 fail" in output
    document = json.loads((folder / "merged/verdicts.json").read_text())
    assert len(document["cases"]) == len(document["grid"]) == CASES
    assert {"junit.xml", "report.html", "samples.sqlite", "pictures"} <= {
        path.name for path in (folder / "merged").iterdir()
    }


@pytest.mark.slow
def test_the_matrix_of_github_actions(project):
    (text,) = blocks("yaml", "docs/how-to/shards.md")
    jobs = yaml.safe_load(text)["jobs"]
    steps = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    for commands in steps.values():
        assert commands.pop(0) == "pip install -r requirements.txt"  # here it is installed
    (command,), (merge,) = steps["shard"], steps["verdict"]
    matrix = jobs["shard"]["strategy"]["matrix"]["shard"]
    assert matrix == list(range(1, len(matrix) + 1))
    del matrix[2:]  # what strategy.job-total follows
    command = command.replace("${{ strategy.job-total }}", str(len(matrix)))
    scripts = [(command.replace("${{ matrix.shard }}", str(shard)), {}) for shard in matrix]
    assert not any("${{" in script for script, _ in scripts)
    shards = run_all(scripts, project)
    upload = next(step for step in jobs["shard"]["steps"] if "upload" in step.get("uses", ""))
    for shard in matrix:
        assert (project / upload["with"]["path"].replace("${{ matrix.shard }}", str(shard))).is_dir()
    check(project, shards, run_all([(merge, {})], project)[0])


@pytest.mark.nightly
def test_the_slurm_array(project):
    array, merge = blocks("bash", "docs/how-to/slurm.md")
    assert "#SBATCH --array=1-" in array
    tasks = [{"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "2"} for task in (1, 2)]
    for name, script in (("array", array), ("merge", merge)):
        project.joinpath(name).write_text(script)
    shards = run_all([("bash array", task) for task in tasks], project)
    project.joinpath("log-1.txt").write_text(shards[0][1])
    check(project, shards, run_all([("bash merge", {})], project)[0])
