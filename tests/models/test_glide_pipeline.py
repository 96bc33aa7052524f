"""GLIDE's pipeline beyond what the reference's numbers show: its call, its noise, its parts, saved and loaded."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from helpers import golden
from helpers.families import glide
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import fingerprint, load
from pytest_seedshift.models.base import Entry, Scheduler
from pytest_seedshift.models.glide.pipeline import GlidePipeline, as_picture
from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler, respaced
from pytest_seedshift.models.glide.tokenizer import GlideTokenizer, read_merges
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.models.pipeline_class import LoadError
from pytest_seedshift.runner import generate

PAIRS = pairs.design(pairs.class_list("toy16"), 64)[:3]
CALL = {"num_inference_steps": "ddim4", "upsampler_steps": "ddim2"}
MEAN = generate.shift_function(Case("glide", "mean", 0.5))


@pytest.fixture
def pipeline() -> Any:
    made = glide()
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("glide") / "saved"
    glide().save_pretrained(made)
    return made


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    shutil.copytree(folder, tmp_path / "saved")
    return tmp_path / "saved"


def generators(count: int = 2) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def drawn(pipeline: Any, **arguments: Any) -> Tensor:
    call = {"generator": generators(), "output_type": "pt", **CALL, **arguments}
    return pipeline(["the fig", "a pizza"], **call).images


# Its call ---------------------------------------------------------------------------------------------------------


def test_pictures_come_as_diffusers_gives_them(pipeline):
    tensors = drawn(pipeline)
    assert tensors.shape == (2, 3, 32, 32)
    arrays = drawn(pipeline, output_type="np")
    assert arrays.shape == (2, 32, 32, 3)
    pictures = drawn(pipeline, output_type="pil", return_dict=True)
    assert [type(each) for each in pictures] == [Image.Image] * 2
    (again,) = pipeline(["the fig", "a pizza"], generator=generators(), output_type="pt", return_dict=False, **CALL)
    assert torch.equal(again, tensors)
    assert torch.equal(torch.from_numpy(arrays).permute(0, 3, 1, 2), tensors)


def test_one_prompt_may_be_a_text(pipeline):
    one = pipeline("the fig", generator=generators(1)[0], output_type="pt", **CALL).images
    assert (one[0] - drawn(pipeline)[0]).abs().max() < 1e-4


def calls(module: Any) -> list[int]:
    """The batch sizes that a network will be called with."""
    seen: list[int] = []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    return seen


def test_without_guidance_the_empty_prompt_is_not_asked_for(pipeline):
    base, upsampler, text = calls(pipeline.unet), calls(pipeline.upsampler), calls(pipeline.text_encoder)
    alone = drawn(pipeline, guidance_scale=1.0)
    assert (base, upsampler, text) == ([2] * 4, [2] * 2, [2])
    assert torch.equal(drawn(pipeline, guidance_scale=0.0), alone)
    base.clear(), text.clear()
    guided = drawn(pipeline)
    assert (base, sorted(text)) == ([4] * 4, [1, 2])
    assert (guided - alone).abs().max() > 0.01
    assert (drawn(pipeline, guidance_scale=1 + 1e-6) - alone).abs().max() < 1e-3


def test_prompts_are_encoded_once(pipeline):
    texts = calls(pipeline.text_encoder), calls(pipeline.upsampler_text_encoder)
    model = DiffusersPipeline("glide", pipeline, "", CALL)
    first = model.generate(PAIRS)
    for seen in texts:
        assert seen
        seen.clear()
    assert torch.equal(model.generate(PAIRS), first)
    assert texts == ([], [])


def test_the_callback_is_told_of_the_base_s_steps_and_may_change_its_state(pipeline):
    seen = []

    def watch(pipe: Any, index: int, timestep: Any, state: dict[str, Any]) -> dict[str, Any]:
        seen.append((pipe is pipeline, index, int(timestep), tuple(state["latents"].shape)))
        return {"latents": torch.zeros_like(state["latents"])} if index == 3 else {}

    grey = drawn(pipeline, callback_on_step_end=watch)
    assert seen == [(True, index, step, (2, 3, 16, 16)) for index, step in enumerate((750, 500, 250, 0))]
    asked = calls(pipeline.upsampler)
    small = torch.zeros(2, 3, 16, 16)
    noise = 0.997 * upsampler_noise(pipeline)
    text = pipeline.encode_prompt(["the fig", "a pizza"], "upsampler")
    images = pipeline.upsample(as_picture(small, False), text, noise, "ddim2")
    assert (images / 2 + 0.5).clamp(0, 1).equal(grey)
    assert asked == [2, 2]


def upsampler_noise(pipeline: Any) -> Tensor:
    """What comes from the generators after the seed vector."""
    both = generators()
    pipeline.prepare_latents(2, torch.device("cpu"), both)
    return pipeline.prepare_upsampler_latents(2, torch.device("cpu"), both)


@pytest.mark.parametrize("scheduler", [None, GlideDDIMScheduler(beta_schedule="squaredcos_cap_v2")])
def test_the_upsampler_s_noise_does_not_depend_on_the_base_s_sampler(scheduler):
    pipeline = glide(scheduler)
    pipeline.set_progress_bar_config(disable=True)
    seen = []
    pipeline.upsampler.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, :3]))
    drawn(pipeline)
    assert torch.equal(seen[0], 0.997 * upsampler_noise(pipeline))
    drawn(pipeline, temperature=0.5)
    assert torch.equal(seen[2], 0.5 * upsampler_noise(pipeline))


def test_the_picture_that_is_enlarged_has_256_levels_unless_it_shall_not():
    samples = torch.linspace(-1.2, 1.2, 1001)
    levels = (as_picture(samples, True) + 1) * 127.5
    assert (levels - levels.round()).abs().max() < 1e-4
    assert levels.unique().numel() == 256
    assert torch.equal(as_picture(samples, False), samples.clamp(-1, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": []}, "prompt is []: give a text or a list of texts"),
        ({"prompt": 3}, "prompt is 3: give a text"),
        ({"generator": generators(3)}, "3 generators were given for 2 prompts"),
        ({"latents": torch.zeros(1, 3, 16, 16)}, "latents are of shape (1, 3, 16, 16): give (2, 3, 16, 16)"),
        ({"num_inference_steps": "fast"}, "respacing 'fast': give a number of steps"),
        ({"num_inference_steps": 1001}, "respacing '1001': 1001 steps of 1000 cannot be taken"),
        ({"num_inference_steps": 0}, "respacing '0': 0 steps of 1000 cannot be taken"),
        ({"upsampler_steps": "ddim999"}, "respacing 'ddim999': no integer stride makes 999 of 1000 steps"),
        ({"callback_on_step_end_tensor_inputs": ["text"]}, "has 'text': only 'latents' can be given"),
    ],
)
def test_an_argument_that_cannot_be_used_says_so(pipeline, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pipeline(**{"prompt": ["the fig", "a pizza"], **CALL, **arguments})


# Its samplers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        diffusers.DDPMScheduler,
        diffusers.DDIMScheduler,
        diffusers.UnCLIPScheduler,
        diffusers.EulerAncestralDiscreteScheduler,
        diffusers.DPMSolverMultistepScheduler,
        GlideDDIMScheduler,
    ],
)
# diffusers and numpy disagree about Euler's own arithmetic.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_diffusers_samplers_run_in_place_of_the_base_s(kind):
    # With the other schedule diffusers' Euler sampler takes the root of what is a little below 0.
    schedule = "linear" if kind is diffusers.EulerAncestralDiscreteScheduler else "squaredcos_cap_v2"
    options = {} if kind is diffusers.UnCLIPScheduler else {"beta_schedule": schedule}
    pipeline = glide(kind(**options))
    pipeline.set_progress_bar_config(disable=True)
    images = drawn(pipeline, num_inference_steps=4)
    assert images.isfinite().all()
    assert images.flatten(1).std(1).min() > 0.01


def test_only_glide_s_samplers_know_a_respacing():
    pipeline = glide(diffusers.DDIMScheduler(beta_schedule="squaredcos_cap_v2"))
    with pytest.raises(ValueError, match="steps = 'fast27': DDIMScheduler takes a number of steps"):
        drawn(pipeline, num_inference_steps="fast27")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_steps_are_spread_over_equal_sections_from_their_first_to_their_last(counts):
    steps = respaced(1000, ",".join(map(str, counts)))
    assert len(steps) == sum(counts)
    assert steps == sorted(set(steps))
    assert 0 <= steps[0] <= steps[-1] < 1000
    edges = [0]
    for index in range(len(counts)):
        edges.append(edges[-1] + 1000 // len(counts) + (index < 1000 % len(counts)))
    for count, first, after in zip(counts, edges, edges[1:], strict=False):
        section = [step for step in steps if first <= step < after]
        assert len(section) == count
        assert section[0] == first
        assert count == 1 or section[-1] == after - 1


def test_a_step_that_was_not_chosen_is_refused():
    scheduler = GlideDDIMScheduler(beta_schedule="linear")
    scheduler.set_timesteps("ddim10")
    with pytest.raises(ValueError, match="timestep 7 is not among those"):
        scheduler.step(torch.zeros(1), 7, torch.zeros(1))
    with pytest.raises(ValueError, match="beta_schedule 'scaled_linear': give 'linear' or 'squaredcos_cap_v2'"):
        GlideDDPMScheduler(beta_schedule="scaled_linear")


# The shift --------------------------------------------------------------------------------------------------------


def test_a_shift_reaches_the_base_s_noise_and_by_default_nothing_else(pipeline):
    base, upsampler = [], []
    pipeline.unet.register_forward_pre_hook(lambda _, inputs: base.append(inputs[0][:3]))
    pipeline.upsampler.register_forward_pre_hook(lambda _, inputs: upsampler.append(inputs[0][:, :3]))

    def first(model: DiffusersPipeline, shift: Any = None) -> tuple[Tensor, Tensor]:
        base.clear(), upsampler.clear()
        model.generate(PAIRS, shift)
        return base[0], upsampler[0]

    model = DiffusersPipeline("glide", pipeline, "", CALL)
    z, noise = first(model)
    shifted, same = first(model, MEAN)
    assert torch.equal(shifted, z + 0.5)
    assert torch.equal(same, noise)
    both = DiffusersPipeline("glide", pipeline, "", CALL, upsampler=True)
    assert all(torch.equal(one, other) for one, other in zip(first(both), (z, noise), strict=True))
    shifted, too = first(both, MEAN)
    assert torch.equal(shifted, z + 0.5)
    assert (too - noise - 0.997 * 0.5).abs().max() < 1e-6  # before the temperature
    assert both.seed_shape == model.seed_shape == (3, 16, 16)


def test_whether_the_upsampler_is_shifted_is_part_of_a_model_s_identity(folder):
    entry = Entry("mine", (str(folder),), call=tuple(CALL.items()))
    one, other = (
        fingerprint.of_model(dataclasses.replace(entry, upsampler=each), "cpu", "float32") for each in (False, True)
    )
    assert one != other
    model = load.load(dataclasses.replace(entry, upsampler=True), "cpu", "float32")
    assert model.fingerprint == other
    plain = load.load(entry, "cpu", "float32")
    assert torch.equal(model.generate(PAIRS), plain.generate(PAIRS))
    assert not torch.equal(model.generate(PAIRS, MEAN), plain.generate(PAIRS, MEAN))


def test_a_model_of_one_stage_has_no_upsampler_to_shift():
    from pytest_seedshift.models import catalogue

    entry = dataclasses.replace(catalogue.shipped().find("toy-latent"), upsampler=True)
    with pytest.raises(SeedshiftError, match="toy-latent: upsampler = true: StableDiffusionPipeline has no upsampler"):
        load.load(entry, "cpu", "float32")


# Saved and loaded -------------------------------------------------------------------------------------------------


def test_a_saved_pipeline_has_safetensors_and_merges_and_is_loaded_by_its_class(folder, pipeline):
    index = json.loads((folder / "model_index.json").read_text())
    assert (index["_class_name"], index["steps"], index["rounded"]) == ("GlidePipeline", "25", False)
    assert sorted({path.suffix for path in folder.rglob("*") if path.is_file()}) == [".json", ".safetensors", ".txt"]
    loaded = GlidePipeline.from_pretrained(folder, low_cpu_mem_usage=False, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    assert (loaded.config.steps, loaded.config.upsampler_steps) == ("25", "10")
    assert loaded.scheduler.config.variance_type == "learned_range"
    assert loaded.tokenizer.model_max_length == 24
    assert torch.equal(drawn(loaded), drawn(pipeline))


def test_entries_change_its_sampler(folder):
    def made(**changes: Any) -> Any:
        return load.load(Entry("mine", (str(folder),), call=tuple(CALL.items()), **changes), "cpu", "float32")

    plain = made().generate(PAIRS)
    for scheduler in (
        Scheduler("GlideDDIMScheduler"),
        Scheduler("GlideDDPMScheduler", (("clip_sample", False),)),
    ):
        model = made(scheduler=scheduler)
        assert type(model._pipeline.scheduler).__name__ == scheduler.name
        assert model._pipeline.scheduler.config.beta_schedule == "squaredcos_cap_v2"
        assert model._pipeline.upsampler_scheduler.config.clip_sample
        assert (model.generate(PAIRS) - plain).abs().max() > 0.01
    assert not made(scheduler=scheduler)._pipeline.scheduler.config.clip_sample
    with pytest.raises(LoadError, match=r"unknown scheduler 'GlideDDIM'\. Did you mean 'GlideDDIMScheduler'"):
        made(scheduler=Scheduler("GlideDDIM"))


def test_in_another_number_type_the_samplers_stay_in_single_precision(folder):
    entry = Entry("mine", (str(folder),), call=tuple(CALL.items()))
    half, full = (load.load(entry, "cpu", dtype) for dtype in ("bfloat16", "float32"))
    assert half._pipeline.upsampler.dtype == torch.bfloat16
    seen = []
    images = half.generate(PAIRS, on_step=lambda _, state: seen.append(state.dtype))
    assert set(seen) == {torch.float32}
    assert (images - full.generate(PAIRS)).abs().mean() < 0.05


def rewrite(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    "library",
    ["pytest_seedshift.models.glide.planted", "pytest_seedshift.runner.generate", "pytest_seedshift", "planted"],
)
def test_parts_are_of_glide_s_own_modules_and_no_others(copy, library):
    rewrite(copy / "model_index.json", unet=[library, "UNet2DConditionModel"])
    with pytest.raises(SeedshiftError, match=f"unet.*'{library}' is not a library that pipelines are of"):
        load.load(Entry("mine", (str(copy),)), "cpu", "float32")


def test_a_part_that_lacks_weights_is_refused(copy):
    from safetensors.torch import load_file, save_file

    file = copy / "text_encoder" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["final_ln.bias"]
    save_file(tensors, file)
    with pytest.raises((SeedshiftError, OSError, ValueError), match="final_ln"):
        load.load(Entry("mine", (str(copy),)), "cpu", "float32")


# Its tokenizer ----------------------------------------------------------------------------------------------------


def test_ids_are_bytes_then_merges_then_padding(tmp_path):
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\nth e\nĠ the\n", encoding="utf-8")
    tokenizer = GlideTokenizer(tmp_path / "merges.txt", model_max_length=6)
    assert tokenizer.ids("!~") == [0, 93]
    assert tokenizer.ids("the THE\n") == [257, 258, 198]
    assert (tokenizer.padding, tokenizer.vocab_size, len(tokenizer.get_vocab())) == (259, 260, 259)
    found = tokenizer(["the", ""])
    assert found["input_ids"].tolist() == [[257] + [259] * 5, [259] * 6]
    assert found["attention_mask"].tolist() == [[True] + [False] * 5, [False] * 6]
    assert tokenizer("abcdefgh")["attention_mask"].all()


def test_a_saved_tokenizer_is_the_same(tmp_path):
    tokenizer = GlideTokenizer(golden.VOCABULARY)
    tokenizer.save_pretrained(tmp_path)
    again = GlideTokenizer.from_pretrained(tmp_path)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again.model_max_length == 128
    assert read_merges(tmp_path / "merges.txt") == read_merges(golden.VOCABULARY)
    again.save_pretrained(tmp_path)
    assert again.tokenize("A corgi <|endoftext|>") == ["a", "Ġcor", "gi", "Ġ<", "|", "end", "of", "text", "|", ">"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "has no merges: give GPT-2's vocab.bpe"),
        (b"#version: 0.2\nt h e\n", "line 2, 't h e', is not a merge of two symbols that are known there"),
        (b"#version: 0.2\nt h\nin </w>\n", "line 3, 'in </w>', is not a merge"),
        (b"t h\nt h\n", "line 2, 't h', is not a merge"),
        (b"\xff\xfe", "cannot be read as a vocabulary"),
    ],
)
def test_a_vocabulary_of_another_kind_is_refused(tmp_path, text, message):
    (tmp_path / "vocab.bpe").write_bytes(text)
    with pytest.raises(SeedshiftError, match=re.escape(message)):
        read_merges(tmp_path / "vocab.bpe")


def test_a_damaged_vocabulary_is_refused(tmp_path):
    (tmp_path / "vocab.bpe.gz").write_bytes(gzip.compress(golden.VOCABULARY.read_bytes())[:1000])
    with pytest.raises(SeedshiftError, match="cannot be read as a vocabulary"):
        read_merges(tmp_path / "vocab.bpe.gz")


@pytest.mark.parametrize("content", [b"\0" * 10**8, b"a b\n" * 10**6], ids=["zeros", "lines"])
def test_a_vocabulary_that_unpacks_to_far_more_than_one_has_is_refused_soon(tmp_path, content):
    (tmp_path / "vocab.bpe.gz").write_bytes(gzip.compress(content))
    tracemalloc.start()
    with pytest.raises(
        SeedshiftError, match=r"vocab\.bpe\.gz cannot be read as a vocabulary: it (is larger|has more) than"
    ):
        read_merges(tmp_path / "vocab.bpe.gz")
    assert tracemalloc.get_traced_memory()[1] < 150_000_000
    tracemalloc.stop()
