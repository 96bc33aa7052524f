"""Pipelines of every family, saved as diffusers saves them and loaded again."""

from __future__ import annotations

import pytest

from helpers.families import EACH, FAMILIES
from pytest_seedshift.core import pairs
from pytest_seedshift.models import in_effect, load, locate
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.pipeline import DiffusersPipeline

PAIR = pairs.design(pairs.class_list("toy16"), 16)[:1]
TOLERANCE = 1e-3
"""Loaded networks have their numbers in another order in memory, and random weights make much of a rounding."""

pytestmark = [
    # Diffusers' own: building some pipelines and calling them as they are.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`callback_steps` is deprecated:FutureWarning"),
]


@pytest.mark.parametrize("name", EACH)
def test_a_pipeline_is_the_same_when_it_was_saved_and_loaded(tmp_path, name):
    family = FAMILIES[name]
    pipeline = family.build()
    pipeline.save_pretrained(tmp_path)
    entry = Entry(name, (str(tmp_path),), call=tuple(family.arguments.items()))
    model = load.load(entry, "cpu", "float32")
    if hasattr(pipeline, "resolutions"):  # sizes that the class allows, made small; not saved
        model._pipeline.resolutions = pipeline.resolutions
    assert type(model._pipeline) is type(pipeline)
    assert model.seed_shape == family.seed_shape
    expected = DiffusersPipeline(name, pipeline, "", family.arguments).generate(PAIR)
    assert (model.generate(PAIR) - expected).abs().max() < TOLERANCE

    # What it runs with is known from its files as it is known from it itself.
    told = in_effect.of_files(entry, locate.locate_pipeline(entry.pipeline, None), "float32")
    assert told == model.settings("float32")
    assert told["pipeline"] == type(pipeline).__name__
    assert told.get("steps") == family.arguments.get("num_inference_steps", told.get("steps"))
