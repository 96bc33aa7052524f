"""`seedshift seeds`: what a run's seed indices show, what another run confirms, what cannot be compared."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from helpers import synthetic
from pytest_seedshift.cli.main import main
from pytest_seedshift.results import run as runs
from pytest_seedshift.results import seeds

LABELS = tuple(f"label {number}" for number in range(24))
FRESH = tuple(f"fresh {number}" for number in range(24))
BAD = 5


def made(path, labels=LABELS, bad=BAD) -> runs.Run:
    """A run in which one index is wrong under every label, where labels would share their vectors."""
    plan = synthetic.Plan(models=("toy-latent",), shifts=(), labels=labels, images=8 * len(labels), pictures=0)
    run = runs.load(synthetic.write(path, plan).path)
    rng = np.random.default_rng(0)

    def planted(sample):
        right = float(rng.random() < 0.7 and sample.seed != bad)
        return dataclasses.replace(sample, scores={**sample.scores, "top1": right})

    cases = tuple(dataclasses.replace(case, samples=tuple(map(planted, case.samples))) for case in run.cases)
    return dataclasses.replace(run, cases=cases)


def test_a_planted_index_is_found_with_its_vector_and_confirmed_on_other_labels(tmp_path):
    vectors = np.random.default_rng(1).normal(size=(8, 4, 8, 8)).astype(np.float32)
    vectors[BAD] *= 1.5
    save_file({f"{label} {k}": vectors[k].copy() for label in LABELS for k in range(8)}, tmp_path / "z.safetensors")
    found = seeds.of_run(
        made(tmp_path / "one"),
        certainty=0.99,
        confirm=made(tmp_path / "two", FRESH),
        latents=tmp_path / "z.safetensors",
    )
    assert [each.seed for each in found.worse] == [BAD]
    assert found.holds == (BAD,)
    assert found.vectors[BAD].shared == len(LABELS)
    assert found.vectors[BAD].norm == pytest.approx(1.5, abs=0.2)
    unlike = seeds.of_run(made(tmp_path / "one"), certainty=0.99, confirm=made(tmp_path / "three", FRESH, bad=2))
    assert unlike.holds == ()


def test_the_command_says_what_an_index_is_and_finds_none_by_chance(tmp_path, capsys):
    plan = synthetic.Plan(models=("toy-latent",), shifts=("mean",), images=64)
    folder = synthetic.write(tmp_path / "run", plan).path
    assert main(["seeds", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "no index is worse than others beyond chance, at 99 % over all of them" in said
    assert "index 3 of two labels is two seed vectors" in said
    page = (folder / "seeds-toy-latent.html").read_text()
    assert "No seed index of toy-latent is worse than others beyond chance" in page
    assert page.count('class="shot') > 3  # of the lowest
    assert main(["seeds", str(folder), "--score", "clip", "--json", "--certainty", "0.9"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert json.loads((folder / "seeds-toy-latent.json").read_text()) == figures
    (folder / "seeds-toy-latent.json").write_text("{}")
    assert main(["seeds", str(folder)]) == 4
    assert "seeds-toy-latent.json, which is another file. Give another name" in capsys.readouterr().err
    assert main(["seeds", str(folder), "--output", "-"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("<!DOCTYPE html>")
    assert "no index is worse" in said.err
    assert figures["version"] == 1
    assert (figures["score"], figures["labels"], len(figures["indices"])) == ("clip", 8, 8)
    assert figures["confirmed"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "toy-laten"], "Did you mean 'toy-latent'?"),
        (["--score", "nothing"], "unknown score 'nothing'"),
        (["--certainty", "99"], "give a number above 0.5 and below 1"),
        (["--confirm", "RUN"], "can only be confirmed on others"),
    ],
)
def test_mistakes_are_told(tmp_path, capsys, arguments, said):
    plan = synthetic.Plan(models=("toy-latent",), shifts=(), images=16, pictures=0)
    folder = synthetic.write(tmp_path / "run", plan).path
    assert main(["seeds", str(folder), *(str(folder) if each == "RUN" else each for each in arguments)]) == 4
    assert said in capsys.readouterr().err


def test_several_models_and_a_file_that_is_none(tmp_path, capsys):
    folder = synthetic.write(tmp_path / "run", synthetic.Plan(shifts=(), images=16, pictures=0)).path
    assert main(["seeds", str(folder)]) == 4
    assert "choose one by --model: toy-latent, toy-glide" in capsys.readouterr().err
    (tmp_path / "z.safetensors").write_text("nothing")
    with pytest.raises(seeds.SeedsError, match="cannot be read as seed vectors"):
        seeds.of_run(made(tmp_path / "one"), certainty=0.99, latents=tmp_path / "z.safetensors")
