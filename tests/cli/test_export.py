"""`seedshift export`, and `compare` with tables of another harness's scores."""

from __future__ import annotations

import builtins
import csv
import io
import json
import random
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from pyarrow import parquet

from helpers import synthetic
from pytest_seedshift.__main__ import main
from pytest_seedshift.results import foreign_scores, load_run

PLAN = synthetic.Plan(shifts=("mean",), pictures=0, images=8)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = synthetic.write(tmp_path_factory.mktemp("runs") / "run", PLAN)
    synthetic.add_head(folder, PLAN)
    return folder.path


def refused(capsys, *arguments: object) -> str:
    assert main([str(each) for each in arguments]) == 4
    return capsys.readouterr().err


def test_samples_are_the_same_as_csv_as_parquet_and_in_python(run, tmp_path, capsys):
    wanted = load_run.load_run(run).sample_rows()
    assert len(wanted) > 16
    for name in ("deep/samples.csv", "samples.parquet"):
        assert main(["export", str(run), "-o", str(tmp_path / name)]) == 0
    capsys.readouterr()
    assert main(["export", str(run)]) == 0
    text = (tmp_path / "deep/samples.csv").read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    read = list(csv.DictReader(io.StringIO(text)))
    table = parquet.read_table(tmp_path / "samples.parquet").to_pylist()
    assert len(read) == len(table) == len(wanted)
    for of_csv, of_parquet, row in zip(read, table, wanted, strict=True):
        assert of_parquet.pop("verdict") == of_csv["verdict"]
        assert of_parquet == row
        assert all(of_csv[name] == ("" if value is None else str(value)) for name, value in row.items())
        assert [float(of_csv[score]) for score in ("top1", "clip")] == [row["top1"], row["clip"]]


