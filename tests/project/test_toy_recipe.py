"""The recipe of the toy models: what captions say of pictures, and trainings that stop and go on."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tools.toys import captions, glide_vocabulary, pictures, train_all, training, vocabulary
from tools.toys.captions import COLOURS, LABELS, PLACES, SIZES, TEMPLATES, Attributes
from tools.toys.evaluate import caption_grid
from tools.toys.train_clip import spoil
from tools.toys.train_unet import EMPTIED, draw_captions

NATURAL = torch.zeros(len(LABELS), len(COLOURS), dtype=torch.bool)
NATURAL[LABELS.index("banana"), COLOURS.index("yellow")] = True


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def said(label: str, colour: str = "", place: str = "", size: str = "") -> Attributes:
    numbers = (LABELS.index(label), COLOURS.index(colour), PLACES.index(place), SIZES.index(size))
    return Attributes(*(torch.tensor([number]) for number in numbers))


def row(attributes: Attributes, index: int) -> list[int]:
    return [int(values[index]) for values in attributes]


# Captions


def test_captions_have_the_products_template_and_seven_others_at_least() -> None:
    assert TEMPLATES[0] == "A photo of a {}"
    assert len(set(TEMPLATES)) >= 8


@given(seed=st.integers(0, 2**31))
def test_a_caption_says_all_that_was_chosen_and_nothing_else(seed: int) -> None:
    attributes = captions.draw_attributes(40, seeded(seed))
    for index, caption in enumerate(captions.write_captions(attributes, seeded(seed))):
        words = caption.split()
        label, colour, place, size = row(attributes, index)
        assert [word for word in words if word in LABELS] == [LABELS[label]]
        assert [word for word in words if word in COLOURS] == [COLOURS[colour]] * (colour > 0)
        assert [word for word in words if word in SIZES] == [SIZES[size]] * (size > 0)
        assert [other for other in PLACES[1:] if caption.endswith(other)] == [PLACES[place]] * (place > 0)


def test_every_word_template_and_value_comes_up() -> None:
    attributes = captions.draw_attributes(4_000, seeded(1))
    for values, words in zip(attributes, (LABELS, COLOURS, PLACES, SIZES), strict=True):
        assert set(values.tolist()) == set(range(len(words)))
    texts = captions.write_captions(captions.plain(torch.zeros(2_000, dtype=torch.int64)), seeded(2))
    assert {text.lower() for text in texts} == {template.format("banana").lower() for template in TEMPLATES}
    assert captions.fill("an image of a {}", "umbrella", article=True) == "an image of an umbrella"
    assert captions.fill("A photo of a {}", "umbrella") == "A photo of a umbrella"


@pytest.mark.parametrize("build", [vocabulary.build_tokenizer, glide_vocabulary.build_tokenizer])
def test_the_longest_caption_fits_and_each_word_is_one_token(
    build: Callable[[], Callable[..., dict[str, Tensor]]],
) -> None:
    tokenizer = build()
    text = captions.fill("an image of a {}", captions.phrase(1, 5, 4, 1))
    assert text == "an image of a small purple strawberry at the bottom"
    options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    tokens = tokenizer([text, text.replace("purple", "blue"), ""], **options)["input_ids"]
    assert tokens.shape == (3, 16)
    # One token differs where one word does, and there is room for what marks an end.
    assert int((tokens[0] != tokens[1]).sum()) == 1
    assert len(text.split()) <= int((tokens[0] != tokens[2]).sum()) <= len(text.split()) + 1


def test_some_captions_are_left_empty_for_guidance() -> None:
    attributes = captions.draw_attributes(4_000, seeded(3))
    share = Counter(draw_captions(attributes, seeded(4)))[""] / 4_000
    assert abs(share - EMPTIED) < 0.03


@pytest.mark.parametrize(
    ("picture", "caption", "answer"),
    [
        (said("frog"), said("frog"), 1),
        (said("frog"), said("panda"), 0),
        (said("frog", "blue", "on the left", "small"), said("frog"), 1),
        (said("frog", "blue"), said("frog", "blue"), 1),
        (said("frog", "blue"), said("frog", "red"), 0),
        (said("frog"), said("frog", "red"), 0),
        (said("banana"), said("banana", "yellow"), -1),
        (said("banana"), said("banana", "blue"), 0),
        (said("banana"), said("frog", "yellow"), 0),
        (said("frog", place="on the left"), said("frog", place="on the right"), 0),
        (said("frog"), said("frog", place="on the left"), 0),
        (said("frog"), said("frog", place="in the middle"), -1),
        (said("frog", size="small"), said("frog", place="on the left"), -1),
        (said("frog", size="small"), said("frog", size="large"), 0),
        (said("frog"), said("frog", size="small"), 0),
        (said("frog"), said("frog", size="large"), -1),
    ],
)
def test_agreement_is_true_false_or_open(picture: Attributes, caption: Attributes, answer: int) -> None:
    assert captions.agreement(picture, caption, NATURAL).tolist() == [[answer]]


@given(seed=st.integers(0, 2**31))
def test_a_spoilt_caption_differs_in_one_attribute_that_makes_it_false(seed: int) -> None:
    attributes = captions.draw_attributes(30, seeded(seed))
    spoilt = spoil(attributes, seeded(seed))
    for index in range(30):
        assert sum(one != other for one, other in zip(row(attributes, index), row(spoilt, index), strict=True)) == 1
    assert captions.agreement(attributes, attributes, NATURAL).diagonal().eq(1).all()
    assert captions.agreement(attributes, spoilt, NATURAL).diagonal().eq(0).all()


def test_the_contact_sheet_shows_every_class_template_colour_place_and_size() -> None:
    grid = caption_grid()
    assert len(grid) == 16 * len(LABELS) == len(set(grid))
    words = {word for text in grid for word in text.split()}
    assert {*LABELS, *COLOURS[1:], *SIZES[1:]} <= words
    assert all(any(text.endswith(place) for text in grid) for place in PLACES[1:])
    starts = {text.split(label)[0] for text in grid for label in LABELS if text.endswith(f" {label}")}
    assert len(starts) > 8


# Pictures


def centre_of_ink(images: Tensor) -> Tensor:
    """The centroid of what is darker than its picture's corner, (count, 2), from −1 to 1."""
    ink = (images[:, :, :1, :1] - images).clamp(min=0).sum(dim=1) + 1e-9
    axis = torch.linspace(-1, 1, images.shape[-1])
    total = ink.sum(dim=(1, 2))
    return torch.stack([(ink.sum(dim=1) * axis).sum(dim=1) / total, (ink.sum(dim=2) * axis).sum(dim=1) / total], dim=1)


