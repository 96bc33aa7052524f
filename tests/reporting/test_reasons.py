"""What stands as a case's reason on page and in summary: the findings' sentence, or what is stored, and that whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers import records, synthetic
from pytest_seedshift.core.text import markdown
from pytest_seedshift.reporting import page, publish, reasons, summary
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.run_folder import RunFolder

PLAN = synthetic.Plan(models=("toy",), shifts=("mean",), magnitudes=(-0.3, 0.3), images=16, pictures=1)
SAID = "somebody says · pictures: are lost · report: to the author"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    return synthetic.write(tmp_path_factory.mktemp("reasons") / "run", PLAN)


def read(folder: RunFolder, tmp_path: Path, **changes: object) -> tuple[runs.Run, runs.CaseRun]:
    """The run with its failing case changed, and that case."""
    made = RunFolder(tmp_path)
    document = folder.read_document()
    document["cases"][2] |= changes
    records.write(made, document["cases"])
    for name in ("samples.sqlite", "run.json"):
        made.path.joinpath(name).write_bytes(folder.path.joinpath(name).read_bytes())
    run = runs.load(made.path)
    return run, run.cases[2]


def test_a_failure_is_told_by_its_findings_whatever_sentence_is_stored(folder, tmp_path):
    run, case = read(folder, tmp_path, reason="mean shift +0.30 breaks toy: nothing of the kind · pictures: nowhere")
    first, rest = reasons.text(case).splitlines()
    assert first.startswith("mean shift +0.30 breaks toy: top-1 0.")
    assert "worst classes: " in rest
    assert "nothing of the kind" not in page.make(run)
    assert "nowhere" not in page.make(run)
    assert reasons.lines(case)[0] == first.replace("mean shift +0.30 breaks toy: ", "")
    assert markdown(reasons.lines(case)[0]) in summary.make(run, publish.LIMIT)


@pytest.mark.parametrize("verdict", ["error", "skipped"])
def test_what_no_finding_tells_stands_as_it_was_said(folder, tmp_path, verdict):
    run, case = read(folder, tmp_path, verdict=verdict, reason=SAID, constraints=[], scores={})
    assert reasons.text(case) == SAID
    assert reasons.lines(case) == [SAID]
    assert SAID in page.make(run)


def test_a_test_that_decides_otherwise_is_told_with_the_findings(folder, tmp_path):
    _, decided = read(folder, tmp_path, verdict="pass")
    assert reasons.text(decided).startswith("the test decides, and passes: mean shift +0.30 breaks toy: top-1 ")
    _, spoiled = read(folder, tmp_path, verdict="error")
    assert reasons.text(spoiled).startswith("its test's teardown has failed; before that: mean shift +0.30 breaks toy")
    _, passes = read(folder, tmp_path, verdict="fail", outcome="xpassed", reason="it was to fail")
    assert reasons.text(passes) == "it was to fail"


def test_pictures_of_one_colour_are_counted_in_it(folder, tmp_path):
    assert "3 of 16 pictures are of one colour" in reasons.text(read(folder, tmp_path, flat=3)[1])
    assert json.loads(RunFolder(tmp_path).verdicts_file.read_text())["cases"][2]["flat"] == 3
    assert "colour" not in reasons.text(read(folder, tmp_path)[1])
