"""The models in memory: one at a time, loaded when it is needed, and never again where it cannot be."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest
import torch

from helpers.families import FAMILIES
from helpers.pretended_device import PretendedDevices
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case, CaseError, UnusableModelError
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.models import catalogue, needed_scorers
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner import model_pool
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.runner.workbench import Workbench


class Loaded:
    """A test double of a loaded model."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def loads(monkeypatch) -> Counter[str]:
    """Counts what is loaded; `unusable` models cannot be."""
    found: Counter[str] = Counter()

    def load(entry, device: str, dtype: str) -> Loaded:
        found[entry.name] += 1
        if entry.name == "toy-glide":
            raise ModelError("no weights")
        return Loaded(entry.name)

    monkeypatch.setattr(model_pool, "_load", load)
    return found


def test_a_model_stays_until_another_one_is_needed_and_is_free_before_that_is_loaded(monkeypatch):
    alive: list[weakref.ref[Loaded]] = []
    told = []

    def load(entry, device: str, dtype: str) -> Loaded:
        gc.collect()
        assert [each for each in alive if each() is not None] == []
        made = Loaded(entry.name)
        alive.append(weakref.ref(made))
        return made

    monkeypatch.setattr(model_pool, "_load", load)
    pool = ModelPool("cpu", None, on_load=lambda: told.append(1))
    for name in ("toy-latent", "toy-latent", "toy-glide", "toy-latent"):
        assert pool.model(name).name == name
    assert len(alive) == len(told) == 3
    assert pool.running_batch_size("toy-latent") is None
    pool.release()
    gc.collect()
    assert alive[-1]() is None


def test_of_many_models_of_ones_own_each_is_loaded_once_to_give_its_fingerprint(monkeypatch):
    said = {"one": "first", "two": "second"}
    loaded: list[str] = []

    def load(entry, device: str, dtype: str) -> Loaded:
        loaded.append(entry.name)
        made = Loaded(entry.name)
        made.fingerprint = said[entry.name]
        return made

    monkeypatch.setattr(model_pool, "_load", load)
    entries = {name: catalogue.Entry(name, (), classes="toy16", own=object()) for name in said}
    pool = ModelPool("cpu", None, catalogue=catalogue.Catalogue(entries))
    found = [pool.fingerprint(name, ()) for name in ("one", "two", "one", "two", "one")]
    assert loaded == ["one", "two"]
    assert found[0] == found[2] == found[4] != found[1] == found[3]
    said["one"] = "changed"  # between two loads, such as a file that it reads
    pool.model("one")
    assert pool.fingerprint("one", ()) != found[0]


def test_a_model_that_cannot_be_loaded_is_tried_once(loads):
    pool = ModelPool("cpu", None)
    for _ in range(2):
        with pytest.raises(UnusableModelError, match="toy-glide cannot be loaded: no weights"):
            pool.model("toy-glide")
    assert pool.model("toy-latent").name == "toy-latent"
    assert loads == {"toy-glide": 1, "toy-latent": 1}


def test_what_is_only_planned_and_not_here_has_no_samples(tmp_path, loads):
    bench = Workbench(RunFolder(tmp_path), "cpu", None)
    bench.pool.plan_without({"toy-latent": "toy-latent is not here: it would be downloaded"})
    with pytest.raises(CaseError, match="toy-latent is not here: it would be downloaded"):
        bench.missing(Case("toy-latent"), catalogue.shipped().design("toy-latent", 16))
    assert dict(bench.pool.absent) == {"toy-latent": "toy-latent is not here: it would be downloaded"}
    with pytest.raises(TypeError):
        bench.pool.absent["toy-glide"] = "written from outside"
    assert loads == {}


def test_a_model_is_broken_from_the_report_on():
    pool = ModelPool("cpu", None)
    assert not pool.is_broken("toy-latent")
    pool.report_broken("toy-latent")
    assert (pool.is_broken("toy-latent"), pool.is_broken("toy-glide")) == (True, False)


@pytest.mark.parametrize(
    ("needed", "measured"),
    [
        ((), ()),
        ((needed_scorers.CLIP,), ("clip",)),
        ((needed_scorers.CLASSIFIER,), ("top1", "top5")),
        ((needed_scorers.CLIP, needed_scorers.CLASSIFIER), ("top1", "top5", "clip")),
    ],
)
def test_samples_have_the_scores_of_the_scorers_that_are_needed(needed, measured):
    pool = ModelPool("cpu", None, needs=lambda _: frozenset(needed))
    assert tuple(pool.scorers.measures("toy-latent")) == measured
    assert set(pool.scorers.fingerprints("toy-latent")) == set(needed)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_of_a_model_that_is_put_away_nothing_stays_on_the_gpu_not_even_what_it_made_of_prompts(monkeypatch):
    family = FAMILIES["stable-diffusion-1"]

    def load(entry, device: str, dtype: str) -> DiffusersPipeline:
        return DiffusersPipeline(entry.name, family.build().to(device), "same", family.arguments)

    monkeypatch.setattr(model_pool, "_load", load)
    some = pairs.design(pairs.class_list("toy16"), 16)[:2]
    with PretendedDevices() as gpus:
        pool = ModelPool("cuda", "float32")
        expected = pool.model("toy-latent").generate(some).cpu()
        at_rest = gpus.used[0]
        assert at_rest > 0
        pool.release()
        assert gpus.used == [0]
        assert torch.equal(pool.model("toy-latent").generate(some).cpu(), expected)
        assert gpus.used[0] == at_rest  # what comes again takes no more
        pool.model("toy-glide")
        pool.release()
        assert gpus.used == [0]


@pytest.mark.parametrize(("kind", "expected"), [("cuda", "float16"), ("cpu", "float32")])
def test_the_number_type_on_a_cluster_s_devices_is_known_without_one_of_them_here(kind, expected):
    mine = Entry("mine", ("acme/mine",), classes="toy16")
    assert ModelPool(kind, None, catalogue=catalogue.Catalogue({"mine": mine})).dtype("mine") == expected
