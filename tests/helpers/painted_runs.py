"""Whole runs of painted models, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

THRESHOLDS = '[default]\nwhite = 0.8\n[models.mine]\nclasses = "toy16"\n'
MINE = ("--seedshift-model=mine", "--seedshift-shift=mean", "--seedshift-magnitude=-0.3,0.3", "--seedshift-images=64")
OF_OTHERS = re.compile(r"^.*(?:torch/utils/_pytree\.py|torchao).*\n(?:[ \t].*\n)*", re.MULTILINE)
"""What torch and diffusers say where torchao is installed, and Python of its source when it compiles that."""

UNCOMPILED = {"PYTHONWARNINGS": "ignore:invalid escape sequence"}
"""Python says this of torchao's source when it compiles it, which is each time where it may not write."""

PYTEST = (sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir=.", "-p", "no:randomly")


def run(folder: Path, *arguments: str, status: int | None = 1, **environment: str) -> str:
    """A run in a process of its own; what it has printed. `status` None is that of any verdicts."""
    done = subprocess.run(
        [*PYTEST, "seedshift", *arguments],
        cwd=folder,
        env={**os.environ, **UNCOMPILED, **environment},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode in ((0, 1) if status is None else (status,)), done.stdout + done.stderr
    if status == 4:  # pytest tells of it there
        return done.stdout + done.stderr
    assert OF_OTHERS.sub("", done.stderr) == ""
    return done.stdout


def document(folder: Path, name: str = ".seedshift") -> dict[str, Any]:
    """The verdicts.json of a run folder."""
    found: dict[str, Any] = json.loads((folder / name / "verdicts.json").read_text())
    return found
