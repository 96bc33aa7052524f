"""What pipelines do by themselves is off, whatever packages are installed, and said where it would have been done."""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

import diffusers
import pytest

from helpers import families
from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import fingerprint, habits, load, locate, pipeline_class
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.location import Location

if TYPE_CHECKING:
    import torch


@pytest.fixture(autouse=True)
def _hidden(tmp_path, monkeypatch):
    """Whatever happens to be installed where the tests run, none of it is found but what a test has put there."""

    def find(name: str) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(tmp_path / "site")])

    monkeypatch.setattr(habits, "find_spec", find)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put packages that have nothing in them where Python finds packages."""

    def put(*names: str) -> None:
        for name in names:
            (tmp_path / "site" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "site" / name / "__init__.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return put


def saved(folder, pipeline) -> Entry:
    pipeline.save_pretrained(folder)
    return Entry(str(folder), (str(folder),), steps=2, height=16, width=16, classes="toy16")


def notes(entry: Entry) -> str:
    return "\n".join(habits.notes(locate.locate_pipeline(entry.pipeline), entry))


def named(folder, name: str) -> Location:
    folder.mkdir(exist_ok=True)
    (folder / trust.INDEX).write_text(json.dumps({"_class_name": name}))
    return Location(str(folder), folder)


def test_no_watermark_is_drawn_though_its_package_is_installed(tmp_path, installed, monkeypatch):
    """diffusers' own class, told that the package is there, draws one: then this fails, which shows what it is for."""
    xl = sys.modules[diffusers.StableDiffusionXLPipeline.__module__]
    drawn: list[torch.Tensor] = []

    class Watermark:
        def apply_watermark(self, images: torch.Tensor) -> torch.Tensor:
            drawn.append(images)
            return images * 0

    monkeypatch.setattr(xl, "is_invisible_watermark_available", lambda: True)
    monkeypatch.setattr(xl, "StableDiffusionXLWatermarker", Watermark, raising=False)
    entry = saved(tmp_path / "xl", families.stable_diffusion_xl())
    assert "watermark" not in notes(entry)
    before = fingerprint.of_model(entry, "cpu", "float32")
    model = load.load(entry, "cpu", "float32")
    assert model._pipeline.watermark is None
    assert float(model.generate([Pair(Label("dog", 0), 0)]).std()) > 0
    assert not drawn
    native = diffusers.DiffusionPipeline.from_pretrained(tmp_path / "xl")
    assert native.watermark is not None
    installed("imwatermark")
    assert "the watermark that diffusers draws" in notes(entry)
    assert fingerprint.of_model(entry, "cpu", "float32") == before


CLEANING = [
    name
    for name in ("IFPipeline", "LuminaPipeline", "PixArtAlphaPipeline", "PixArtSigmaPipeline", "SanaPipeline")
    if "clean_caption" in inspect.signature(getattr(diffusers, name).__call__).parameters
]


@pytest.mark.parametrize("name", CLEANING)
def test_prompts_are_not_cleaned_by_what_happens_to_be_installed(name, tmp_path, installed):
    kind, location, entry = getattr(diffusers, name), named(tmp_path / "m", name), Entry("mine", ())
    by_default = inspect.signature(kind.__call__).parameters["clean_caption"].default
    off = pipeline_class.call_of(kind, entry)
    assert off == ({"clean_caption": False} if by_default else {})
    assert "cleaning" not in "".join(habits.notes(location, entry))
    installed("bs4", "ftfy")
    assert pipeline_class.call_of(kind, entry) == off
    assert ("cleaning" in "".join(habits.notes(location, entry))) == by_default
    assert habits.key(location, entry) == ()


def test_what_an_entry_asks_for_is_done_or_refused_in_words(installed, monkeypatch):
    entry = Entry("mine", (), call=(("clean_caption", True),))
    native = habits.find_spec
    monkeypatch.setattr(habits, "find_spec", lambda name: None if name == "bs4" else native(name))
    with pytest.raises(pipeline_class.LoadError, match=r"mine: call: clean_caption = true: .*beautifulsoup4"):
        pipeline_class.call_of(diffusers.PixArtAlphaPipeline, entry)
    monkeypatch.undo()
    installed("bs4", "ftfy")
    assert pipeline_class.call_of(diffusers.PixArtAlphaPipeline, entry) == {"clean_caption": True}


@pytest.mark.parametrize(
    ("name", "argument"), [("ErnieImagePipeline", "use_pe"), ("LongCatImagePipeline", "enable_prompt_rewrite")]
)
def test_prompts_are_not_rewritten_by_sampling(name, argument, tmp_path):
    kind, location, entry = getattr(diffusers, name), named(tmp_path / "m", name), Entry("mine", ())
    assert pipeline_class.call_of(kind, entry)[argument] is False
    assert habits.key(location, entry) == (f"{argument} off",)
    assert "rewriting" in "".join(habits.notes(location, entry))
    for given in (True, False):
        asked = dataclasses.replace(entry, call=((argument, given),))
        assert pipeline_class.call_of(kind, asked) == {argument: given}
        assert habits.key(location, asked) == ()
        assert list(habits.notes(location, asked)) == []


def told_by_default(*words: str) -> set[tuple[str, str]]:
    """Of every pipeline of diffusers that makes images of a text, the arguments with such words that are True."""
    found = set()
    for name in dir(diffusers):
        try:
            kind = pipeline_class.text_to_image_class(name, name) if name.endswith("Pipeline") else None
        except SeedshiftError:
            continue
        if isinstance(kind, type) and not isinstance(kind, ModuleType):
            takes = inspect.signature(kind.__call__).parameters
            found |= {
                (name, each) for each in takes if any(word in each for word in words) and takes[each].default is True
            }
    return found


def test_no_other_pipeline_of_diffusers_rewrites_prompts_unless_it_is_told_not_to():
    """Every argument of a name like these is known here."""
    found = told_by_default("rewrite", "use_pe", "enhance", "upsampling", "expand_prompt")
    assert found == set(habits._REWRITERS.items())


def test_no_other_pipeline_of_diffusers_cleans_prompts():
    assert {name for name, _ in told_by_default("clean_caption")} == habits._CLEANERS
