"""What a model is run with, in effect: of pipelines, of their files, of foreign files, and held against another."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.models import catalogue, in_effect, load, locate
from pytest_seedshift.models.base import Entry, Scheduler
from pytest_seedshift.models.location import Location
from pytest_seedshift.results import run_settings, schema
from pytest_seedshift.results.run_folder import RunFolder

VALUES = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.text("abc", max_size=3))
SETTINGS = st.dictionaries(
    st.sampled_from(run_settings.KEYS),
    st.one_of(VALUES, st.dictionaries(st.text("xyz", min_size=1, max_size=2), VALUES, min_size=1, max_size=3)),
    min_size=1,
).map(run_settings.checked)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*run_settings.KEYS, "x"]), inner),
)
BASE = catalogue.shipped().find("toy-latent")


@given(SETTINGS, SETTINGS)
def test_every_difference_is_named_and_nothing_else(old, new):
    said = run_settings.differences(old, new)
    assert (said == []) == (run_settings._flat(old) == run_settings._flat(new))
    assert run_settings.differences(old, old) == []
    for key in run_settings.KEYS:
        if old.get(key) != new.get(key):
            assert any(line.startswith((f"{key} ", f"{key}.")) for line in said)


@given(SETTINGS)
def test_a_side_that_has_recorded_nothing_is_named(known):
    assert run_settings.differences({}, known, ("old.json", "new")) == ["settings not recorded in old.json"]
    assert run_settings.differences(known, {}, ("old.json", "new")) == ["settings not recorded in new"]
    assert run_settings.differences({}, {}, ("a", "b")) == ["settings not recorded in a and b"]


@given(ANYTHING)
def test_of_what_a_foreign_file_says_only_settings_are_taken(said):
    found = run_settings.checked(said)
    assert found.keys() <= set(run_settings.KEYS)
    assert run_settings.checked(json.loads(json.dumps(found, allow_nan=False))) == found
    run_settings.describe(found)


def test_the_folder_keeps_them_and_a_damaged_file_tells_nothing(tmp_path):
    folder = RunFolder(tmp_path)
    known = run_settings.checked({"steps": 10, "guidance": 1.0, "call": {"eta": 0.0}})
    run_settings.write(folder, "abc", known)
    assert run_settings.read(folder, "abc") == known
    assert run_settings.read(folder, "other") == {}
    run_settings.write(folder, "abc", {**known, "classes": "toy16"})  # which may be others elsewhere
    assert run_settings.read(folder, "abc") == known
    model = {"device": "cpu", "dtype": "float32", "classifier": None, "clip": None}
    mine, lost = {**model, "fingerprint": "abc"}, {**model, "fingerprint": None}
    head = schema.Head.model_validate(
        {"certainty": 0.99, "thresholds": "t", "libraries": {}, "grid": [], "models": {"mine": mine, "lost": lost}}
    )
    assert run_settings.refreshed(head, folder).built_in()["models"] == {
        "mine": {**mine, "run_with": known},
        "lost": lost,
    }
    folder.settings_file("abc").write_text("[1")
    assert run_settings.read(folder, "abc") == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"guidance": None}, ["guidance 2 → 7.5"]),
        ({"steps": None}, ["steps 5 → 50"]),
        ({"scheduler": Scheduler("EulerDiscreteScheduler")}, ["sampler DDIMScheduler → EulerDiscreteScheduler"]),
        (
            {"scheduler": Scheduler("DDIMScheduler", (("timestep_spacing", "trailing"),))},
            ["sampler_options.timestep_spacing leading → trailing"],
        ),
        ({"call": (("eta", 1.0),)}, ["call.eta 0 → 1"]),
        ({"height": 32, "width": 32}, ["height none → 32", "width none → 32"]),
        ({"call": (("negative_prompt", "fog"),)}, ["call.negative_prompt none → fog"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_an_entry_changes_or_leaves_to_diffusers_is_told(changes, said):
    entry = dataclasses.replace(BASE, **changes)
    location = locate.locate_pipeline(entry.pipeline, entry.revision)
    before, after = (in_effect.of_files(each, location, "float32") for each in (BASE, entry))
    found = run_settings.differences(before, after)
    assert set(said) <= set(found)
    assert bool(said) == bool(found)
    if "scheduler" in changes:
        assert load.load(entry, "cpu", "float32").settings("float32") == after


def test_a_part_of_another_number_type_is_told():
    model = load.load(BASE, "cpu", "float32")
    model._pipeline.text_encoder.double()
    assert model.settings("float32")["parts"] == {"text_encoder": "float64"}
    assert "text_encoder in float64" in run_settings.describe(model.settings("float32"))


@pytest.mark.parametrize("name", ["toy-glide", "toy-latent-zsnr+ancestral"])
def test_files_tell_what_the_loaded_model_tells(name):
    entry = catalogue.shipped().find(name)
    location = locate.locate_pipeline(entry.pipeline, entry.revision)
    loaded = load.load(entry, "cpu", "float32").settings("float32")
    assert in_effect.of_files(entry, location, "float32") == loaded
    assert f"{loaded['steps']} steps" in run_settings.describe(loaded)


def test_files_that_tell_nothing_are_no_error(tmp_path):
    location = Location(str(tmp_path), tmp_path)
    assert in_effect.of_files(Entry("mine", (str(tmp_path),)), location, "float16") == {"dtype": "float16"}
