"""`seedshift worst`: what it prints and writes, and what it refuses before anything is made."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file

from pytest_seedshift.cli.main import main
from pytest_seedshift.core.pairs import Pair
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.studies.worst.painter import Painter


@pytest.mark.usefixtures("memory")
def test_it_prints_a_table_writes_a_page_and_the_found_vectors_give_the_pictures_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["worst", "toy-latent", "--pairs", "2", "--budget", "8", "--json"]) == 0
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert figures["images"] == 2 * (2 * 8 + 1)
    assert figures["deterministic"]
    assert "This is a lower bound on how bad a seed can be" in said.err
    written = tmp_path / ".seedshift" / "worst-toy-latent.html"
    assert json.loads(written.with_suffix(".json").read_text()) == figures
    assert written.read_text().count('<image id="') == 3 * 2
    vectors = load_file(written.with_suffix(".safetensors"))
    assert {f"{each['label']} {each['seed']}" for each in figures["pairs"]} == vectors.keys()
    folder = RunFolder(tmp_path / "again")
    folder.prepare()
    bench = Workbench(folder, "cpu", "float32")
    labels = {each.name: each for each in bench.catalogue.find("toy-latent").prompt_set.prompts}
    painter = Painter(bench.service.engine("toy-latent"), "clip")
    pairs = [Pair(labels[each["label"]], each["seed"]) for each in figures["pairs"]]
    drawn = painter.paint(pairs, [vectors[f"{each.label.name} {each.seed}"] for each in pairs])
    for picture, each in zip(drawn, figures["pairs"], strict=True):
        assert picture.score == pytest.approx(each["found"]["score"], abs=1e-3)
        assert picture.right == bool(each["found"]["right"])
    bench.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["toy-latnt"], "Did you mean 'toy-latent'"),
        (["toy-latent", "--score", "clp"], "--score=clp: unknown score 'clp'. Did you mean 'clip'"),
        (["toy-latent", "--budget", "7"], "--budget 7: give at least 8 images"),
        (["toy-latent", "--pairs", "0"], "--pairs 0: give at least 2"),
        (["toy-latent", "--certainty", "2"], "--certainty 2: give a number above 0.5"),
        (["toy-latent", "--budget", "90000"], "more than 100,000, the limit"),
        (["toy-latent", "--output", "worst.json"], "give a name such as worst.html"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["worst", *arguments]) == pytest.ExitCode.USAGE_ERROR
    told = capsys.readouterr()
    assert said in told.err
    assert not list(tmp_path.rglob("*.sqlite")), "nothing was made"


def test_the_numbers_of_the_help_page_are_those_of_the_experiment():
    from pytest_seedshift.cli import worst
    from pytest_seedshift.studies.worst import experiment

    asked = worst.Asked("any")
    assert (asked.pairs, asked.budget, asked.confirm) == (experiment.PAIRS, experiment.BUDGET, experiment.CONFIRM)
