"""What a failing case names as the next step: the command that looks for a remedy, where that makes sense."""

from __future__ import annotations

import dataclasses
import json
import shlex

import pytest

from helpers import synthetic
from helpers.records import record
from pytest_seedshift.cli.main import main
from pytest_seedshift.reporting import page, remedy_hint
from pytest_seedshift.results import metadata
from pytest_seedshift.results import run as runs

PLAN = synthetic.Plan(shifts=("mean", "std"), magnitudes=(0.2, 0.3), pictures=0)


def bound(kind: str = "min", score: str = "top1", *, holds: bool = False) -> dict:
    return {"score": score, "kind": kind, "bound": 0.6, "measured": 0.9 if holds else 0.3, "holds": holds}


def cases(*bounds: dict, control: str = "pass", **more) -> list:
    shifted = {"shift": "mean", "magnitude": 0.3, "verdict": "fail", "constraints": list(bounds), **more}
    return [record(verdict=control), record(shifted), record({**shifted, "magnitude": 0.2})]


def test_a_page_names_the_command_once_for_the_model_that_breaks_and_for_no_other(tmp_path):
    folder = synthetic.write(tmp_path / "a run", PLAN)
    run = runs.load(folder.path)
    made = page.make(run)
    named = shlex.join(["seedshift", "remedies", "toy-latent", "--of", "a run"])
    assert made.count(named.replace("'", "&#39;")) == 1
    assert "remedies toy-glide" not in made
    # A pipeline in memory is known to no command.
    told = dataclasses.replace(run, facts=(metadata.Facts(command="seedshift.evaluate toy-latent"),))
    assert "seedshift remedies" not in page.make(told)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (cases(bound()), True),
        (cases(bound("max_drop"), bound(holds=True)), True),
        (cases(bound(), control="fail"), False),
        (cases(bound(), control="error"), False),
        (cases(bound())[1:], False),
        (cases(bound("max_regression")), False),
        (cases(bound(score="top1:min_class")), False),
        (cases(bound(holds=True)), False),
        (cases(bound(), outcome="xfailed"), False),
        (cases(bound(), verdict="pass"), False),
        (cases(bound(), null=True), False),
    ],
)
def test_it_is_named_where_a_remedy_could_be_judged(tmp_path, found, named):
    said = remedy_hint.lines(found, tmp_path / "run")
    assert said == (["what may heal toy: seedshift remedies toy --of run"] if named else [])


def test_the_command_that_is_named_is_one_that_begins(tmp_path, capsys):
    folder = synthetic.write(tmp_path / "run", PLAN)
    document = json.loads(folder.verdicts_file.read_text())
    (said,) = remedy_hint.lines(map(record, document["cases"]), folder.path)
    command = shlex.split(said.partition(": ")[2])
    assert command[:3] == ["seedshift", "remedies", "toy-latent"]
    assert main([*command[1:4], str(folder.path), "--images=-1"]) == 4  # as far as the options: the run has been read
    assert "-1 images are fewer than" in capsys.readouterr().err
