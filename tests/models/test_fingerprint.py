"""What a sample is the result of: whatever can change it changes its key, and nothing else does."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.core import fingerprint
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, Noise, Pair
from pytest_seedshift.models import catalogue
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.base import Scheduler
from pytest_seedshift.scorers import fingerprint as scorer_fingerprint

TOY = catalogue.shipped().find("toy-latent")
CASE = Case("toy-latent", "mean", 0.3)
PAIR = Pair(Label("Löwe", 3), 7)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
pairs = st.builds(Pair, st.builds(Label, texts, st.integers(0, 999)), st.integers(0, 999))
cases = st.builds(Case, texts, texts, st.floats(allow_nan=False, allow_infinity=False))


def of_toy(device: str = "cpu", dtype: str = "float32", **changes) -> str:
    return fingerprints.of_model(dataclasses.replace(TOY, **changes), device, dtype)


def copied(source: str, folder: Path) -> Path:
    shutil.copytree(source, folder)
    return folder


@pytest.fixture(autouse=True)
def _versions_are_asked_anew():
    """The versions of libraries are asked once a process."""
    fingerprint.versions.cache_clear()
    yield
    fingerprint.versions.cache_clear()


# Images -----------------------------------------------------------------------------------------------------------


def test_the_key_of_an_image_never_changes():
    """Stores that exist hold these keys: a change here makes all of them useless, as raising `MAKING` does."""
    assert fingerprints.image_key("0123456789abcdef", CASE, PAIR) == "f6272348c9d8ab712dc5d2377abd0fa2"


@pytest.mark.parametrize(
    ("fingerprint", "case", "pair"),
    [
        ("g", CASE, PAIR),
        ("f", Case("toy-latent", "std", 0.3), PAIR),
        ("f", Case("toy-latent", "mean:exact", 0.3), PAIR),
        ("f", Case("toy-latent", "mean", -0.3), PAIR),
        ("f", Case("toy-latent", "mean", 0.1 + 0.2), PAIR),
        ("f", CASE.control, PAIR),
        ("f", CASE, Pair(PAIR.label, 8)),
        ("f", CASE, Pair(Label("Lowe", 3), 7)),
    ],
)
def test_all_that_an_image_is_made_from_changes_its_key(fingerprint, case, pair):
    assert fingerprints.image_key(fingerprint, case, pair) != fingerprints.image_key("f", CASE, PAIR)


seeds = st.integers(0, 2**62) | st.booleans()
shared = st.lists(st.builds(Label, st.text(max_size=3), st.integers(0, 9)), min_size=1, max_size=3)
noises = st.none() | st.builds(Noise, seeds, seeds)
magnitudes = st.floats(allow_nan=False) | st.integers(-3, 3) | st.sampled_from([0.0, -0.0])


@given(data=st.data(), model=st.text(), shift=st.text(), magnitude=magnitudes, labels=shared)
def test_the_keys_of_many_pairs_are_hashes_of_what_each_image_is_made_from(data, model, shift, magnitude, labels):
    """Each is what the list of its parts, in JSON, has as its hash: stores that exist hold such keys."""
    pairs = data.draw(st.lists(st.builds(Pair, st.sampled_from(labels), seeds, noises), max_size=8))
    expected = []
    for pair in pairs:
        parts = [model, pair.prompt, pair.label.name, pair.seed, shift, magnitude]
        parts += [] if pair.noise is None else [pair.noise.vector, pair.noise.later]
        expected.append(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32])
    case = Case("any", shift, magnitude)
    assert fingerprints.image_keys(model, case, pairs) == expected
    assert [fingerprints.image_key(model, case, pair) for pair in pairs] == expected


@given(first=st.tuples(texts, cases, pairs), second=st.tuples(texts, cases, pairs))
def test_images_share_a_key_only_if_they_are_made_from_the_same(first, second):
    def made_from(fingerprint: str, case: Case, pair: Pair) -> tuple:
        return fingerprint, case.shift, repr(case.magnitude), pair.label.name, pair.seed

    same = made_from(*first) == made_from(*second)
    assert (fingerprints.image_key(*first) == fingerprints.image_key(*second)) == same


def test_every_image_of_a_run_has_a_key_of_its_own():
    grid = [Case("toy-latent"), *(Case("toy-latent", name, size) for name in ("mean", "std") for size in (-0.1, 0.1))]
    design = catalogue.shipped().design("toy-latent", 100)
    keys = {fingerprints.image_key("f", case, pair) for case in grid for pair in design}
    assert len(keys) == len(grid) * len(design)


def test_a_models_name_and_a_classs_index_do_not_change_an_image():
    """The fingerprint stands for the model, wherever it lies; the index only says what a score is asked for."""
    renamed = fingerprints.image_key("f", Case("./elsewhere", "mean", 0.3), Pair(Label("Löwe", 4), 7))
    assert renamed == fingerprints.image_key("f", CASE, PAIR)


# Models -----------------------------------------------------------------------------------------------------------


def test_a_models_fingerprint_is_the_same_every_time():
    assert of_toy() == of_toy()


@pytest.mark.parametrize(
    "change",
    [
        {"device": "cuda:0"},
        {"device": "mps"},
        {"dtype": "bfloat16"},
        {"steps": 11},
        {"steps": None},
        {"guidance": 1.5},
        {"guidance": None},
        {"scheduler": Scheduler("DDIMScheduler")},
        {"scheduler": Scheduler("EulerAncestralDiscreteScheduler")},
        {"scheduler": Scheduler("DDIMScheduler", (("timestep_spacing", "trailing"),))},
        {"height": 32},
        {"width": 32},
        {"call": (("eta", 1.0),)},
    ],
    ids=str,
)
def test_how_a_model_is_run_changes_its_fingerprint(change):
    assert of_toy(**change) != of_toy()


def test_which_of_several_devices_runs_a_model_does_not_change_its_fingerprint():
    assert of_toy("cuda:0") == of_toy("cuda:1") == of_toy("cuda")


@pytest.mark.parametrize("library", ["torch", "diffusers", "transformers"])
def test_another_version_of_a_library_changes_a_models_fingerprint(library, monkeypatch):
    before = of_toy()
    upgrade(monkeypatch, library)
    assert of_toy() != before


@pytest.mark.parametrize("library", ["pytest", "numpy"])
def test_libraries_that_run_no_model_do_not_change_its_fingerprint(library, monkeypatch):
    before = of_toy()
    upgrade(monkeypatch, library)
    assert of_toy() == before


def test_a_change_of_this_package_to_its_images_changes_every_fingerprint(monkeypatch):
    before = of_toy(), scorer_fingerprint.of_classifier(TOY.classifier), scorer_fingerprint.of_clip(TOY.clip)
    monkeypatch.setattr(fingerprint, "MAKING", fingerprint.MAKING + 1)
    after = of_toy(), scorer_fingerprint.of_classifier(TOY.classifier), scorer_fingerprint.of_clip(TOY.clip)
    assert not set(before) & set(after)


def upgrade(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """As if another version of a library were installed."""
    real = fingerprint.version
    monkeypatch.setattr(fingerprint, "version", lambda name: real(name) + ("+next" if name == library else ""))
    fingerprint.versions.cache_clear()


# Weights ----------------------------------------------------------------------------------------------------------


def of_model_at(folder: Path) -> str:
    return of_toy(pipeline=(str(folder),))


def of_classifier_at(folder: Path) -> str:
    return scorer_fingerprint.of_classifier(str(folder))


def of_clip_at(folder: Path) -> str:
    return scorer_fingerprint.of_clip(str(folder))


PARTS = {
    "model": (
        TOY.pipeline[0],
        of_model_at,
        "unet/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    ),
    "classifier": (TOY.classifier, of_classifier_at, "model.safetensors", "preprocessor_config.json"),
    "clip": (TOY.clip, of_clip_at, "open_clip_model.safetensors", "open_clip_config.json"),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_folder_that_weights_lie_in_does_not_change_their_fingerprint(tmp_path, part):
    source, fingerprint, *_ = PARTS[part]
    assert fingerprint(copied(source, tmp_path / "elsewhere")) == fingerprint(Path(source))


@pytest.mark.parametrize("part", PARTS)
def test_one_bit_of_the_weights_changes_their_fingerprint(tmp_path, part):
    source, fingerprint, weights, _ = PARTS[part]
    file = copied(source, tmp_path / "copy") / weights
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert fingerprint(tmp_path / "copy") != fingerprint(Path(source))


@pytest.mark.parametrize("part", PARTS)
def test_a_changed_configuration_changes_the_fingerprint(tmp_path, part):
    source, fingerprint, _, configuration = PARTS[part]
    file = copied(source, tmp_path / "copy") / configuration
    file.write_text(file.read_text().replace("{", '{"added": 1,', 1))
    assert fingerprint(tmp_path / "copy") != fingerprint(Path(source))


@pytest.mark.parametrize("library", ["torch", "torchvision", "transformers"])
def test_another_version_of_a_library_changes_a_classifiers_fingerprint(library, monkeypatch):
    before = scorer_fingerprint.of_classifier(TOY.classifier)
    upgrade(monkeypatch, library)
    assert scorer_fingerprint.of_classifier(TOY.classifier) != before


@pytest.mark.parametrize("library", ["torch", "torchvision", "open_clip_torch"])
def test_another_version_of_a_library_changes_clips_fingerprint(library, monkeypatch):
    before = scorer_fingerprint.of_clip(TOY.clip)
    upgrade(monkeypatch, library)
    assert scorer_fingerprint.of_clip(TOY.clip) != before


def test_no_two_parts_share_a_fingerprint():
    assert len({of_toy(), scorer_fingerprint.of_classifier(TOY.classifier), scorer_fingerprint.of_clip(TOY.clip)}) == 3
    assert scorer_fingerprint.of_clip(TOY.clip) != scorer_fingerprint.of_classifier(TOY.clip)