@pytest.fixture(scope="module")
def discs() -> Tensor:
    """Grey discs in place of icons, premultiplied RGBA."""
    axis = torch.linspace(-1, 1, pictures.SPRITE)
    disc = (axis[:, None] ** 2 + axis[None, :] ** 2 < 0.8).float()
    sprite = torch.stack([0.4 * disc, 0.4 * disc, 0.4 * disc, disc])
    return sprite.expand(len(LABELS), len(pictures.ICON_SETS), 4, pictures.SPRITE, pictures.SPRITE).contiguous()


@pytest.mark.parametrize(
    ("place", "axis", "sign"),
    [("on the left", 0, -1), ("on the right", 0, 1), ("at the top", 1, -1), ("at the bottom", 1, 1)],
)
def test_an_object_is_where_its_caption_says(discs: Tensor, place: str, axis: int, sign: int) -> None:
    attributes = captions.draw_attributes(48, seeded(5))
    attributes = attributes._replace(
        places=torch.full((48,), PLACES.index(place)), sizes=attributes.sizes.clamp(max=captions.SMALL)
    )
    images, shown = pictures.draw(discs, 48, 32, seeded(6), attributes)
    assert shown is attributes
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    centres = centre_of_ink(images)
    assert (sign * centres[:, axis] > 0.1).all()
    assert (centres[:, axis].abs() > centres[:, 1 - axis].abs()).float().mean() > 0.9


