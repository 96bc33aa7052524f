"""A run's results in a model card, read back as the Hugging Face hub's library reads it."""

from __future__ import annotations

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given

from helpers import records, synthetic
from helpers.strange_markdown import HOSTILE, shown
from helpers.strange_text import HOSTILE as NAMES
from helpers.strange_text import starts_a_command, unseen
from pytest_seedshift.__main__ import main
from pytest_seedshift.reporting import card
from pytest_seedshift.results import run as runs

OTHERS = """\
---
# what the next line says is true
license: mit  # and this
model-index:
- name: Mine
  results:
  - task: {type: text-to-image}
    dataset: {type: coco, name: COCO}
    metrics: [{type: fid, value: 12.3}]

# of the tags
tags: [a, "b"]
---
# Mine

Some words.
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> runs.Run:
    return runs.load(synthetic.write(tmp_path_factory.mktemp("run"), synthetic.Plan(pictures=0)).path)


def results(made: str) -> dict:
    read = ModelCard(made).data.eval_results
    return {(each.dataset_config, each.metric_name): each for each in read if each.dataset_type == card.DATASET}


def test_the_hub_s_library_reads_every_case_and_score_with_its_interval(run):
    made = card.make(run, "toy-latent")
    read = ModelCard(made)
    assert read.data.model_name == "toy-latent"
    assert read.data.pipeline_tag == "text-to-image"
    found = results(made)
    assert len(found) == len(read.data.eval_results) == 5 * 3
    case = next(case for case in run.of("toy-latent") if case.id == "toy-latent-mean-+0.30")
    broken = found["mean", "top-1 accuracy at +0.30"]
    assert (broken.task_type, broken.metric_type) == ("text-to-image", "accuracy")
    assert broken.metric_value == round(case.scores["top1"].mean, 4)
    told = broken.metric_args
    assert told["low"] < broken.metric_value < told["high"]
    assert (told["magnitude"], told["images"], told["design"], told["verdict"]) == (0.3, 16, 16, "fail")
    assert told["scorer"] == "a/vit"
    assert broken.dataset_name == "Shifted seed vectors (shift mean), labels of toy16"
    assert found["none", "CLIP score"].metric_value > 30
    assert found["none", "CLIP score"].metric_args["scorer"] == "a/clip"
    page = shown(read.text)
    assert "toy-latent fails 1 of 5 cases: breaks under mean at +0.30." in page.text
    assert page.text.count("❌ 0.") == 1
    assert "toy-glide" not in made


def test_an_existing_card_keeps_the_rest_to_the_letter(run):
    made = card.make(run, "toy-latent", OTHERS)
    for text in (
        OTHERS.partition("model-index")[0],
        '\n\n# of the tags\ntags: [a, "b"]\n---\n# Mine\n\nSome words.\n\n',
    ):
        assert text in made
    read = ModelCard(made)
    assert read.data.model_name == "Mine"
    assert read.data.tags == ["a", "b"]
    assert [each.metric_value for each in read.data.eval_results if each.dataset_type == "coco"] == [12.3]
    assert len(results(made)) == 15


@pytest.mark.parametrize(
    "existing",
    [
        "",
        OTHERS,
        OTHERS.replace("\n", "\r\n"),
        "\ufeff" + OTHERS,
        "# No metadata\n",
        "---\ntags: [x]\n---",
        "---\n# nothing yet\n---\ntext",
        "---\nmodel-index: []\nlicense: mit\n---\n",
        "---\nlicense: mit\nmodel-index:\n- name: other\n  results: []\n- name: toy-latent\n  results: []\n---\n",
    ],
    ids=["none", "others", "crlf", "bom", "no metadata", "no end", "comment", "empty index", "two models"],
)
def test_written_twice_is_written_once_and_newer_results_replace_older(run, existing):
    once = card.make(run, "toy-latent", existing)
    assert card.make(run, "toy-latent", once) == once
    assert len(results(once.removeprefix("\ufeff"))) == 15
    assert once.count("## Robustness to shifts") == 1
    assert ("\r\n" in once) == ("\r\n" in existing)
    assert "\n" not in once.replace("\r\n", "") or "\r\n" not in existing
    body = existing.rpartition("---")[2].strip()
    assert body in once


@pytest.mark.parametrize(
    ("existing", "says"),
    [
        ("---\nlicense: [mit\n---\n", "not valid YAML"),
        ("---\n- a\n- b\n---\n", "no YAML mapping"),
        ("---\n{license: mit}\n---\n", "no YAML mapping"),
        ("---\nmodel-index: yes\n---\n", "not a list of models"),
        ("---\nmodel-index:\n- name: x\n  results: [{task: {type: a}}]\n---\n", "huggingface_hub cannot read"),
        (
            "---\nmodel-index:\n- &x {name: a, results: []}\nother: *x\n---\n",
            "undefined alias",
        ),
    ],
)
def test_a_card_that_cannot_be_read_is_left_as_it_is(run, existing, says):
    with pytest.raises(card.CardError, match=says):
        card.make(run, "toy-latent", existing)


def test_names_are_shown_as_text(tmp_path):
    model = "mo|del: <img src=x> #1 '\"🦉"
    plan = synthetic.Plan(models=(model,), labels=HOSTILE, pictures=0)
    made = card.make(runs.load(synthetic.write(tmp_path / "run", plan).path), model)
    read = ModelCard(made)
    assert read.data.model_name == model
    page = shown(read.text)
    assert f"{model} fails 1 of 5 cases" in page.text
    assert "img" not in page.tags


def test_what_was_not_judged_is_no_result_and_is_named(tmp_path):
    folder = synthetic.write(tmp_path / "run", synthetic.Plan(models=("one",), pictures=0))
    document = folder.read_document()
    document["cases"][1] |= {"verdict": "error", "reason": "a NaN", "scores": {}}
    records.write(folder, document["cases"])
    made = card.make(runs.load(folder.path), "one")
    assert len(results(made)) == 4 * 3
    assert "Not judged: mean -0.30." in made


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_prints_a_card_or_writes_one(run, tmp_path, capsys):
    assert main(["card", str(run.path), "--model", "toy-glide"]) == 0
    printed = capsys.readouterr().out
    assert ModelCard(printed).data.model_name == "toy-glide"
    link, file = tmp_path / "README.md", tmp_path / "real.md"
    file.write_text(OTHERS)
    link.symlink_to(file)
    assert main(["card", str(run.path), "--model", "toy-glide", "--output", str(link)]) == 0
    assert link.is_symlink()
    assert ModelCard.load(file).data.license == "mit"
    assert main(["card", str(run.path), "--model", "toy-glide", "--output", str(tmp_path / "new.md")]) == 0
    assert (tmp_path / "new.md").read_text() == printed
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say which with --model. It has toy-latent, toy-glide"),
        (["--model", "sd21"], "--model sd21: the run has none of that name"),
        (["--model", "toy-glide", "--output", "nowhere/README.md"], "there is no folder nowhere"),
        (["--model", "toy-glide", "--output", "."], "--output .: is a folder; give the path of a file"),
        (["--model", "toy-glide", "--output", "latin.md"], "is not UTF-8"),
        (["--model", "toy-glide", "--output", "broken.md"], "broken.md: its metadata is not valid YAML"),
    ],
)
def test_the_command_says_in_words_what_it_cannot_do(run, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.md").write_bytes("grün".encode("latin-1"))
    (tmp_path / "broken.md").write_text("---\na: [\n---\n")
    assert main(["card", str(run.path), *arguments]) == 4
    assert says in capsys.readouterr().err
    assert (tmp_path / "broken.md").read_text() == "---\na: [\n---\n"


@given(NAMES)
def test_metadata_hold_any_name_and_show_what_cannot_be_seen(name):
    name = name.replace("\ud800", "").replace("\udcff", "")  # for which YAML has no escapes that all readers take
    entries = {"model-index": [{"name": name, "results": [{"metrics": name * 3}]}]}
    made = card._yaml(entries)
    assert yaml.safe_load(made) == entries
    assert not unseen(made) - {"\n"}
    assert not starts_a_command(made)
