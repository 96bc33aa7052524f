"""From trained toys to shipped ones: what is measured by which command, what a card says, what is put where."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pytest_seedshift.cli import position, session_options, why
from pytest_seedshift.core import pairs
from pytest_seedshift.models import catalogue
from tools.toys import cards, figures, second, ship
from tools.toys.captions import LABELS
from tools.toys.train_classifier import Conv


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Trained and exported toys, of a few numbers each."""
    for name in ship.PLACES:
        (tmp_path / "work/out" / name).mkdir(parents=True)
        save_file({"w": torch.zeros(8, dtype=torch.float16)}, tmp_path / "work/out" / name / "model.safetensors")
    return tmp_path / "work"


def run_command(*arguments: str, monkeypatch: pytest.MonkeyPatch, of: object) -> None:
    monkeypatch.setattr("sys.argv", ["tool", *arguments])
    of.main()  # type: ignore[attr-defined]


# Figures


@pytest.mark.parametrize("part", figures.PARTS, ids=lambda part: part.name)
def test_what_is_measured_is_a_command_of_the_product_on_models_that_ship(
    part: figures.Part,
) -> None:
    known = catalogue.shipped()
    words = figures.command(part, plan=False)[3:]
    if words[0] == "why":
        with why.command.make_context("why", words[1:]) as context:
            given = context.params
        asked = why.Asked(given["models"], factors=given["factors"])
        assert asked.crossed()
        models = list(asked.models)
    elif words[0] == "position":
        with position.command.make_context("position", words[1:]) as context:
            models = [context.params["model"]]
        assert position.Asked(models[0]).settings(session_options.SessionOptions())
    else:
        (models,) = [word.partition("=")[2].split(",") for word in words if word.startswith("--seedshift-model=")]
    for model in models:
        assert known.find(model).guidance == 2.0, "all toys are shown at one guidance"


def test_the_crossed_table_has_sampler_guidance_and_model_on_400_pairs() -> None:
    (part,) = [part for part in figures.PARTS if part.name == "crossed"]
    assert "sampler,guidance=1,2,7.5" in part.words
    assert part.words[part.words.index("--images") + 1] == "400"
    assert sum("+steps=10+noclip" in word for word in part.words) == 2


# The second classifier


def test_the_second_classifier_scores_as_its_network_does_and_is_known_by_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = list(pairs.class_list("toy16"))
    assert [label.name for label in sorted(labels, key=lambda each: each.index)] == list(LABELS)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        network = Conv().eval()
        network.write(tmp_path)
        monkeypatch.setenv(second.VARIABLE, str(tmp_path))
        scorer = second.Second("cpu")
        scorer.check(labels)
        images = torch.rand(16, 3, 64, 64)
        scores = scorer.score(images, labels)["second"]
        rounded = second.Second("cpu").model(images).argmax(dim=-1)
        assert scores.tolist() == [
            float(LABELS[guess] == label.name) for guess, label in zip(rounded, labels, strict=True)
        ]
        found.append(scorer.fingerprint)
    assert found[0] != found[1]
    with pytest.raises(ValueError, match="not dog"):
        scorer.check([*labels, type(labels[0])("dog", 16)])


# Cards


def test_a_card_s_numbers_are_those_of_logs_and_of_files(work: Path) -> None:
    run = work / "runs/vit"
    run.mkdir(parents=True)
    lines = [{"step": 50, "loss": 2.5, "cpu_s": 30}, {"step": 100, "loss": 0.75, "cpu_s": 90}]
    lines.append({"held_out": "plain", "top1": 0.9995})
    run.joinpath("log.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 150, "lo')
    assert cards.training(run) == ["vit", "100", "2", "2.5000", "0.7500"]
    assert list(cards.held_out(run)) == [["vit", "plain", "top1 1.000"]]
    assert list(cards.parts(work / "out/toy-vit")) == [["toy-vit", "0.00 M", "F16", "0.00 MB"]]
    assert cards.weights(work / "out/toy-vit/model.safetensors") == (8, {"F16"})
    cards.curves({"vit": cards.read_log(run)}, work / "curves.png")
    assert work.joinpath("curves.png").stat().st_size > 1000


# Shipping


def test_toys_are_put_where_they_ship_from_and_the_second_classifier_is_not_in_the_wheel(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    old = root / ship.PLACES["toy-latent"]
    old.mkdir(parents=True)
    old.joinpath("old.safetensors").write_bytes(b"0" * 1000)
    arguments = ("--work", str(work), "--root", str(root))
    run_command(*arguments, monkeypatch=monkeypatch, of=ship)
    assert "--write does it" in capsys.readouterr().out
    assert old.joinpath("old.safetensors").is_file()
    run_command(*arguments, "--write", monkeypatch=monkeypatch, of=ship)
    assert [file.name for file in old.iterdir()] == ["model.safetensors"]
    assert all((root / place / "model.safetensors").is_file() for place in ship.PLACES.values())
    outside = [place for place in ship.PLACES.values() if not place.startswith("pytest_seedshift/")]
    assert outside == ["tests/data/toy-conv"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda out: shutil.rmtree(out / "toy-glide"), "export toy-glide first"),
        (lambda out: (out / "toy-vit/optimizer.pt").write_bytes(b"0"), "nothing else ships"),
        (lambda out: (out / "toy-vit/run.py").symlink_to(out), "nothing else ships"),
        (lambda out: (out / "toy-vit/more.safetensors").write_bytes(bytes(10_000)), "what ships would grow"),
    ],
)
def test_what_must_not_ship_is_refused_before_anything_is_written(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it, message: str
) -> None:
    root = tmp_path / "root"
    shutil.copytree(work / "out/toy-vit", root / ship.PLACES["toy-vit"])
    break_it(work / "out")
    with pytest.raises(SystemExit, match=message):
        run_command("--work", str(work), "--root", str(root), "--write", monkeypatch=monkeypatch, of=ship)
    assert not (root / ship.PLACES["toy-latent"]).exists()