def test_a_painted_object_has_its_colour_and_another_keeps_its_own(discs: Tensor) -> None:
    for number in range(len(COLOURS)):
        colours = torch.full((16,), number)
        attributes = captions.plain(torch.arange(16))._replace(colours=colours)
        images, _ = pictures.draw(discs, 16, 32, seeded(7), attributes)
        middle = images[:, :, 14:18, 14:18].mean(dim=(0, 2, 3))
        expected = torch.tensor(pictures.PAINTS[number]) if number else torch.full((3,), 0.4)
        assert functional.cosine_similarity(middle, expected, dim=0) > 0.95
        if number == 0:
            torch.testing.assert_close(middle, expected, atol=1e-3, rtol=0)


def test_pictures_follow_from_the_seed(discs: Tensor) -> None:
    one, other, another = (pictures.draw(discs, 4, 32, seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, another)


# Trainings


def options(run: Path, **changes: float) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    training.add_options(parser, steps=120, batch=8, rate=1e-2, decay=0.9, seed=3)
    return parser.parse_args([f"--run={run}", *(f"--{name}={value}" for name, value in changes.items())])


def learn(run: Path, stop_at: int = -1, recipe: dict[str, str] | None = None, **changes: float) -> nn.Module:
    """Trains a small convolutional network; a signal comes at a step."""
    arguments = options(run, **changes)
    torch.manual_seed(arguments.seed)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 2, 3))
    model.to(memory_format=torch.channels_last)
    calls = 0

    def draw_loss(generator: torch.Generator) -> Tensor:
        nonlocal calls
        if calls == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        calls += 1
        images = torch.randn(arguments.batch, 3, 8, 8, generator=generator)
        return ((model(images).mean(dim=(2, 3)) - images.mean(dim=(2, 3))[:, :2]) ** 2).mean()

    training.Training(arguments, model, recipe, weight_decay=0.01).run(draw_loss)
    return model


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Gives pytest its signals' handlers back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def losses(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    learn(whole)
    for stop_at in (0, 36, 45):  # in the warm-up, between two lines of the log, in the fall
        with pytest.raises(SystemExit) as stopped:
            learn(parts, stop_at)
        assert stopped.value.code == training.UNFINISHED
    assert len(losses(parts)) == 1
    # What a process that was killed wrote after its last checkpoint does not stay twice.
    with (parts / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"step": 100, "loss": 9.0}\n{"step": 1')
    model = learn(parts)
    assert (parts / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    assert losses(parts) == losses(whole)
    assert [step for step, _ in losses(whole)] == [50, 100]
    assert losses(whole)[1][1] < losses(whole)[0][1]
    # Once more at the end: nothing is trained, and what follows a training has its weights.
    again = learn(parts)
    assert all(torch.equal(one, other) for one, other in zip(again.parameters(), model.parameters(), strict=True))


def test_another_seed_makes_another_training(tmp_path: Path) -> None:
    for seed in (3, 4):
        learn(tmp_path / str(seed), seed=seed, steps=3)
    assert len({(tmp_path / str(seed) / "weights.safetensors").read_bytes() for seed in (3, 4)}) == 2


def test_every_step_of_every_seed_has_chance_of_its_own() -> None:
    draws = {
        (seed, step): torch.rand(4, generator=training.step_generator(seed, step)).tolist()
        for seed in (pictures.TRAIN_SEED, pictures.TRAIN_SEED + 1)
        for step in (0, 1, 2, 23_999)
    }
    assert len({tuple(values) for values in draws.values()}) == len(draws)


def test_a_time_limit_leaves_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        learn(tmp_path, stop_at=2)
    assert stopped.value.code == training.UNFINISHED
    with pytest.raises(SystemExit) as stopped:
        learn(tmp_path, minutes=0)
    assert stopped.value.code == training.UNFINISHED
    learn(tmp_path, steps=60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": 0.5}, ["rate 0.01, not 0.5"]),
        ({"batch": 2, "seed": 9}, ["batch 8, not 2", "seed 3, not 9"]),
        ({"recipe": {"part": "base"}}, ["part None, not 'base'"]),
    ],
)
def test_a_run_goes_on_with_its_own_options_only(tmp_path: Path, changes: dict[str, float], words: list[str]) -> None:
    with pytest.raises(SystemExit):
        learn(tmp_path, stop_at=2)
    before = (tmp_path / "state.safetensors").read_bytes()
    with pytest.raises(SystemExit) as refused:
        learn(tmp_path, **changes)
    assert all(word in str(refused.value) for word in [*words, str(tmp_path)])
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_the_number_of_steps_may_change_until_the_rate_falls(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        learn(tmp_path / "early", stop_at=20)
    learn(tmp_path / "early", steps=40)
    learn(tmp_path / "short", steps=40)
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("early", "short")]
    assert weights[0] == weights[1]
    with pytest.raises(SystemExit, match="Go on with --steps 40"):
        learn(tmp_path / "early", steps=80)


def test_the_rate_warms_up_stays_and_falls() -> None:
    rates = [training.rate_at(step, 1_000, 1.0) for step in range(1_000)]
    assert 0 < rates[0] < 0.02
    assert all(one < other for one, other in pairwise(rates[:200]))
    assert rates[200:751] == [1.0] * 551
    assert all(one > other for one, other in pairwise(rates[751:]))
    assert rates[-1] < 0.02


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="trained by another process"):
            learn(tmp_path)
    assert not (tmp_path / "state.safetensors").exists()