def test_means_are_evaluation_results_that_the_hub_reads(run, tmp_path, capsys):
    model = load_run.load_run(run).models[0]
    file = tmp_path / ".eval_results" / "seedshift.yaml"
    assert main(["export", str(run), "--model", model, "--dataset", "me/seed-shifts", "-o", str(file)]) == 0
    entries = parse_eval_result_entries(yaml.safe_load(file.read_text(encoding="utf-8")))
    cases = load_run.load_run(run).of(model)
    assert len(entries) == sum(len(case.scores) for case in cases)
    values = {each.task_id: each.value for each in entries}
    control = next(case for case in cases if case.case.is_control)
    assert values["top1_control"] == round(control.scores["top1"].mean, 4)
    assert {each.dataset_id for each in entries} == {"me/seed-shifts"}
    assert all("interval" in (each.notes or "") for each in entries)
    assert str(file) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", "samples.xlsx"), "ends in one of .csv, .parquet, .yaml"),
        (("-o", "a.yaml"), "--dataset: evaluation results belong to a benchmark"),
        (("-o", "a.yaml", "--dataset", "me"), "such as --dataset me/seed-shifts"),
        (("-o", "a.yaml", "--dataset", "../x"), "such as --dataset me/seed-shifts"),
        (("-o", "a.yaml", "--dataset", "me/x\nvalue: 1"), "such as --dataset me/seed-shifts"),
        (("-o", "a.yaml", "--dataset", "me/x", "--model", "nobody"), "the run has none of that name"),
        (("--dataset", "me/x"), "--dataset me/x: belongs to --output NAME.yaml"),
    ],
)
def test_what_does_not_fit_together_is_refused(run, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, "export", run, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_it_says_what_to_do(run, tmp_path, monkeypatch, capsys):
    true = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return true(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'pytest-seedshift[parquet]'" in refused(capsys, "export", run, "-o", tmp_path / "a.parquet")


# Scores of another harness ---------------------------------------------------------------------------------------


def table(path: Path, rows: list[tuple[str, float, str]], head: str = "id,clip,prompt") -> Path:
    path.write_text("\n".join([head, *(f"{key},{value},{prompt}" for key, value, prompt in rows)]), encoding="utf-8")
    return path


def versions(seed: int, drop: float, prompts: int = 20, each: int = 5) -> tuple[list, list]:
    """Scores before and after: what a prompt loses or wins is its own, and samples of one prompt share it."""
    draw = random.Random(seed)
    old, new = [], []
    for prompt in range(prompts):
        common = draw.gauss(0, 1)
        for sample in range(each):
            value = draw.gauss(30, 2)
            old.append((f"{prompt}-{sample}", value, f"p{prompt}"))
            new.append((f"{prompt}-{sample}", value + common - drop + draw.gauss(0, 0.2), f"p{prompt}"))
    return old, new


def test_a_version_that_is_worse_is_found_and_one_that_is_not_is_let_through(tmp_path, capsys):
    old, worse = versions(1, 2.0)
    _, same = versions(1, 0.0)
    before = table(tmp_path / "old.csv", old)
    draw = random.Random(2)
    assert main(["compare", str(before), str(table(tmp_path / "b.csv", draw.sample(worse, len(worse))))]) == 1
    assert "worse ✗" in capsys.readouterr().out
    assert main(["compare", str(before), str(table(tmp_path / "c.csv", same)), "--json"]) == 0
    captured = capsys.readouterr()
    (found,) = json.loads(captured.out)["scores"]
    assert (found["pairs"], found["prompts"], found["worse"]) == (100, 20, False)
    assert found["change"]["low"] < 0 < found["change"]["high"]
    assert main(["compare", str(before), str(before)]) == 0


def rate(seeds: int, *, clusters: bool, drop: float = 0.0) -> float:
    """How often a version is called worse."""
    found = 0
    for seed in range(seeds):
        sides = []
        for name, rows in zip(("old", "new"), versions(seed, drop), strict=True):
            scores = {"clip": {key: value for key, value, _ in rows}}
            sides.append(foreign_scores.ForeignScores(name, scores, {key: p for key, _, p in rows} if clusters else {}))
        (change,) = foreign_scores.compare(sides[0], sides[1], certainty=0.99)
        found += change.worse
    return found / seeds


def test_chance_is_no_regression_where_prompts_are_known():
    """A version that has not changed is worse at most in half of 1 % of comparisons; unknown prompts deceive."""
    assert rate(300, clusters=True) <= 0.02
    assert rate(300, clusters=False) > 0.05
    assert rate(50, clusters=True, drop=2.0) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,clip\na,1\na,2\n", "line 3: id 'a': give each sample an id of its own"),
        ("name,clip\na,1\nb,2\n", "give a first line with the columns id"),
        ("id,clip\na,high\nb,2\n", "line 2: clip 'high' is not a number"),
        ("id,clip\na,1,2\nb,2\n", "line 2: 3 values under 2 columns"),
        ("id,clip\na,1\n", "fewer than two samples"),
        ("id,vqa\na,1\nb,0\n", "no score is in both"),
        ("id,clip\na,1\nc,0\n", "old.csv lacks c, which new.csv has"),
        ("id,clip\na,nan\nb,0\n", "clip 'nan' is not a number"),
        ("id,clip\na,1_000\nb,0\n", "clip '1_000' is not a number"),
        ("", "give a first line"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(tmp_path, capsys, text, says):
    (tmp_path / "old.csv").write_text("id,clip\na,1\nb,0\n")
    (tmp_path / "new.csv").write_text(text)
    assert says in refused(capsys, "compare", tmp_path / "old.csv", tmp_path / "new.csv")


def test_an_id_is_the_same_prompt_in_both_tables(tmp_path, capsys):
    before = table(tmp_path / "old.csv", [("0", 1, "a fox"), ("1", 0, "an  owl")])
    same, other = [("1", 1, "an owl"), ("0", 0, "a fox")], [("0", 1, "an owl"), ("1", 0, "a fox")]
    assert main(["compare", str(before), str(table(tmp_path / "same.csv", same))]) == 0
    capsys.readouterr()
    said = refused(capsys, "compare", before, table(tmp_path / "other.csv", other))
    assert "id '0' is of the prompt 'a fox' in old.csv and of 'an owl' in other.csv" in said
    blank = table(tmp_path / "blank.csv", [("0", 1, ""), ("1", 0, "an owl")])
    assert "line 2: no prompt: give each sample one" in refused(capsys, "compare", before, blank)


def test_prompts_that_lose_alike_are_few_prompts_all_the_same(tmp_path):
    """Two prompts lose one of four each: by chance that is common, and no interval without a width."""
    rows = [(f"{prompt}-{seed}", 1, f"p{prompt}") for prompt in range(2) for seed in range(4)]
    worse = [(key, int(key[-1] != "0"), prompt) for key, _, prompt in rows]
    before, after = table(tmp_path / "old.csv", rows), table(tmp_path / "new.csv", worse)
    assert main(["compare", str(before), str(after)]) == 0
    (found,) = foreign_scores.compare(foreign_scores.read(before), foreign_scores.read(after), certainty=0.99)
    assert found.change.low < -0.5 < 0 < found.change.high


def test_a_table_is_not_compared_with_a_run(run, tmp_path, capsys):
    (tmp_path / "old.csv").write_text("id,clip\na,1\nb,0\n")
    assert "a table of scores is compared with another one" in refused(capsys, "compare", tmp_path / "old.csv", run)
    both = (tmp_path / "old.csv", tmp_path / "old.csv")
    assert "--model: belongs to run folders" in refused(capsys, "compare", *both, "--model", "a=b")
