"""What pipelines are given of prompts: negative ones reach them, pair by pair, or it is an error."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import catalogue, load

TOY = catalogue.shipped().find("toy-latent")


def with_prompts(folder, text: str, **changes):
    path = folder / "mine.csv"
    path.write_text(text)
    return dataclasses.replace(TOY, name="mine", prompts=str(path), guidance=3.0, **changes)


NEGATIVE = "prompt,negative_prompt\nA photo of a pizza,A photo of a banana\nA photo of a pear,\n"


def test_negative_prompts_reach_the_picture_and_only_that_of_their_pair(tmp_path):
    entry = with_prompts(tmp_path, NEGATIVE)
    catalogue.shipped().check_fit(entry)
    model = load.load(entry, "cpu", "float32")
    against = Pair(Label("pizza", 2, negative_prompt="A photo of a banana"), 0)
    plain, other = Pair(Label("pizza", 2), 0), Pair(Label("pear", 5), 1)
    alone = [model.generate([pair])[0] for pair in (against, plain, other)]
    together = model.generate([against, plain, other])
    assert torch.allclose(torch.stack(alone), together, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 0.05


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"guidance": 1.0}, "have no effect where guidance_scale is 1: give guidance above 1"),
        ({"call": (("negative_prompt", "blur"),)}, "call has another one"),
    ],
)
def test_negative_prompts_without_effect_are_refused(tmp_path, changes, said):
    entry = dataclasses.replace(with_prompts(tmp_path, NEGATIVE), **changes)
    with pytest.raises(SeedshiftError) as caught:
        catalogue.shipped().check_fit(entry)
    assert said in str(caught.value)


def test_a_family_without_negative_prompts_is_refused(tmp_path):
    other = next(entry for entry in catalogue.shipped().entries.values() if entry.name == "toy-glide")
    entry = dataclasses.replace(with_prompts(tmp_path, NEGATIVE), pipeline=other.pipeline, guidance=None, steps=None)
    with pytest.raises(SeedshiftError, match=r"GlidePipeline takes none: delete the column negative_prompt"):
        catalogue.shipped().check_fit(entry)