# All of them, one after the other


def test_stages_run_in_order_skip_what_is_there_and_stop_at_the_first_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def child(stage: train_all.Stage, work: Path, minutes: float) -> list[str]:
        code = f"import pathlib, sys, time; pathlib.Path({str(work / stage.name)!r}).touch(); {stage.module}"
        return [sys.executable, "-c", code]

    monkeypatch.setattr(train_all, "command", child)
    (tmp_path / "done").mkdir()
    stages = [
        train_all.Stage("first", "pass", (), "{work}/done"),
        train_all.Stage("second", "pass", ()),
        train_all.Stage("third", f"sys.exit({training.UNFINISHED})", ()),
        train_all.Stage("fourth", "pass", ()),
    ]
    assert train_all.run(stages, tmp_path, 1.0) == training.UNFINISHED
    assert sorted(path.name for path in tmp_path.iterdir()) == ["done", "second", "third"]
    assert train_all.run(stages[1:2], tmp_path, 1.0) == 0
    assert train_all.run(stages[3:], tmp_path, 0.0) == training.UNFINISHED
    # What knows no time limit of its own is ended by it.
    endless = train_all.Stage("endless", "time.sleep(600)", (), trains=False)
    assert train_all.run([endless, stages[3]], tmp_path, 0.01) == training.UNFINISHED
    assert not (tmp_path / "fourth").exists()


def test_every_stage_names_a_module_and_is_given_its_run_and_its_time(tmp_path: Path) -> None:
    folder = Path(train_all.__file__).parent
    names = [stage.name for stages in train_all.LANES.values() for stage in stages]
    assert len(set(names)) == len(names)
    for stage in (stage for stages in train_all.LANES.values() for stage in stages):
        words = train_all.command(stage, tmp_path, 2.5)
        assert (folder / f"{stage.module}.py").is_file()
        assert (f"{tmp_path}/runs/{stage.name}" in words) == stage.trains == ("2.50" in words)
        assert not any("{" in word for word in words)
