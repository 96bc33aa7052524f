"""What the toys' networks are spared of is no other than what they would have computed; see `recall`."""

from __future__ import annotations

import dataclasses
import re
import shutil

import pytest
import torch
from torch import nn

from helpers import records
from helpers.recall import Memory
from helpers.runs import ONE, samples_of
from pytest_seedshift.models import catalogue, load
from pytest_seedshift.reporting import plots as figures
from pytest_seedshift.reporting.page import plots
from pytest_seedshift.runner import batch_size
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore

pytestmark = pytest.mark.usefixtures("memory", "warm_executable")

ENTRY = catalogue.shipped().find("toy-latent")
DESIGN = catalogue.shipped().design("toy-latent", 16)[:2]


@pytest.fixture
def nothing_recalled(memory, monkeypatch) -> Memory:
    """For a test of the networks as they are, or of the memory from its start."""
    monkeypatch.setattr(memory, "found", type(memory.found)())
    monkeypatch.setattr(memory, "loaded", type(memory.loaded)())
    monkeypatch.setattr(memory, "drawn", type(memory.drawn)())
    monkeypatch.setattr(memory, "computed", 0)
    monkeypatch.setattr(memory, "recalled", 0)
    return memory


def test_a_run_from_memory_is_the_run_itself_to_the_last_bit(pytester, run, nothing_recalled):
    run(*ONE, "--seedshift-dir=computed")
    computed, before = nothing_recalled.computed, nothing_recalled.recalled
    assert computed > 0
    run(*ONE, "--seedshift-dir=recalled")
    assert nothing_recalled.computed == computed
    assert nothing_recalled.recalled > before
    assert samples_of(pytester.path / "computed") == samples_of(pytester.path / "recalled")
    drawn = [
        re.findall("<svg.*?</svg>", (pytester.path / name / "report.html").read_text(), re.DOTALL)
        for name in ("computed", "recalled")
    ]
    assert drawn[0] == drawn[1]
    assert any("<path" in each for each in drawn[0])
    folders = [pytester.path / name for name in ("computed", "recalled")]
    one, other = ({path.relative_to(each): path.read_bytes() for path in each.rglob("*.png")} for each in folders)
    assert one == other
    assert len(one) >= 16


def test_a_shipped_model_is_loaded_once_and_another_or_one_elsewhere_anew(nothing_recalled, tmp_path):
    model = load.load(ENTRY, "cpu", "float32")
    assert load.load(ENTRY, "cpu", "float32") is model
    assert load.load(ENTRY, "cpu", "bfloat16") is not model
    assert load.load(dataclasses.replace(ENTRY, steps=3), "cpu", "float32") is not model
    scorer = Classifier.load(ENTRY.classifier, "cpu")
    assert Classifier.load(ENTRY.classifier, "cpu") is scorer
    copied = shutil.copytree(ENTRY.classifier, tmp_path / "mine")
    mine = [Classifier.load(str(copied), "cpu") for _ in range(2)]
    assert mine[0] is not mine[1]
    assert len(nothing_recalled.loaded) == 4


def test_another_network_another_input_another_type_are_computed(nothing_recalled):
    anew = load.load.__wrapped__
    model, again = (anew(ENTRY, "cpu", "float32") for _ in range(2))
    with torch.inference_mode():
        first = model.generate(DESIGN)
        for other in (
            lambda: model.generate(DESIGN[:1]),
            lambda: model.generate(DESIGN, lambda z, _: z + 1e-6),
            lambda: anew(ENTRY, "cpu", "bfloat16").generate(DESIGN),
        ):
            before = nothing_recalled.computed
            other()
            assert nothing_recalled.computed > before
        before = nothing_recalled.computed
        assert torch.equal(again.generate(DESIGN), first)
        assert nothing_recalled.computed == before
    with torch.no_grad():
        again._pipeline.unet.conv_out.bias.add_(0.01)
    with torch.inference_mode():
        assert not torch.equal(again.generate(DESIGN), first)
        assert nothing_recalled.computed > before


def test_a_scorer_computes_no_picture_twice_and_another_one_anew(nothing_recalled):
    images = load.load(ENTRY, "cpu", "float32").generate(DESIGN)
    labels = [pair.label for pair in DESIGN]
    for scorer in (Classifier.load(ENTRY.classifier, "cpu"), ClipScore.load(ENTRY.clip, "cpu")):
        first = scorer.score(images, labels)
        before = nothing_recalled.computed
        again = scorer.score(images, labels)
        assert nothing_recalled.computed == before
        assert all(torch.equal(first[name], again[name]) for name in first)
        scorer.score(1 - images, labels)
        assert nothing_recalled.computed == before + 1


def test_the_same_points_are_drawn_once_and_one_that_differs_anew(nothing_recalled):
    def drawn(mean: float) -> str:
        points = [plots.Point(at, mean, mean - 0.1, mean + 0.1, None, False) for at in (0.0, 0.3)]
        return plots.panel([plots.Line(0, points)], top=1.0, limits=(0.0, 0.3))

    assert drawn(0.5) is drawn(0.5)
    assert drawn(0.5) != drawn(0.5 + 1e-3)
    assert len(nothing_recalled.drawn) == 2


def test_the_figure_of_a_run_is_drawn_once_whatever_the_run_has_cost(nothing_recalled):
    def drawn(mean: float, **costs: float) -> str:
        scores = {"top1": {"mean": mean, "low": 0.1, "high": 0.9}}
        return figures.scores_by_magnitude([records.record(scores=scores, shift="mean", magnitude=0.3, **costs)])

    assert drawn(0.5, seconds=1.0) is drawn(0.5, seconds=2.0, generated=16)
    assert drawn(0.5) != drawn(0.6)
    assert len(nothing_recalled.drawn) == 2


def test_how_long_networks_take_is_timed_without_it_and_once(nothing_recalled):
    model = load.load.__wrapped__(ENTRY, "cpu", "float32")
    generated = []
    native = model.generate
    model.generate = lambda *args, **kwargs: generated.append(args) or native(*args, **kwargs)
    sizes = [batch_size.find_batch_size(model, catalogue.shipped().design("toy-latent", 16)[:3]) for _ in range(2)]
    assert (nothing_recalled.computed, nothing_recalled.recalled) == (0, 0)
    assert len(generated) == 3  # the first is slow; one image, two images
    assert sizes[0] == sizes[1] in (1, 2)


def test_what_is_recalled_may_be_written_into(nothing_recalled):
    model = load.load(ENTRY, "cpu", "float32")
    with torch.inference_mode():
        first = model.generate(DESIGN)
        kept = first.clone()
        first.zero_()
        assert torch.equal(model.generate(DESIGN), kept)


def test_gradients_and_training_are_not_recalled():
    memory = Memory()

    class Network(nn.Linear):
        forward = memory.around(nn.Linear.forward)

    network, given = Network(2, 2), torch.ones(1, 2)
    network(given)  # in training
    network.eval()(given)  # with gradients
    assert (memory.computed, memory.recalled) == (0, 0)
    with torch.inference_mode():
        network(given)
        network(given)
    assert (memory.computed, memory.recalled) == (1, 1)


def test_the_oldest_are_forgotten():
    memory = Memory(room=3 * 8)

    class Network(nn.Linear):
        forward = memory.around(nn.Linear.forward)

    network = Network(2, 2).eval()
    with torch.inference_mode():
        for value in (0, 1, 2, 3, 0):
            network(torch.full((1, 2), float(value)))
    assert (memory.computed, memory.recalled, len(memory.found)) == (5, 0, 3)
