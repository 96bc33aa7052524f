"""Where in a picture the evidence for the label is found, held against where it was put."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.load import load
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore
from pytest_seedshift.scorers.evidence_position import Position

ENTRY = catalogue.shipped().find("toy-latent")
DESIGN = pairs.design(pairs.class_list("toy16"), 32)
SIZE = 64


@pytest.fixture(scope="module")
def position():
    return Position(Classifier.load(ENTRY.classifier, "cpu"), "any")


@pytest.fixture(scope="module")
def pasted():
    """Emoji that the toy model draws, cut out, made smaller and laid anywhere; their true centres."""
    with torch.inference_mode():
        drawn = load(ENTRY, "cpu", "float32").generate(DESIGN)
    chance = torch.Generator().manual_seed(1)
    border = torch.cat([drawn[:, :, 0], drawn[:, :, -1], drawn[..., 0], drawn[..., -1]], -1).median(-1).values
    cover = ((drawn - border[..., None, None]).abs().sum(1, keepdim=True) * 4 - 0.8).clamp(0, 1)
    pictures, centres = [], []
    for picture, alpha in zip(drawn, cover, strict=True):
        side = int(torch.randint(34, 46, (), generator=chance))
        layer = functional.interpolate(torch.cat([picture * alpha, alpha])[None], (side, side), mode="area")[0]
        top, left = (int(torch.randint(0, SIZE - side + 1, (), generator=chance)) for _ in range(2))
        whole = functional.pad(layer, (left, SIZE - side - left, top, SIZE - side - top))
        pictures.append(whole[:3] + (1 - whole[3:]) * 0.9)
        axis = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
        shares = whole[3] / whole[3].sum()
        centres.append(torch.stack([(shares.sum(0) * axis).sum(), (shares.sum(1) * axis).sum()]))
    return torch.stack(pictures), [pair.label for pair in DESIGN], torch.stack(centres)


def found_in(position, images, labels):
    found = position.score(images, labels)
    return torch.stack([found["position_x"], found["position_y"]], 1)


def test_the_centre_of_what_a_picture_shows_is_found_and_followed(position, pasted):
    images, labels, truth = pasted
    found = found_in(position, images, labels)
    assert (found - truth).norm(dim=1).median() < 0.10
    assert truth.norm(dim=1).median() > 0.13  # saying "the middle" would not do
    for axis in (0, 1):
        assert torch.corrcoef(torch.stack([found[:, axis], truth[:, axis]]))[0, 1] > 0.8


def test_a_ramp_of_brightness_alone_is_no_displacement(position, pasted):
    images, labels, _ = pasted
    ramp = 0.1 * torch.linspace(-1, 1, SIZE)
    for axis, bent in ((0, images + ramp), (1, images + ramp[:, None])):
        moved = found_in(position, bent.clamp(0, 1), labels) - found_in(position, images, labels)
        assert abs(moved[:, axis].mean()) < 0.03


def test_nothing_depends_on_the_batch_or_on_the_mode_of_the_caller(position, pasted):
    images, labels, _ = pasted
    with torch.inference_mode():
        together = position.score(images[:5].clone(), labels[:5])
    alone = position.score(images[3:4], labels[3:4])
    for name, values in together.items():
        torch.testing.assert_close(values[3:4], alone[name], rtol=1e-3, atol=1e-4)


def test_a_picture_of_one_colour_is_evidence_of_nothing_and_has_no_position(position):
    found = position.score(torch.full((2, 3, SIZE, SIZE), 0.6), [DESIGN[0].label] * 2)
    assert found["position_evidence"].abs().max() < 1e-3
    found = position.score(torch.zeros(1, 3, SIZE, SIZE), [DESIGN[0].label])
    assert found["position_evidence"].tolist() == [0]
    assert found["position_x"].isnan().all()
    assert found["position_y"].isnan().all()


class Bright:
    """Sees a label wherever it is bright, after its own cropping and squashing."""

    name = "bright"

    def __init__(self, crop):
        self._crop = crop

    def check(self, labels):
        pass

    def see(self, images):
        cropped = images[..., self._crop : images.shape[-2] - self._crop, self._crop : images.shape[-1] - self._crop]
        return functional.interpolate(cropped, (24, 24), mode="area") * 4 - 2

    def gradients(self, seen, labels):
        return torch.ones_like(seen)


@pytest.mark.parametrize("crop", [0, 8])
@pytest.mark.parametrize(("height", "width"), [(48, 48), (48, 96), (96, 64)])
def test_positions_are_those_in_the_picture_however_the_classifier_crops_and_squashes_it(crop, height, width):
    image = torch.zeros(1, 3, height, width)
    image[..., 30:34, 12:16] = 1
    found = Position(Bright(crop), "any").score(image, [DESIGN[0].label])
    assert found["position_x"].item() == pytest.approx((14 - width / 2) / width, abs=0.02)
    assert found["position_y"].item() == pytest.approx((32 - height / 2) / width, abs=0.02)


def test_a_scorer_without_gradients_is_refused_by_name():
    with pytest.raises(SeedshiftError, match="this scorer has no gradients"):
        Position(ClipScore.load(ENTRY.clip, "cpu"), "any")


def test_a_classifier_whose_logits_have_no_gradient_is_refused_by_name():
    labels = pairs.class_list("toy16")
    frozen = SimpleNamespace(config=SimpleNamespace(id2label={label.index: label.name for label in labels}))
    network = torch.nn.Linear(3, 16)

    class Model:
        config = frozen.config

        def __call__(self, seen):
            return SimpleNamespace(logits=network(seen.mean((2, 3))).detach())

    class Processor:
        def resize(self):
            """Its own way of resizing."""

        def __call__(self, images, return_tensors):
            return {"pixel_values": images.float()}

    classifier = Classifier("frozen", Model(), Processor(), "any")
    with pytest.raises(SeedshiftError, match="frozen: its logits have no gradient by the picture"):
        Position(classifier, "any").score(torch.rand(1, 3, 8, 8), labels[:1])
