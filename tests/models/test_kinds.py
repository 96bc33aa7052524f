"""What makes no picture of a text alone is named as what it is, by its class, before anything of it is loaded."""

from __future__ import annotations

import json

import diffusers
import pytest

from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import catalogue, kinds
from pytest_seedshift.models.base import Entry

REFUSED = {
    "AceStepPipeline": "makes sound",
    "StableAudio3Pipeline": "makes sound",
    "StableAudio3InpaintPipeline": "makes sound",
    "LongCatAudioDiTPipeline": "makes sound",
    "AudioLDM2Pipeline": "makes sound",
    "LLaDA2Pipeline": "makes texts",
    "ShapEPipeline": "makes views of 3-D shapes",
    "SanaVideoPipeline": "makes videos",
    "CogVideoXFunControlPipeline": "makes videos",
    "HeliosPipeline": "makes videos",
    "TextToVideoZeroPipeline": "makes videos",
    "BlipDiffusionPipeline": "wants an image besides the prompt (reference_image,",
    "BlipDiffusionControlNetPipeline": "wants an image besides the prompt",
    "StableDiffusionGLIGENPipeline": "wants boxes with phrases",
    "StableDiffusionAttendAndExcitePipeline": "wants more besides the prompt (token_indices)",
    "StableDiffusionPix2PixZeroPipeline": "wants embeddings",
    "JoyImageEditPlusPipeline": "wants images besides the prompt",
    "QwenImageEditPipeline": "wants an image",
    "StableDiffusionImageVariationPipeline": "wants an image and takes no prompt",
    "MarigoldDepthPipeline": "makes measurements",
    "KandinskyPriorPipeline": "give the decoder",
    "FluxModularPipeline": "is a modular pipeline of diffusers",
    "AmusedPipeline": "draws no noise",
    "VQDiffusionPipeline": "draws no noise",
}


def index_of(folder, name: object):
    folder.mkdir()
    path = folder / trust.INDEX
    path.write_text(json.dumps({"_class_name": name, "transformer": ["diffusers", "NoSuchModel"]}))
    return path


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_named_as_what_it_is(name, tmp_path):
    """Nothing else is in the folder: that it lacks all its parts is not what is said."""
    folder = index_of(tmp_path / "m", name).parent
    with pytest.raises(SeedshiftError, match=r": give (a text-to-image pipeline|the decoder)") as caught:
        catalogue.shipped().check_weights(Entry("mine", (str(folder),)))
    assert REFUSED[name] in str(caught.value)
    assert name in str(caught.value)
    assert str(caught.value).startswith(str(folder))


def test_what_is_known_to_make_pictures_passes_the_same_rules():
    """The list spares a look, and says nothing that the look would not say."""
    for name in sorted(kinds._KNOWN - {"GlidePipeline"}):
        kinds.check(getattr(diffusers, name), "m")


@pytest.mark.parametrize("name", ["StableDiffusionXLPAGPipeline", "UnCLIPPipeline", "StableDiffusionPanoramaPipeline"])
def test_others_that_make_pictures_pass(name, tmp_path):
    kinds.check_index(index_of(tmp_path / "m", name), "m")


@pytest.mark.parametrize("name", ["TomorrowPipeline", None, ["code", "Mine"], 5, "StableDiffusionOnnxPipeline"])
def test_what_tells_nothing_is_left_to_others(name, tmp_path):
    kinds.check_index(index_of(tmp_path / "m", name), "m")
    (tmp_path / "m" / trust.INDEX).write_text("{")
    kinds.check_index(tmp_path / "m" / trust.INDEX, "m")


def test_every_pipeline_of_diffusers_that_returns_no_pictures_is_refused():
    """By its own documentation: what its call says that it returns."""
    passed = []
    for name in dir(diffusers):
        kind = getattr(diffusers, name) if name.endswith("Pipeline") else None
        if not isinstance(kind, type) or hasattr(kind, "_backends"):
            continue
        try:
            kinds.check(kind, "m")
        except SeedshiftError:
            continue
        passed.append(name)
    words = (
        "Video",
        "Audio",
        "Img2Img",
        "Inpaint",
        "ControlNet",
        "Controlnet",
        "Edit",
        "ToWorld",
        "Upscale",
        "Modular",
    )
    assert [name for name in passed if any(word in name for word in words)] == ["StableDiffusionModelEditingPipeline"]
    assert len(passed) > 60
