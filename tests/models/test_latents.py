"""Seed vectors from a file: they are those of diffusers' own `latents=`, and what is no seed vector is refused."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file

from helpers.families import EACH, FAMILIES
from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.pairs import Noise
from pytest_seedshift.models import catalogue, entry_schema, latents, load
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.entry_tables import entry_of
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.models.seed_vector import from_images
from pytest_seedshift.results import run_settings
from pytest_seedshift.runner.cluster import examination

pytestmark = [
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning"),
]

SHIPPED = catalogue.shipped()
TOY = SHIPPED.find("toy-latent")
DESIGN = pairs.design(pairs.class_list("toy16"), 16)
PAIRS = DESIGN[:8]
SHAPE = (4, 16, 16)


def entry(path: Path, base: Entry = TOY) -> Entry:
    return dataclasses.replace(base, engine=dataclasses.replace(base.engine, latents=str(path)))


def loaded(wanted: Entry) -> Any:
    catalogue.Catalogue({**SHIPPED.entries, wanted.name: wanted}).check_files(wanted)
    return load.load(wanted, "cpu", "float32")


def numbers(seed: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def by_pair(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("latents") / "each.safetensors"
    save_file({latents.name_of(pair): numbers(place) for place, pair in enumerate(DESIGN)}, path)
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("latents") / "one.safetensors"
    save_file({"latents": numbers(1, (1, *SHAPE))}, path)
    return path


@pytest.fixture(scope="module")
def small_sd(tmp_path_factory) -> Entry:
    """A small Stable Diffusion of random weights."""
    torch.manual_seed(0)
    family, folder = FAMILIES["stable-diffusion-1"], tmp_path_factory.mktemp("sd")
    family.build().save_pretrained(folder)
    call = {key: value for key, value in family.call.items() if key not in ("height", "width")}
    made = Entry("small", (str(folder),), steps=2, call=tuple(call.items()), classes="toy16")
    return dataclasses.replace(made, classifier=TOY.classifier, clip=TOY.clip)


def by_hand(folder: str, z: torch.Tensor, design: Any, **call: Any) -> torch.Tensor:
    """The images of diffusers' own call with its `latents`, one by one in a batch."""
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    for name in ("unet", "vae"):
        pipeline.components[name].to(memory_format=torch.channels_last)  # as our own are
    made = pipeline(prompt=[pair.prompt for pair in design], latents=z, output_type="pt", **call)
    return made[0].float().clamp(0, 1)


CALL = {"num_inference_steps": TOY.steps, "guidance_scale": TOY.guidance}


def test_images_of_given_latents_are_those_of_diffusers_own_call(by_pair, shared):
    each, one = loaded(entry(by_pair)), loaded(entry(shared))
    z = torch.stack([numbers(place) for place in range(8)])
    assert torch.equal(each.generate(PAIRS), by_hand(TOY.pipeline[0], z, PAIRS, **CALL))
    z = numbers(1, (1, *SHAPE)).repeat(8, 1, 1, 1)
    assert torch.equal(one.generate(PAIRS), by_hand(TOY.pipeline[0], z, PAIRS, **CALL))
    plain = load.load(TOY, "cpu", "float32").generate(PAIRS)
    assert not torch.equal(plain, each.generate(PAIRS))


def test_batches_of_one_and_of_eight_agree(by_pair):
    model = loaded(entry(by_pair))
    single = torch.cat([model.generate([pair]) for pair in PAIRS])
    assert torch.allclose(single, model.generate(PAIRS), atol=2e-5)


def test_a_small_stable_diffusion_draws_what_diffusers_does(small_sd, tmp_path):
    shape = load.load(small_sd, "cpu", "float32").seed_shape
    path = tmp_path / "small.safetensors"
    save_file({latents.name_of(pair): numbers(place, shape) for place, pair in enumerate(PAIRS)}, path)
    z = torch.stack([numbers(place, shape) for place in range(8)])
    made = loaded(entry(path, small_sd)).generate(PAIRS)
    assert torch.equal(made, by_hand(small_sd.pipeline[0], z, PAIRS, num_inference_steps=2, **dict(small_sd.call)))
    save_file({"z": numbers(0, (4, 9, 9))}, tmp_path / "other.safetensors")
    with pytest.raises(SeedshiftError, match=r"of shape \(4, 9, 9\), and StableDiffusionPipeline draws \(4, 16, 16\)"):
        loaded(entry(tmp_path / "other.safetensors", small_sd))


