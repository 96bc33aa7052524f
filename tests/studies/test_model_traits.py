"""What entries and files say of models, what of it differs, and of what an effect can then be the effect."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_seedshift
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.fingerprint import of_model
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.scorers import fingerprint
from pytest_seedshift.studies.sampler_ablation import design, differences, traits
from pytest_seedshift.studies.sampler_ablation.differences import Kind, Trait

TOYS = Path(pytest_seedshift.__file__).parent / "models/toys"


def apart(one: str, other: str, known: catalogue.Catalogue | None = None) -> dict[str, differences.Difference]:
    known = known or catalogue.shipped()
    found = differences.between(*(traits.of(known, name, "float32") for name in (one, other)))
    return {each.name: each for each in found}


def users(folder: Path, text: str) -> catalogue.Catalogue:
    folder.joinpath("thresholds.toml").write_text(text)
    return catalogue.load(folder)


def test_the_toys_differ_in_what_their_entries_and_files_say():
    found = apart("toy-latent", "toy-glide")
    values = {name: each.values for name, each in found.items()}
    assert values["space"] == ("latents", "pixels")
    assert values["sampler"] == ("DDIM", "ancestral")
    assert values["clipping"] == ("off", "on")
    assert found["end of the schedule"].kind is Kind.BUILT_IN
    entries = catalogue.shipped().entries
    for name in ("steps", "guidance"):
        numbers = [getattr(entries[model], name) for model in ("toy-latent", "toy-glide")]
        assert (name in values) == (numbers[0] != numbers[1])
    assert not [name for name, each in found.items() if each.kind is Kind.SETTING]


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ("toy-glide", "toy-glide-ddim", {"sampler"}),
        ("toy-latent", "toy-latent+steps=3", {"steps"}),
        ("toy-latent", "toy-latent+guidance=3", {"guidance"}),
        ("toy-latent", "toy-latent+clip=4", {"clipping"}),
        ("toy-latent+ddim", "toy-latent+ancestral", {"sampler"}),
        ("toy-glide+ddim", "toy-glide+ancestral", {"sampler"}),
        ("toy-latent+clip=4", "toy-latent+clip=2", {"range of clipping"}),
        ("toy-latent", "toy-latent+zsnr", {"end of the schedule", "spacing of steps"}),
        ("toy-latent", "toy-latent+int8+tiling", {"quantization", "tiling"}),
        ("toy-latent+compile", "toy-latent+compile=max-autotune", {"compile"}),
    ],
)
def test_a_change_differs_in_what_it_is_about_and_in_nothing_else(one, other, names):
    assert set(apart(one, other)) == names


@pytest.mark.parametrize(
    ("table", "name", "kind"),
    [
        ("call = { negative_prompt = 'blurred' }", "argument negative prompt", Kind.SETTING),
        ("call = { eta = 0.5 }", "argument eta", Kind.SETTING),
        ("height = 128\nwidth = 128", "size of images", Kind.SETTING),
        ("scheduler = { name = 'DDIMScheduler', timestep_spacing = 'trailing' }", "spacing of steps", Kind.BUILT_IN),
        ("scheduler = { name = 'DDIMScheduler', thresholding = true }", "clipping", Kind.FACTOR),
        ("scheduler = { name = 'EulerDiscreteScheduler' }", "sampler", Kind.FACTOR),
        ("scheduler = { name = 'DDPMScheduler', variance_type = 'fixed_large' }", "sampler", Kind.FACTOR),
        ("upsampler = true", "shift of a second stage", Kind.SETTING),
    ],
)
def test_what_an_entry_changes_is_named(tmp_path, table, name, kind):
    known = users(tmp_path, f'[models.mine]\npipeline = "{TOYS}/toy-latent"\nsteps = 10\nguidance = 1.0\n{table}\n')
    found = apart("toy-latent", "mine", known)
    assert found[name].kind is kind
    assert "weights" not in found


def test_a_sampler_s_further_option_is_a_setting_of_its_own(tmp_path):
    text = '[models.%s]\npipeline = "{}"\nscheduler = {{ name = "DDPMScheduler", variance_type = "%s" }}\n'
    tables = "".join((text % each).format(TOYS / "toy-latent") for each in (("a", "fixed_small"), ("b", "fixed_large")))
    found = apart("a", "b", users(tmp_path, tables))
    assert {name: each.kind for name, each in found.items()} == {"sampler option variance_type": Kind.SETTING}
    assert differences.causes(differences.MODEL, found.values()) == ("sampler option variance_type",)


def test_number_types_differ_by_name():
    one, other = (traits.of(catalogue.shipped(), "toy-latent", dtype) for dtype in ("float32", "float16"))
    (found,) = differences.between(one, other)
    assert (found.name, found.kind) == ("number type", Kind.SETTING)


def test_the_same_weights_in_two_folders_are_the_same_and_other_weights_are_not(tmp_path):
    """What is sampled otherwise is not another network; and samples of one are never taken for the other's."""
    shutil.copytree(TOYS / "toy-latent", tmp_path / "same")
    shutil.copytree(TOYS / "toy-latent", tmp_path / "other")
    config = tmp_path / "same/scheduler/scheduler_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "timestep_spacing": "trailing"}))
    file = next(tmp_path.joinpath("other/unet").glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # one bit of one weight
    file.write_bytes(content)
    known = catalogue.shipped()
    assert set(apart(f"{TOYS}/toy-latent", str(tmp_path / "same"))) == {"spacing of steps"}
    assert set(apart(f"{TOYS}/toy-latent", str(tmp_path / "other"))) == {"weights"}
    folders = (f"{TOYS}/toy-latent", str(tmp_path / "same"), str(tmp_path / "other"))
    assert len({of_model(known.find(each), "cpu", "float32") for each in folders}) == 3


@pytest.mark.parametrize(("name", "of"), [("toy-vit", fingerprint.of_classifier), ("toy-clip", fingerprint.of_clip)])
def test_scores_by_other_weights_are_never_taken_for_those_of_a_toy_scorer(tmp_path, name, of):
    shipped, other = Path(pytest_seedshift.__file__).parent / "scorers/toys" / name, tmp_path / name
    shutil.copytree(shipped, other)
    assert of(str(other)) == of(str(shipped))
    (file,) = other.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1  # one bit of one weight
    file.write_bytes(content)
    assert of(str(other)) != of(str(shipped))


def test_models_that_are_one_once_their_difference_is_crossed_are_refused(tmp_path):
    pool = ModelPool("cpu", "float32", catalogue=catalogue.shipped())
    with pytest.raises(InvalidValueError, match="are the same once sampler and clipping are crossed: leave one of the"):
        design.make(pool, ["toy-glide", "toy-glide-ddim"], {})


def test_a_difference_that_names_fix_is_not_crossed_and_so_not_attributed():
    pool = ModelPool("cpu", "float32", catalogue=catalogue.shipped())
    found = design.make(pool, ["toy-latent+guidance=2", "toy-latent-zsnr+guidance=3"], {})
    assert "leave one of them out" in found.left_out["guidance"]
    assert found.causes_of("model", "toy-latent-zsnr+guidance=3") == ("model", "guidance")
    assert found.causes_of("sampler", "ancestral") == ("sampler",)


@given(st.dictionaries(st.sampled_from(["a", "b", "sampler", "steps"]), st.sampled_from(["1", "2"])), st.data())
def test_differences_are_those_of_values_whichever_comes_first(values, data):
    kinds = st.sampled_from(Kind)
    one = {name: Trait(value, data.draw(kinds)) for name, value in values.items()}
    other = {name: Trait(data.draw(st.sampled_from(["1", "2"])), trait.kind) for name, trait in one.items()}
    forth, back = (differences.between(*each) for each in ((one, other), (other, one)))
    assert {each.name for each in forth} == {name for name in one if one[name] != other[name]}
    assert {each.name: each.values[::-1] for each in back} == {each.name: each.values for each in forth}
    assert differences.between(one, one) == ()
