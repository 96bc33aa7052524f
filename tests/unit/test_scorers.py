"""The scorers against the libraries' own way from a picture to a score, and what the toys must be able to tell."""

from __future__ import annotations

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from pytest_seedshift import pairs
from pytest_seedshift.models import catalogue
from pytest_seedshift.scorers.clip import ClipScore
from pytest_seedshift.scorers.vit import Classifier

ENTRY = catalogue.find("toy-latent")
LABELS = pairs.class_list(ENTRY.classes)


@pytest.fixture(scope="module")
def images():
    """Images of the model whose values an eight-bit picture holds exactly."""
    made = catalogue.load(ENTRY, "cpu", "float32").generate(pairs.design(LABELS, 16))
    return made.mul(255).round() / 255


@pytest.fixture(scope="module")
def pictures(images):
    return [Image.fromarray((image.permute(1, 2, 0) * 255).round().byte().numpy()) for image in images]


@pytest.fixture(scope="module")
def labels():
    return [pair.label for pair in pairs.design(LABELS, 16)]


def test_top_1_and_top_5_are_what_transformers_says_of_the_same_pictures(images, pictures, labels):
    scores = Classifier.load(ENTRY.classifier, "cpu").score(images, labels)
    model = AutoModelForImageClassification.from_pretrained(ENTRY.classifier)
    processor = AutoImageProcessor.from_pretrained(ENTRY.classifier)
    ranking = model(**processor(images=pictures, return_tensors="pt")).logits.argsort(-1, descending=True)
    for row, label in enumerate(labels):
        place = ranking[row].tolist().index(label.index)
        assert scores["top1"][row] == float(place == 0)
        assert scores["top5"][row] == float(place < 5)


@pytest.mark.parametrize("side", [64, 97])
def test_the_clip_score_is_what_open_clip_says_of_the_same_pictures(pictures, labels, side):
    pictures = [picture.resize((side, side)) for picture in pictures]
    tensors = torch.stack([torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255 for picture in pictures])
    scores = ClipScore.load(ENTRY.clip, "cpu").score(tensors, labels)["clip"]
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{ENTRY.clip}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{ENTRY.clip}")
    with torch.no_grad():
        seen = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures]), normalize=True)
        asked = model.encode_text(tokenizer([label.prompt for label in labels]), normalize=True)
    expected = 100 * (seen * asked).sum(-1).clamp(min=0)
    # Pillow rounds a resized picture to eight bits, tensors stay tensors: that is all that may differ.
    assert (scores - expected).abs().max() < (1e-3 if side == 64 else 1.0)


def test_a_wrong_label_scores_lower(images, labels):
    classifier, clip = Classifier.load(ENTRY.classifier, "cpu"), ClipScore.load(ENTRY.clip, "cpu")
    wrong = [*labels[1:], labels[0]]
    assert classifier.score(images, wrong)["top1"].mean() < classifier.score(images, labels)["top1"].mean()
    assert clip.score(images, wrong)["clip"].mean() < clip.score(images, labels)["clip"].mean() - 10


def test_grey_pictures_are_no_class_s_pictures(labels):
    grey = torch.full((16, 3, 64, 64), 0.5)
    assert Classifier.load(ENTRY.classifier, "cpu").score(grey, labels)["top1"].sum() <= 1
    assert ClipScore.load(ENTRY.clip, "cpu").score(grey, labels)["clip"].mean() < 25


def test_scores_do_not_depend_on_the_batch(images, labels):
    for scorer in (Classifier.load(ENTRY.classifier, "cpu"), ClipScore.load(ENTRY.clip, "cpu")):
        together = scorer.score(images, labels)
        alone = scorer.score(images[3:4], labels[3:4])
        for name, values in alone.items():
            assert torch.allclose(values, together[name][3:4], atol=1e-3)


def test_a_prompt_that_clip_would_cut_is_refused():
    label = pairs.Label("banana on a table beside a very long list of other things that nobody asked for at all", 0)
    with pytest.raises(ValueError, match="is longer than the 16 tokens that CLIP reads"):
        ClipScore.load(ENTRY.clip, "cpu").score(torch.zeros(1, 3, 64, 64), [label])


def test_the_fingerprint_is_the_weights():
    assert Classifier.load(ENTRY.classifier, "cpu").fingerprint == Classifier.load(ENTRY.classifier, "cpu").fingerprint
    assert Classifier.load(ENTRY.classifier, "cpu").fingerprint != ClipScore.load(ENTRY.clip, "cpu").fingerprint