@pytest.mark.parametrize("name", EACH)
def test_a_file_of_what_is_drawn_changes_no_image_of_any_family(name, tmp_path):
    """Also of those that have drawn from a pair's generator before, and whose later draws go on with it."""
    family = FAMILIES[name]
    pipeline = family.build()
    plain = DiffusersPipeline(name, pipeline, "", family.arguments)
    drawn = []
    expected = plain.generate(PAIRS[:2], lambda z, _: drawn.extend(z.clone()) or z)
    path = tmp_path / "z.safetensors"
    given = entry(path)
    model = DiffusersPipeline(name, pipeline, "", family.arguments, latents=partial(latents.read, given))
    for change in (0.0, 0.5):
        rows = [from_images(z[None], plain.seed_axes, (1, *plain.seed_shape))[0] + change for z in drawn]
        save_file({latents.name_of(pair): row.contiguous() for pair, row in zip(PAIRS, rows, strict=False)}, path)
        if change:
            expected = plain.generate(PAIRS[:2], lambda z, _: z + 0.5)
        assert torch.equal(model.generate(PAIRS[:2]), expected)


def test_shifts_act_on_it_as_on_noise_and_trajectories_begin_in_it(by_pair):
    model = loaded(entry(by_pair))
    seen = []
    model.generate(PAIRS[:2], lambda z, _: seen.append(z.clone()) or z + 1)
    assert torch.equal(seen[0], torch.stack([numbers(0), numbers(1)]))
    with model.observed() as observation:
        states = []
        model.generate(PAIRS[:2], None, lambda step, state: states.append(observation.of(state).start))
    assert torch.allclose(states[0].cpu(), seen[0], atol=1e-5)


def test_pairs_that_name_their_noise_are_drawn_as_without_a_file(by_pair, shared):
    named = [dataclasses.replace(pair, noise=Noise(3, 4)) for pair in PAIRS[:2]]
    plain = load.load(TOY, "cpu", "float32").generate(named)
    for path in (by_pair, shared):
        assert torch.equal(loaded(entry(path)).generate(named), plain)
        assert latents.trial(entry(path), PAIRS[:1])[0].noise is not None
    assert latents.trial(TOY, PAIRS) == PAIRS


def test_the_files_content_is_in_the_key_and_others_keep_theirs(by_pair, shared, tmp_path):
    def key(wanted):
        return fingerprints.of_model(wanted, "cpu", "float32")

    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(by_pair.read_bytes())
    assert len({key(TOY), key(entry(by_pair)), key(entry(shared))}) == 3
    assert key(entry(copy)) == key(entry(by_pair))
    changed = tmp_path / "changed.safetensors"
    save_file({latents.name_of(pair): numbers(place + 1) for place, pair in enumerate(DESIGN)}, changed)
    assert key(entry(changed)) != key(entry(by_pair))
    assert TOY.engine.key == ()


def test_it_is_told_and_recorded(by_pair):
    wanted = entry(by_pair)
    told = wanted.engine.record() | latents.record(wanted)
    assert told["latents"].startswith("each.safetensors (")
    assert "latents each.safetensors (" in run_settings.describe({"steps": 3, "engine": told})
    assert latents.record(TOY) == {}


def test_nodes_of_a_cluster_are_held_to_the_same_file(by_pair, shared):
    here = examination.of_model(entry(by_pair), "cpu", "float32")
    assert ("latents", "each.safetensors") in here.files
    entries = {TOY.name: entry(by_pair)}
    assert examination.problems(entries, {TOY.name: here}, "cpu", "float32") == {TOY.name: ""}
    other = dataclasses.replace(here, files={**here.files, ("latents", "each.safetensors"): "0" * 64})
    said = examination.problems(entries, {TOY.name: other}, "cpu", "float32")[TOY.name]
    assert "each.safetensors (SHA-256 " in said
    gone = {TOY.name: entry(by_pair.with_name("gone.safetensors"))}
    assert "gone.safetensors' is not there" in examination.problems(gone, {TOY.name: here}, "cpu", "float32")[TOY.name]


def test_an_entry_names_a_file_beside_its_own(tmp_path, by_pair):
    made = entry_of("mine", {"pipeline": "folder", "latents": "noise/z.safetensors"}, tmp_path, None)
    assert made.engine.latents == str(tmp_path / "noise" / "z.safetensors")
    with pytest.raises(SeedshiftError, match="latents = 3: give a file of safetensors"):
        entry_schema.check("mine", {"pipeline": "x", "latents": 3}, "t", new=True)
    with pytest.raises(SeedshiftError, match="The model's own key latents reads them from a file"):
        entry_schema.check("mine", {"pipeline": "x", "call": {"latents": 1}}, "t", new=True)
    tmp_path.joinpath("z.pt").write_bytes(b"x")
    with pytest.raises(SeedshiftError, match="pickle"):
        entry_of("mine", {"pipeline": "folder", "latents": "z.pt"}, tmp_path, None)


