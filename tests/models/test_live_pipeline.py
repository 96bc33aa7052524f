"""Pipelines that somebody holds in memory: what tells them apart, and that they are left as they were."""

from __future__ import annotations

import contextlib
import copy

import diffusers
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

from helpers.families import EACH, FAMILIES, stable_diffusion
from pytest_seedshift.core import pairs
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.models import live_pipeline
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.pipeline import DiffusersPipeline

DESIGN = pairs.design(pairs.class_list("toy16"), 16)[:2]

pytestmark = [
    # Diffusers' own: building some pipelines and calling them as they are.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`callback_steps` is deprecated:FutureWarning"),
]


def fingerprint(pipeline, **call) -> str:
    with live_pipeline.viewed(pipeline, Entry("mine", (), call=tuple(call.items()))) as model:
        return model.fingerprint


def held(pipeline) -> dict[str, object]:
    """What a pipeline holds: its own attributes, by identity, and what its schedulers have come to."""
    state = {name: id(value) for name, value in vars(pipeline).items()}
    for name, value in vars(pipeline).items():
        if hasattr(value, "set_timesteps"):
            state[f"{name}'s"] = {key: repr(each) for key, each in vars(value).items()}
        if isinstance(value, diffusers.DiffusionPipeline):
            state[f"{name}'s"] = held(value)
    return state


@pytest.mark.parametrize("name", EACH)
def test_a_pipeline_is_seen_as_it_is_and_left_as_it_was(name):
    family = FAMILIES[name]
    pipeline = family.build()
    networks = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
    networks[0].train()
    before, modes = held(pipeline), [module.training for each in networks for module in each.modules()]
    entry = Entry(name, (), call=tuple(family.arguments.items()))
    with live_pipeline.viewed(pipeline, entry) as model:
        print_, images, shape = model.fingerprint, model.generate(DESIGN), model.seed_shape
    assert shape == family.seed_shape
    assert held(pipeline) == before
    assert [module.training for each in networks for module in each.modules()] == modes
    assert True in modes

    # What a generation leaves behind changes nothing; another pipeline of the same values is the same.
    assert fingerprint(pipeline, **family.arguments) == print_
    assert fingerprint(family.build(), **family.arguments) == print_
    networks[0].eval()
    assert torch.equal(images, DiffusersPipeline(name, pipeline, "", family.arguments).generate(DESIGN))
    with torch.no_grad():
        next(networks[-1].parameters()).flatten()[0] += 1e-3
    assert fingerprint(pipeline, **family.arguments) != print_


