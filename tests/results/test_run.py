"""A run folder read back: what is there is told, what is missing too, and nothing that is not so."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import pytest_seedshift as seedshift
from helpers import synthetic
from pytest_seedshift.core.registry import ExtensionError, Registry
from pytest_seedshift.core.score_kinds import ScoreKind
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.core.scores import COLUMNS, TAKEN
from pytest_seedshift.reporting import page, summary
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.run import RunError
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.results.sample_rows import Image, ScoreKey
from pytest_seedshift.results.sample_store import Store

SMALL = synthetic.Plan(models=("toy-latent",), shifts=("mean",), magnitudes=(-0.3, 0.3), pictures=4)
BROKEN = "toy-latent-mean-+0.30"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return synthetic.write(tmp_path_factory.mktemp("whole") / "run", SMALL).path


@pytest.fixture
def folder(whole, tmp_path) -> RunFolder:
    """A copy to damage."""
    return RunFolder(Path(shutil.copytree(whole, tmp_path / "run")))


def case(run: runs.Run, name: str = BROKEN) -> runs.CaseRun:
    return next(each for each in run.cases if each.id == name)


def edit(folder: RunFolder, change) -> None:
    document = json.loads(folder.verdicts_file.read_text())
    change(document)
    folder.verdicts_file.write_text(json.dumps(document))


def files(path: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_a_whole_run_lacks_nothing_and_is_left_as_it_is(folder):
    before = files(folder.path)
    run = runs.load(folder.path)
    assert run.notes == ()
    assert [each.id for each in run.cases] == ["toy-latent-none-+0.00", "toy-latent-mean--0.30", BROKEN]
    assert all(each.complete and len(each.samples) == 16 for each in run.cases)
    assert sum(sample.picture is not None for sample in case(run).samples) == 4
    assert len(list(case(run).paired())) == 16
    assert run.facts[0].command == "pytest --seedshift-model=toy-latent,toy-glide"
    assert files(folder.path) == before


def test_means_of_the_samples_are_those_of_the_verdict(folder):
    for each in runs.load(folder.path).cases:
        right = [sample.scores["top1"] for sample in each.samples]
        assert sum(right) / len(right) == pytest.approx(each.scores["top1"].mean)


def test_samples_of_another_version_of_the_model_are_not_taken_for_the_verdicts(folder):
    """The store keeps both; run.json says whose verdict it is, and where it does not, the means do."""
    with closing(Store(folder.samples_file)) as store:
        for sample in case(runs.load(folder.path)).samples:
            what = ("toy-latent", "mean", 0.3, sample.label, sample.seed, "a prompt")
            key = f"other {sample.label} {sample.seed}"
            index = SMALL.labels.index(sample.label)
            values = {
                ScoreKey(key, "vit", index): {"top1": 0.5, "top5": 0.5},
                ScoreKey(key, "clip", index): {"clip": 1.0},
            }
            store.add([Image(key, "another model", *what)], values)
    for name in ("run.json", "none"):
        folder.path.joinpath(name).unlink(missing_ok=True)
        found = case(runs.load(folder.path))
        assert found.complete
        assert all(sample.scores["clip"] > 1 for sample in found.samples)


def test_samples_that_are_not_those_of_the_verdict_are_left_out_and_it_is_said(folder):
    def other(document):
        document["cases"][2]["scores"]["clip"].update(mean=33.3, low=0.0, high=50.0)
        document["cases"][2]["constraints"] = []

    edit(folder, other)
    run = runs.load(folder.path)
    assert not case(run).complete
    assert any(f"does not hold the samples that these verdicts rest on: {BROKEN}." in note for note in run.notes)
    assert f"{BROKEN}" in page.make(run)


def test_a_smaller_design_is_told_from_the_larger_one_that_the_store_holds(folder):
    def half(document):
        for entry in document["cases"]:
            entry["images"] = entry["design"] = 8
            entry["constraints"] = []

    whole = case(runs.load(folder.path))
    edit(folder, half)
    first = [sample for sample in whole.samples if sample.seed == 0]  # eight labels: their first seeds are the design

    def means(document):
        for name, found in document["cases"][2]["scores"].items():
            found |= {"mean": sum(sample.scores[name] for sample in first) / 8, "low": 0.0, "high": 50.0}

    edit(folder, means)
    assert case(runs.load(folder.path)).samples == tuple(first)


# What is missing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: folder.path.joinpath("run.json").unlink(), "run.json is not there"),
        (lambda folder: folder.path.joinpath("run.json").write_text("{"), "run.json cannot be read"),
        (lambda folder: folder.path.joinpath("run.json").write_text('{"version": 9}'), "run.json has the version 9"),
        (lambda folder: folder.samples_file.unlink(), "samples.sqlite is not there"),
        (
            lambda folder: folder.samples_file.write_bytes(b"SQLite format 3\0 and then no more"),
            "samples.sqlite cannot be",
        ),
        (lambda folder: shutil.rmtree(folder.path / "pictures"), "12 pictures that the run kept are not in the folder"),
        (lambda folder: folder.verdicts_file.unlink(), "verdicts.json is not there"),
        (
            lambda folder: folder.verdicts_file.write_text('{"version": 1, "cases": [{"id"'),
            "verdicts.json cannot be read",
        ),
        (
            lambda folder: edit(folder, lambda d: d["cases"].append({"id": "x"})),
            "case 4 of verdicts.json cannot be read",
        ),
        (lambda folder: edit(folder, lambda d: d.update(cases=3)), "verdicts.json has no list of cases"),
        (
            lambda folder: edit(folder, lambda d: d.update(grid=[{"id": BROKEN}, {"id": "toy-latent-std-+0.30"}])),
            "1 of the 2 cases of the grid have no verdict: toy-latent-std-+0.30",
        ),
    ],
)
def test_what_is_missing_is_said_on_a_page_that_tells_the_rest(folder, damage, says):
    damage(folder)
    run = runs.load(folder.path)
    assert any(says in note for note in run.notes)
    made = page.make(run)
    assert "What is missing from this report" in made
    assert 'id="toy-latent-mean-+0.30"' in made


def test_a_damaged_row_is_left_out(folder):
    with closing(sqlite3.connect(folder.samples_file)) as connection:
        connection.execute("UPDATE images SET label = 'other' WHERE key = (SELECT key FROM images LIMIT 1)")
        connection.commit()
    assert any("1 rows of samples.sqlite are damaged" in note for note in runs.load(folder.path).notes)


def test_a_run_that_was_interrupted_has_cases_without_a_verdict(folder):
    folder.verdicts_file.unlink()
    run = runs.load(folder.path)
    assert {each.verdict for each in run.cases} == {runs.UNFINISHED}
    assert case(run).scores["top1"].mean == pytest.approx(sum(s.scores["top1"] for s in case(run).samples) / 16)
    assert "3 cases had no verdict when the run ended" in page.make(run)


def test_no_file_outside_of_the_folder_gets_on_the_page(folder, tmp_path):
    secret = next(folder.path.glob("pictures/*/*.png")).rename(tmp_path / "secret.png")
    entry = {"label": "owl", "seed": 0, "right": True, "control_right": True, "picture": "../secret.png"}
    edit(folder, lambda document: document["cases"][2].update(pictures=[{**entry, "control": str(secret)}]))
    folder.samples_file.unlink()
    found = case(runs.load(folder.path))
    assert [(sample.picture, sample.lost) for sample in (*found.samples, *found.control.values())] == [(None, True)] * 2


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "is not a folder: give a run folder"),
        (lambda path: path.write_text("a file"), "is not a folder: give a run folder"),
        (lambda path: path.mkdir(), "holds no run that can be read: verdicts.json is not there"),
        (lambda path: RunFolder(path).prepare(), "samples.sqlite is not there. Give the folder that a run wrote to"),
        (
            lambda path: synthetic.write(path, SMALL).verdicts_file.write_text('{"version": 7, "cases": []}'),
            "upgrade pytest",
        ),
        (lambda path: (path.mkdir(), Store(path / "samples.sqlite").close()), "no verdict and no sample was written"),
    ],
)
def test_a_folder_of_which_nothing_can_be_told_is_an_error_that_says_why(tmp_path, make, says):
    make(tmp_path / "run")
    with pytest.raises(RunError, match=says):
        runs.load(tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_can_be_read(folder):
    for each in (folder.path, folder.samples_file):
        each.chmod(0o500)
    try:
        assert case(runs.load(folder.path)).complete
    finally:
        folder.path.chmod(0o700)


def test_a_run_that_is_being_written_can_be_read(folder):
    with closing(Store(folder.samples_file)) as store:
        store.set_visited("f", "mean", 0.3, 16, 8)  # in the write-ahead log now
        assert case(runs.load(folder.path)).complete


def test_a_loaded_run_is_tables_of_its_cases_and_samples(folder):
    run = seedshift.load_run(str(folder.path))
    assert run == runs.load(folder.path)
    rows = run.case_rows()
    assert [row["case"] for row in rows] == ["toy-latent-none-+0.00", "toy-latent-mean--0.30", BROKEN]
    assert len({tuple(row) for row in rows}) == 1
    for row, each in zip(rows, run.cases, strict=True):
        assert (row["verdict"], row["images"], row["magnitude"]) == (each.verdict, each.images, each.case.magnitude)
        assert row["top1"] == each.scores["top1"].mean
        assert row["top1_low"] <= row["top1"] <= row["top1_high"]
        assert row["clip_control"] == each.control_means.get("clip")
    samples = run.sample_rows()
    assert len(samples) == 3 * 16
    assert {type(value) for row in (*rows, *samples) for value in row.values()} <= {str, int, float, bool, type(None)}
    right = [row["top1"] for row in samples if row["case"] == BROKEN]
    assert sum(right) / len(right) == pytest.approx(rows[2]["top1"])
    assert sum(Path(row["picture"]).is_file() for row in samples if row["picture"]) == 3 * 4


def test_tables_of_a_run_have_the_scores_that_it_tells_of(tmp_path):
    kinds = {"contrast": ScoreKind("contrast", 2.0, binary=False)}
    folder = synthetic.write(tmp_path / "run", replace(SMALL, scores=ScoreRegistry(kinds)))
    assert "contrast" not in runs.load(folder.path).case_rows()[0]  # of which nothing is told
    edit(folder, lambda document: document.update(scores={"contrast": {"title": "c", "top": 2.0, "binary": False}}))
    run = seedshift.load_run(folder.path)
    assert run == runs.load(folder.path)
    assert {row["contrast"] for row in (*run.case_rows(), *run.sample_rows())} == {0.5}
    assert [row["contrast_control"] for row in run.case_rows()] == [None, 0.5, 0.5]


def test_no_score_can_take_the_place_of_a_column(whole):
    run = runs.load(whole)
    of_scores = {f"{name}{end}" for name in run.scores for end in ("", "_low", "_high", "_control")}
    columns = {column for table in (run.case_rows(), run.sample_rows()) for column in table[0]} - of_scores
    assert columns == set(COLUMNS)
    for name in columns:
        with pytest.raises(ExtensionError, match=f"two scorers are called '{name}'"):
            Registry("scorer", TAKEN, [("mine", {name: object})])


def test_what_is_no_run_cannot_be_loaded(tmp_path):
    with pytest.raises(RunError, match="give a run folder"):
        seedshift.load_run(tmp_path / "nowhere")


def _with_score(path: Path, name: str, kind: ScoreKind) -> Path:
    """A run whose own score has a name and a kind."""
    plan = replace(SMALL, scores=ScoreRegistry({name: kind}))
    folder = synthetic.write(path, plan)
    synthetic.add_head(folder, plan, scores={name: asdict(kind)})
    return folder.path


def test_two_runs_with_unlike_scores_are_read_at_once_each_with_its_own(tmp_path):
    """Also where a score of one name is another one: nothing of the one comes into the other's tables or page."""
    here = _with_score(tmp_path / "here", "contrast", ScoreKind("Contrast of one", 2.0, binary=False))
    there = _with_score(tmp_path / "there", "contrast", ScoreKind("Contrast of the other", 9.0, binary=False))
    third = _with_score(tmp_path / "third", "sharpness", ScoreKind("Sharpness", 1.0, binary=False))
    folders = [here, there, third] * 2

    def look(folder: Path) -> tuple[object, ...]:
        run = runs.load(folder)
        return run.scores, dict(run.kinds), run.case_rows(), summary.make(run, 100_000)

    alone = list(map(look, folders))
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(look, folders)) == alone
    assert [kinds["contrast"].top for _, kinds, *_ in alone[:2]] == [2.0, 9.0]
    assert [scores[-1] for scores, *_ in alone[:3]] == ["contrast", "contrast", "sharpness"]
    titles = ("Contrast of one", "Contrast of the other", "Sharpness")
    only_its_own = [[place == other for other in range(3)] for place in range(3)]
    assert [[title in told for title in titles] for *_, told in alone[:3]] == only_its_own
    held = [runs.load(folder) for folder in (here, there, third)]  # all at once
    drawn = [page.make(run) for run in held]  # matplotlib's settings are the process's: one after another
    assert [[title in each for title in titles] for each in drawn] == only_its_own