# What cannot be ---------------------------------------------------------------------------------------------------

FIRST = latents.name_of(DESIGN[0])
BAD = numbers(0)
BAD[0, 0, 0] = float("nan")


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"z": numbers(0).long()}, "'z' is of I64: give one of F64, F32, F16, BF16"),
        ({"z": numbers(0)[0]}, r"'z' has the shape \(16, 16\): give that of one seed vector"),
        ({"z": numbers(0)[:, :0]}, r"'z' has the shape \(4, 0, 16\)"),
        ({"z": BAD}, "z: some numbers are not finite"),
        ({"z": numbers(0, (16, 8, 8))}, r"shape \(16, 8, 8\), and StableDiffusionPipeline draws \(4, 16, 16\)"),
        ({"z": numbers(0, (4, 64, 64))}, r"shape \(4, 64, 64\), and StableDiffusionPipeline draws \(4, 16, 16\)"),
        ({"z": numbers(0, (2, *SHAPE))}, r"shape \(2, 4, 16, 16\), and StableDiffusionPipeline draws \(4, 16, 16\)"),
        ({"a": numbers(0), "b": numbers(1)}, "'a' is not a pair: give a label and a seed index, such as"),
        ({FIRST: numbers(0), "rde circle 0": numbers(1)}, "unknown label 'rde circle'"),
        ({FIRST: numbers(0), f"{FIRST[:-2]} 01": numbers(1)}, "is not a pair"),
        ({FIRST: numbers(0), f"{FIRST[:-1]}7": numbers(1, (4, 9, 9))}, "tensors of several shapes"),
    ],
)
def test_a_file_that_is_no_seed_vectors_is_refused_before_anything_is_made(tmp_path, tensors, said):
    path = tmp_path / "z.safetensors"
    save_file({name: each.contiguous() for name, each in tensors.items()}, path)
    with pytest.raises(SeedshiftError, match=said):
        loaded(entry(path))


def test_what_is_no_file_of_safetensors_is_refused(tmp_path, by_pair):
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(by_pair.read_bytes()[:-8])
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    empty = tmp_path / "empty.safetensors"
    save_file({}, empty)
    other = tmp_path / "z.npy"
    other.write_bytes(b"x")
    for path, said in (
        (torn, "is cut short: 8 bytes are missing"),
        (text, "is not a safetensors file"),
        (empty, "has no tensor"),
        (other, "is not a safetensors file: only such are read"),
        (tmp_path, "is a folder: give a file of safetensors"),
        (tmp_path / "gone.safetensors", "is not there: give a file of safetensors"),
    ):
        with pytest.raises(SeedshiftError, match=said):
            latents.check(entry(path), None)


def test_a_design_has_all_its_pairs_in_the_file_and_no_pair_twice(by_pair, shared):
    latents.check_design(entry(by_pair), DESIGN)
    latents.check_design(entry(shared), DESIGN)  # one a label
    larger = pairs.design(pairs.class_list("toy16"), 32)
    with pytest.raises(SeedshiftError, match=r"has no tensor for 16 of the 32 pairs of the design: '.* 1', "):
        latents.check_design(entry(by_pair), larger)
    with pytest.raises(SeedshiftError, match=r"the design's 32 pairs are only 16 different ones"):
        latents.check_design(entry(shared), larger)
    latents.check_design(TOY, larger)
    with pytest.raises(SeedshiftError, match="the null control needs seed vectors that are drawn"):
        latents.check_null_control(entry(shared))
    latents.check_null_control(TOY)


def test_a_file_of_another_family_is_refused_where_the_first_image_is_asked_for(by_pair):
    """Of families whose files do not say the shape."""
    model = load.load(entry(by_pair), "cpu", "float32")
    with pytest.raises(
        SeedshiftError, match=r"has seed vectors of shape \(4, 16, 16\), and the pipeline draws \(4, 9, 9\)"
    ):
        latents.read(entry(by_pair), PAIRS, (4, 9, 9))
    with pytest.raises(SeedshiftError, match="has no tensor for 1 of the 1 pairs"):
        model.generate([dataclasses.replace(PAIRS[0], seed=99)])
