"""A machine that has too little memory: a real limit on a real process, and the shipped model."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the address space as Linux can"),
]

SCRIPT = """
import resource, sys
from pathlib import Path

from pytest_seedshift.core.cases import Case
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.load import load

model = load(catalogue.shipped().find("toy-latent"), "cpu", "float32")
design, control = catalogue.shipped().design("toy-latent", 64), Case("toy-latent")
# What the first images need once, such as threads, is no part of what a batch needs.
list(Engine(model, [], 2, overlap=False).run(control, design[:2]))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]) * 2**20, resource.RLIM_INFINITY))
engine = Engine(model, [], 64, overlap=False)
made = [len(batch.pairs) for batch in engine.run(control, design)]
print(sum(made), len(made), max(made), engine.batch_size)
"""


def with_room_for(megabytes: int, python: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-c", SCRIPT, str(megabytes)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def test_a_batch_that_does_not_fit_is_halved_until_it_does(warm_python):
    result = with_room_for(150, warm_python)
    assert result.returncode == 0, result.stderr
    images, batches, largest, size = map(int, result.stdout.split())
    assert images == 64
    assert batches > 1
    assert size <= largest < 64  # memory in pieces may halve it more than once
