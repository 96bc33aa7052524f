"""Answers of an image-text-to-text model: VQAScore and questions, against a hand-written call of the same model."""

from __future__ import annotations

import pytest
import torch
import transformers
from PIL import Image

from helpers import readers
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.scorers import vqa
from pytest_seedshift.scorers.declaration import Declared
from pytest_seedshift.scorers.declared import Factory
from pytest_seedshift.scorers.prompt_checks import of_declared

NAMES = ["cat", "dog", "red cube on a blue ball", "Ä tower", "a", "b", "cd", "cat"]
ASKED = ("Is it there?", "Is it red?", "?")
LABELS = [Label(name, at, questions=(f"Is there a {name}?", *ASKED)[: 1 + at % 4]) for at, name in enumerate(NAMES)]


def scorer(how, folder):
    return Factory(Declared(how, how, folder))("cpu")


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (8, 3, 96, 80), generator=torch.Generator().manual_seed(0)) / 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(readers.qwen25_vl(tmp_path_factory.mktemp("vlm")))


@pytest.fixture(scope="module")
def by_hand(folder, images):
    """The probabilities of "Yes" and "No", one picture and question at a time, by transformers' generate."""
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    yes, no = (processor.tokenizer.encode(each, add_special_tokens=False)[0] for each in ("Yes", "No"))

    def ask(place: int, question: str) -> tuple[float, float]:
        picture = Image.fromarray((255 * images[place]).round().byte().permute(1, 2, 0).numpy())
        content = [{"type": "image", "image": picture}, {"type": "text", "text": question}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        with torch.no_grad():
            found = model.generate(
                **inputs, max_new_tokens=1, do_sample=False, output_scores=True, return_dict_in_generate=True
            )
        chances = found.scores[0][0].float().softmax(-1)
        return float(chances[yes]), float(chances[no])

    return ask


def test_vqa_is_the_probability_of_yes_whatever_the_batch(folder, images, by_hand):
    asks = scorer("vqa", folder)
    together = asks.score(images, LABELS)["vqa"]
    asked = [f"Does this figure show '{label.prompt}'? Please answer yes or no." for label in LABELS]
    expected = torch.tensor([by_hand(place, question)[0] for place, question in enumerate(asked)])
    assert expected.std() > 1e-5  # the model looks at what it is given
    assert (together - expected).abs().max() < 1e-5
    alone = torch.cat([asks.score(images[at : at + 1], LABELS[at : at + 1])["vqa"] for at in range(8)])
    assert (together - alone).abs().max() < 1e-5
    assert together.dtype == torch.float32


def test_questions_are_those_answered_yes(folder, images, by_hand):
    share = scorer("questions", folder).score(images, LABELS)["questions"]
    every = Factory(Declared("all", "questions", folder, every=True))("cpu").score(images, LABELS)["all"]
    said = [
        [(lambda yes, no: yes > no)(*by_hand(at, each)) for each in label.questions] for at, label in enumerate(LABELS)
    ]
    assert share.tolist() == pytest.approx([sum(each) / len(each) for each in said])
    assert every.tolist() == [float(all(each)) for each in said]
    assert len(vqa._loaded) <= 1  # one model for all scores


def test_fingerprints_know_what_is_asked_and_load_nothing(folder, monkeypatch):
    monkeypatch.setattr(vqa, "load", lambda *_: pytest.fail("the weights are loaded"))
    plain = Declared("vqa", "vqa", folder)
    others = [
        Declared("vqa", "vqa", folder, question="'{prompt}'?"),
        Declared("vqa", "vqa", folder, dtype="bfloat16"),
        Declared("questions", "questions", folder),
        Declared("questions", "questions", folder, every=True),
        Declared("other", "vqa", folder),
    ]
    prints = [Factory(each)("cpu").fingerprint for each in (plain, *others)]
    assert len(set(prints)) == len(prints)
    assert Factory(plain)("cpu").fingerprint == prints[0]
    assert Factory(plain)("cpu").given != Factory(plain)("cpu").fingerprint


LONG = Label(" ".join(["very"] * 90), 0)


@pytest.mark.parametrize(
    ("make", "label", "says"),
    [
        ("vqa", LONG, None),
        ("questions", Label("cat", 0), "'A photo of a cat' has no questions"),
        ("vqa", Label("cat " * 1200, 0), "takes 48[0-9]+ tokens with its picture, more than the 4096"),
    ],
    ids=["90 words", "no questions", "longer than the model reads"],
)
def test_prompts_are_checked_without_loading(folder, images, monkeypatch, make, label, says):
    declared = Declared(make, make, folder)
    if says is None:
        of_declared(declared, [label])
        assert 0 <= Factory(declared)("cpu").score(images[:1], [label])["vqa"][0] <= 1
        return
    monkeypatch.setattr(vqa, "load", lambda *_: pytest.fail("the weights are loaded"))
    with pytest.raises(ModelError, match=says):
        of_declared(declared, [label])


def test_a_model_without_a_chat_template_is_refused(tmp_path):
    folder = readers.qwen25_vl(tmp_path / "vlm", template=False)
    with pytest.raises(ModelError, match="has no chat template"):
        vqa.load(str(folder), "cpu", "float32")


def test_a_model_that_answers_nothing_is_refused(tmp_path):
    folder = readers.siglip_2(tmp_path / "siglip")
    with pytest.raises(ModelError, match=r"cannot be loaded|Unrecognized configuration"):
        vqa.load(str(folder), "cpu", "float32")
