"""Runs under settings that change pictures: no sample of another setting is used, and the setting is named."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
import torch

from helpers.runs import PAGELESS


@pytest.fixture(autouse=True)
def _set_back():
    yield
    torch.set_float32_matmul_precision("highest")


def rows(pytester) -> int:
    with closing(sqlite3.connect(pytester.path / ".seedshift/samples.sqlite")) as connection:
        return connection.execute("SELECT count(*) FROM samples").fetchone()[0]


def recorded(pytester) -> list[list[str]]:
    document = json.loads((pytester.path / ".seedshift/run.json").read_text())
    return [model["settings"] for run in document["runs"] for model in run["models"]]


def test_a_precision_that_is_set_makes_samples_of_its_own_and_is_named(pytester, run):
    run(*PAGELESS).assert_outcomes(passed=2)
    assert recorded(pytester) == [[]]
    before = rows(pytester)
    pytester.makeconftest("import torch\ntorch.set_float32_matmul_precision('medium')")
    said = "*set in this process: float32 matmul precision (oneDNN) = bf16*"
    result = run(*PAGELESS)
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*will be used again*")
    assert recorded(pytester) == [["float32 matmul precision (oneDNN) = bf16"]]
    assert rows(pytester) == 2 * before
    again = run(*PAGELESS)
    again.stdout.fnmatch_lines(["seedshift: 32 samples of earlier runs will be used again", said])
    torch.set_float32_matmul_precision("highest")
    pytester.makeconftest("")
    last = run(*PAGELESS)
    last.stdout.fnmatch_lines(["seedshift: 32 samples of earlier runs will be used again"])
    last.stdout.no_fnmatch_line("*set in this process*")


def test_a_fixture_that_sets_it_after_the_start_is_not_taken_in_silence(pytester, run):
    run(*PAGELESS).assert_outcomes(passed=2)
    before = rows(pytester)
    pytester.makeconftest(
        "import pytest, torch\n@pytest.fixture(autouse=True)\ndef medium():\n"
        "    torch.set_float32_matmul_precision('medium')\n    yield\n    torch.set_float32_matmul_precision('highest')"
    )
    result = run(*PAGELESS, "-W", "default")
    result.stdout.fnmatch_lines(["*settings of this process that change pictures were changed after the run's start*"])
    assert rows(pytester) == 2 * before
