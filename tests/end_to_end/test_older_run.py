"""A run folder that an earlier version wrote is used by this one as its own: see data/README.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from helpers import standard_run
from pytest_seedshift.__main__ import main

OLDER = standard_run.DATA / "older_run.tar.xz"
TOYS = standard_run.DATA / "older_toys"
"""The model and the scorers that the earlier version shipped, with which the folder was made."""

pytestmark = pytest.mark.skipif(
    not TOYS.is_dir(), reason="the source distribution has no older toys: use the repository"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of the standard run with what the earlier version has left of it; the working directory."""
    standard_run.make_project(tmp_path, TOYS)
    with tarfile.open(OLDER) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verdicts(folder: str) -> dict[str, str]:
    document = json.loads(Path(folder, "verdicts.json").read_text())
    return {each["test"]: each["verdict"] for each in (*document["cases"], *document["breaking"])}


def without_sentences(folder: str) -> dict:
    """verdicts.json without its reasons, of which each version has its own words: nothing is decided by them."""
    document = json.loads(Path(folder, "verdicts.json").read_text())
    for each in (*document["cases"], *document["breaking"]):
        assert each.pop("reason")
    return document


@pytest.mark.usefixtures("project")
def test_the_same_run_generates_nothing_anew(warm_python):
    """With other libraries its images would be others, rightly; then there is nothing to see here."""
    made_with = json.loads(Path("environment.json").read_text())
    if made_with != standard_run.environment():
        pytest.skip(f"its images were made with {made_with}")
    before = without_sentences("run")
    samples = Path("run/samples.sqlite").stat().st_size
    done = subprocess.run(
        [warm_python, *standard_run.COMMANDS["run"], "--seedshift-report=none"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert " images looked at, 0 generated" in done.stdout, done.stdout
    assert without_sentences("run") == before
    assert Path("run/samples.sqlite").stat().st_size == samples


@pytest.mark.usefixtures("project")
def test_its_report_is_made_again(capsys):
    assert main(["report", "run", "--summary", "summary.md"]) == 0
    assert capsys.readouterr().err == ""
    page = Path("run/report.html").read_text()
    assert all(each["id"] in page for each in json.loads(Path("run/verdicts.json").read_text())["cases"])
    assert Path("summary.md").read_text().startswith("## Robustness of subject")


@pytest.mark.usefixtures("project")
def test_its_shards_are_merged():
    assert main(["merge", "shard-1", "shard-2", "--output", "merged"]) == 1
    assert verdicts("merged") == verdicts("run")
    assert {"pass", "fail"} <= set(verdicts("merged").values())
    assert Path("merged/verdicts.json").read_bytes() == Path("run/verdicts.json").read_bytes()


@pytest.mark.parametrize("old", ["before", "baseline.json"])
@pytest.mark.usefixtures("project")
def test_it_is_compared(capsys, old):
    assert main(["compare", old, "run", "--allow-missing"]) == 0
    assert "no regression" in capsys.readouterr().out
    assert Path("run/comparison.html").is_file()


def scores(folder: Path) -> dict[str, dict[str, float]]:
    """By a case's test, its scores' means."""
    cases = json.loads(folder.joinpath("verdicts.json").read_text())["cases"]
    return {each["test"]: {name: found["mean"] for name, found in each["scores"].items()} for each in cases}


def test_samples_of_other_toys_are_not_taken(tmp_path, warm_python):
    """The toys that ship today have other weights, so nothing that was made with those before counts for them."""
    standard_run.make_project(tmp_path)
    standard_run.without_guidance(tmp_path)  # so that nothing but the weights is another
    with tarfile.open(OLDER) as archive:
        archive.extractall(tmp_path, filter="data")
    before = scores(tmp_path / "before")
    done = subprocess.run(
        [warm_python, *standard_run.COMMANDS["before"]],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    (looked, made) = re.search(r"(\d+) of \d+ images looked at, (\d+) generated", done.stdout).groups()
    assert looked == made
    now = scores(tmp_path / "before")
    assert now.keys() == before.keys()
    assert all(now[test]["clip"] != before[test]["clip"] for test in now)
