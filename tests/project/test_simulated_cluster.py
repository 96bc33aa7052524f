"""What many GPUs would wait for, and make in vain: see benchmarks/cluster.py, whose short form this is.

The GPUs are simulated and the driver takes no time, so that each figure is the same on any machine.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from pytest_seedshift.runner import scheduler
from pytest_seedshift.runner.batch_choice import Choice


@pytest.fixture(scope="module")
def cluster():
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        yield importlib.import_module("cluster")
    finally:
        del sys.path[0]


@pytest.fixture(scope="module")
def grid(cluster):
    return cluster.drawn(1, 400)


def test_few_gpus_hardly_wait_and_make_hardly_anything_in_vain(cluster, grid):
    found = cluster.scheduled(grid, 4, 4)
    assert found.made >= found.needed
    assert found.idle < cluster.MOST_IDLE
    assert found.too_many < cluster.MOST_TOO_MANY / 2


def test_as_many_gpus_as_half_the_cases_are_busy_with_what_is_needed(cluster, grid, monkeypatch):
    found = cluster.scheduled(grid, 25, 8)
    assert found.idle < cluster.MOST_IDLE
    assert found.too_many < cluster.MOST_TOO_MANY
    monkeypatch.setattr(scheduler, "Choice", lambda: Choice(least=0.1, behind=0.0))
    assert cluster.scheduled(grid, 25, 8).too_many > cluster.MOST_TOO_MANY
