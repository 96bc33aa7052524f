"""Likeness over a Ray cluster, and over workers of pytest-xdist: what one process says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.ray_nodes import started

ASKED = "[default]\ntop1 = 0.0\n[likeness]\nssim = 0.9\nembedding = { floor = 0.5, share = 0.5 }\n"
GRID = ("--seedshift-shift=mean", "--seedshift-magnitude=0.3", "--seedshift-images=16", "--seedshift-report=none")
PYTEST = (
    sys.executable,
    "-W",
    "ignore",
    "-m",
    "pytest",
    "-q",
    "-c",
    "/dev/null",
    "--rootdir=.",
    "-p",
    "no:cacheprovider",
)


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*PYTEST, *GRID, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def told(folder: Path, name: str) -> list[tuple[Any, ...]]:
    cases = json.loads((folder / name / "verdicts.json").read_text())["cases"]
    return [
        (each["id"], each["verdict"], each["images"], each["likeness"]["pairs"], each["likeness"]["least"]["label"])
        for each in cases
    ]


@pytest.fixture
def there(request) -> Iterator[str]:
    """The option by which images are made elsewhere."""
    if request.param != "cluster":
        yield request.param
        return
    pytest.importorskip("ray")
    with started({}, {}) as nodes:
        yield f"--seedshift-cluster={nodes.address}"


@pytest.mark.nightly
@pytest.mark.parametrize("there", ["-n2", "cluster"], indirect=True)
def test_pictures_of_the_baseline_go_along(tmp_path, there):
    tmp_path.joinpath("thresholds.toml").write_text("[default]\ntop1 = 0.0\n")
    exact = "--seedshift-model=toy-latent", "--seedshift-exact"
    run(tmp_path, *exact, "--seedshift-save-baseline=base", "--seedshift-dir=old")
    tmp_path.joinpath("thresholds.toml").write_text(ASKED)
    given = "--seedshift-model=toy-latent+steps=3", "--seedshift-baseline=base", "--seedshift-batch-size=4"
    run(tmp_path, *given, "--seedshift-dir=here")
    run(tmp_path, *given, "--seedshift-dir=there", there)
    assert told(tmp_path, "there") == told(tmp_path, "here")
    assert "0 generated" in run(tmp_path, *given, "--seedshift-dir=there")  # in one process, from the same store
