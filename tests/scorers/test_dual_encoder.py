"""CLIP scores by transformers' dual encoders, against its own calls; and texts that they do not read whole."""

from __future__ import annotations

import pytest
import torch
import transformers
from PIL import Image

from helpers import readers
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.pairs import Label
from pytest_seedshift.scorers import clip, clip_sources, fingerprint
from pytest_seedshift.scorers.base import Embedder
from pytest_seedshift.scorers.prompt_checks import of_clip

LABELS = [Label(name, at) for at, name in enumerate(["cat", "dog", "red cube", "Ä tower", "a", "b", "cd", "cat"])]


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (8, 3, 96, 96), generator=torch.Generator().manual_seed(0)) / 255


@pytest.fixture(scope="module", params=readers.DUAL)
def folder(request, tmp_path_factory):
    return readers.DUAL[request.param](tmp_path_factory.mktemp("dual"))


def theirs(folder, images, prompts) -> torch.Tensor:
    """What transformers says of the same pictures, saved: each call as the models' own cards have it."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pictures = [Image.fromarray((255 * each).round().byte().permute(1, 2, 0).numpy()) for each in images]
    padding = {"padding": "max_length", "max_length": 64} if "Siglip" in type(model).__name__ else {"padding": True}
    tokens = tokenizer(prompts, return_tensors="pt", **padding)
    if "Siglip" in type(model).__name__:
        tokens = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    with torch.no_grad():
        found = model(**tokens, **processor(images=pictures, return_tensors="pt"))
    return 100 * (found.image_embeds * found.text_embeds).sum(-1)


def test_scores_are_what_transformers_says_whatever_the_batch(folder, images):
    scorer = clip.load(str(folder), "cpu")
    scorer.check(LABELS)
    together = scorer.score(images, LABELS)["clip"]
    expected = theirs(folder, images, [label.prompt for label in LABELS])
    assert expected.abs().min() > 1e-3
    assert (together - expected.clamp(min=0)).abs().max() < 1e-3  # of 100: 1e-5 of a cosine
    assert (together > 0).any()
    alone = torch.cat([scorer.score(images[at : at + 1], LABELS[at : at + 1])["clip"] for at in range(8)])
    assert (together - alone).abs().max() < 1e-3
    assert isinstance(scorer, Embedder)
    assert torch.allclose(scorer.embed(images).norm(dim=1), torch.ones(8))


def test_the_fingerprint_is_that_of_weights_and_tokenizer(folder, tmp_path):
    found = clip_sources.find(str(folder))
    assert found.of_transformers
    before = fingerprint.of_clip(str(folder)), fingerprint.weights_of_scorers.__wrapped__("", str(folder))
    names = {name for name, _ in found.listed()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"} <= names
    other = tmp_path / "other"
    other.mkdir()
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    assert fingerprint.of_clip(str(other)) == before[0]
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text() + " ")
    assert fingerprint.of_clip(str(other)) != before[0]
    assert fingerprint.weights_of_scorers.__wrapped__("", str(other)) != before[1]


@pytest.mark.parametrize("length", [50, 90])
def test_no_prompt_is_judged_by_its_beginning(folder, images, length):
    scorer = clip.load(str(folder), "cpu")
    window = 77 if "clip" in type(scorer._model).__name__.lower() else 64
    label = Label("x" * (length - len("A photo of a ")), 0)  # a sign is a token, and there may be two marks
    if length <= window:
        of_clip(str(folder), [label])
        scorer.check([label])
        return
    words = rf"has ({length}|{length + 2}) tokens, more than the {window} .* beginning alone.*vqa"
    for refuses in (
        lambda: of_clip(str(folder), [label]),
        lambda: scorer.check([label]),
        lambda: scorer.score(images[:1], [label]),
    ):
        with pytest.raises(ModelError, match=words):
            refuses()


def without(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("tokenizer.json"), "has no vocabulary"),
        (without("preprocessor_config.json"), "lacks preprocessor_config.json"),
        (without("model.safetensors"), "has no weights"),
    ],
    ids=["tokenizer", "preparation", "weights"],
)
def test_what_lacks_is_said_before_anything_is_loaded(tmp_path, change, words):
    folder = readers.clip_h(tmp_path / "clip")
    change(folder)
    with pytest.raises(ModelError, match=words):
        clip_sources.find(str(folder)).probe()
    with pytest.raises(ModelError, match=words):
        clip.load(str(folder), "cpu")


def test_a_network_that_embeds_no_texts_is_refused(tmp_path):
    folder = readers.clip_h(tmp_path / "clip")
    config = transformers.CLIPVisionConfig(**readers._SMALL, image_size=56, patch_size=14)
    transformers.CLIPVisionModel(config).save_pretrained(folder)
    with pytest.raises(ModelError, match="does not embed pictures and texts"):
        clip.load(str(folder), "cpu")