class Adapter(nn.Module):
    """An adapter of somebody's own: a layer beside another one, with a strength that is no weight."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base, self.scaling = base, {"default": 1.0}
        self.beside = nn.Linear(base.in_features, base.out_features, bias=False)
        nn.init.constant_(self.beside.weight, 0.01)

    def forward(self, x):
        return self.base(x) + self.scaling["default"] * self.beside(x)


def query(pipeline) -> nn.Module:
    return pipeline.unet.mid_block.attentions[0].transformer_blocks[0].attn1


@pytest.fixture(scope="module")
def built():
    return stable_diffusion()


@pytest.fixture
def pipeline(built):
    return copy.deepcopy(built)


def adapted(pipeline, strength=1.0):
    query(pipeline).to_q = Adapter(query(pipeline).to_q)
    query(pipeline).to_q.scaling["default"] = strength


def bump(tensor):
    with torch.no_grad():
        tensor.flatten()[0] = torch.nextafter(tensor.flatten()[0], torch.tensor(torch.inf))


CHANGES = {
    "a bit of a weight": lambda p: bump(p.unet.conv_in.weight),
    "a weight of the decoder": lambda p: bump(p.vae.decoder.conv_out.bias),
    "a weight of the text encoder": lambda p: bump(p.text_encoder.get_input_embeddings().weight),
    "a buffer": lambda p: p.unet.register_buffer("more", torch.ones(1)),
    "the number type of a part": lambda p: p.vae.half(),
    "a scheduler's option": lambda p: p.scheduler.register_to_config(prediction_type="v_prediction"),
    "a scheduler": lambda p: setattr(p, "scheduler", diffusers.EulerDiscreteScheduler.from_config(p.scheduler.config)),
    "a schedule that was written into": lambda p: p.scheduler.alphas_cumprod.mul_(0.5),
    "FreeU": lambda p: p.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4),
    "tiles": lambda p: p.vae.enable_tiling(),
    "another attention": lambda p: p.unet.set_attn_processor(AttnProcessor()),
    "an adapter": adapted,
    "an adapter's strength": lambda p: adapted(p, 0.5),
    "a new token": lambda p: p.tokenizer.add_tokens(["<mine>"]),
    "compiled": lambda p: p.unet.compile(backend="eager"),
    "compiled, in the place of itself": lambda p: setattr(p, "vae", torch.compile(p.vae, backend="eager")),
    "a lower precision of storage": lambda p: p.unet.enable_layerwise_casting(torch.float16, torch.float32),
}
SAME = {
    "training mode": lambda p: p.unet.train(),
    "what is trained": lambda p: p.unet.requires_grad_(False),
    "checkpointing": lambda p: p.unet.enable_gradient_checkpointing(),
    "a memory format": lambda p: p.unet.to(memory_format=torch.channels_last),
    "a progress bar": lambda p: p.set_progress_bar_config(disable=True),
    "a safety checker": lambda p: setattr(p, "safety_checker", None),
    "gradients": lambda p: p.unet.conv_in.weight.requires_grad_(True).square().sum().backward(),
    "steps that were set": lambda p: p.scheduler.set_timesteps(7),
    "a hook for gradients": lambda p: p.unet.register_full_backward_hook(lambda *_: None),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_an_image_depends_on_is_in_the_fingerprint_and_nothing_else(built):
    prints = {}
    for name, change in CHANGES.items():
        pipeline = copy.deepcopy(built)
        change(pipeline)
        prints[name] = fingerprint(pipeline)
    prints["the call"] = fingerprint(built, guidance_scale=3.0)
    with torch.autocast("cpu", torch.bfloat16):
        prints["autocast"] = fingerprint(built)
    plain = fingerprint(built)
    assert [name for name, each in prints.items() if each == plain] == []
    assert len(set(prints.values())) == len(prints)
    for name, change in SAME.items():
        pipeline = copy.deepcopy(built)
        change(pipeline)
        assert fingerprint(pipeline) == plain, name


def hook(module, inputs, output):
    return output * 2


def put_on_meta(pipeline):
    pipeline.unet.conv_in = pipeline.unet.conv_in.to("meta")


REFUSED = {
    "unet.conv_in has a forward hook, hook": lambda p: p.unet.conv_in.register_forward_hook(hook),
    "text_encoder has a forward hook": lambda p: p.text_encoder.register_forward_pre_hook(lambda *_: None),
    "vae.decoder: its forward is not that of its class Decoder": lambda p: setattr(p.vae.decoder, "forward", hook),
    "unet.conv_in.weight is not in memory": put_on_meta,
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_no_fingerprint_can_tell_is_refused(pipeline, message):
    modes = [module.training for module in pipeline.unet.train().modules()]
    REFUSED[message](pipeline)
    with pytest.raises(ModelError, match=message):
        fingerprint(pipeline)
    assert [module.training for module in pipeline.unet.modules()] == modes


def test_what_remembers_former_generations_is_refused():
    pipeline = FAMILIES["flux"].build()
    pipeline.transformer.enable_cache(diffusers.FirstBlockCacheConfig(threshold=0.2))
    with pytest.raises(ModelError, match=r"transformer.* has the hook .*Switch it off"):
        fingerprint(pipeline, **FAMILIES["flux"].arguments)
    pipeline.transformer.disable_cache()
    assert fingerprint(pipeline, **FAMILIES["flux"].arguments)


def test_what_is_no_text_to_image_pipeline_is_refused(pipeline):
    other = diffusers.StableDiffusionImg2ImgPipeline(**pipeline.components, requires_safety_checker=False)
    with pytest.raises(ModelError, match="mine is a StableDiffusionImg2ImgPipeline, which wants an image"):
        fingerprint(other)
    with pytest.raises(ModelError, match="mine: call: unknown argument of StableDiffusionPipeline 'guidanse_scale'"):
        fingerprint(pipeline, guidanse_scale=3.0)


def test_an_error_meanwhile_leaves_the_pipeline_as_it_was(pipeline):
    pipeline.unet.train()
    before = held(pipeline)
    with contextlib.suppress(ZeroDivisionError), live_pipeline.viewed(pipeline, Entry("mine", ())) as model:
        assert not pipeline.unet.training
        model.generate(DESIGN[:1])
        raise ZeroDivisionError
    assert pipeline.unet.training
    assert held(pipeline) == before


def test_device_and_number_type_are_those_of_the_pipeline(pipeline):
    assert (live_pipeline.device_of(pipeline), live_pipeline.dtype_of(pipeline)) == ("cpu", "float32")
    pipeline.unet.to(torch.bfloat16)
    pipeline.vae.half()
    pipeline.text_encoder.half()
    assert live_pipeline.dtype_of(pipeline) == "bfloat16"
