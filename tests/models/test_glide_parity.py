"""GLIDE against the numbers of its reference implementation: tokens, networks, steps and whole trajectories."""

from __future__ import annotations

import hashlib
from functools import wraps
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddpm
from torch import Tensor, nn
from torch.nn import functional

from helpers import golden
from helpers.golden import ABOUT, NUMBERS
from pytest_seedshift.models.glide import architecture, convert
from pytest_seedshift.models.glide.pipeline import GlidePipeline
from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler, alphas_cumprod, respaced
from pytest_seedshift.models.glide.tokenizer import GlideTokenizer

NETWORK = 5e-5
"""How far a network may be from the reference's numbers, which are of the order of 1."""

SCHEDULES = {"squaredcos_cap_v2": GlideDDPMScheduler, "linear": GlideDDIMScheduler}


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def tokenizer() -> GlideTokenizer:
    return GlideTokenizer(golden.VOCABULARY)


# Tokens -----------------------------------------------------------------------------------------------------------


def test_tokens_masks_and_lengths_are_those_of_the_reference(tokenizer):
    about = ABOUT["tokenizer"]
    found = tokenizer(about["prompts"])
    assert torch.equal(found["input_ids"], NUMBERS["tokenizer.ids"].long())
    assert torch.equal(found["attention_mask"], NUMBERS["tokenizer.mask"])
    assert [len(tokenizer.ids(prompt)) for prompt in about["prompts"]] == NUMBERS["tokenizer.lengths"].tolist()
    assert (tokenizer.padding, tokenizer.vocab_size) == (about["end_and_padding_token"], about["n_vocab"])


def test_the_lower_case_of_the_tokenizers_library_gives_other_tokens(tokenizer):
    def lowered(prompt: str) -> list[int]:
        from tokenizers.normalizers import Lowercase

        return tokenizer._model.encode(Lowercase().normalize_str(prompt)).ids

    differ = [prompt for prompt in ABOUT["tokenizer"]["prompts"] if lowered(prompt) != tokenizer.ids(prompt)]
    assert "ΟΔΥΣΣΕΥΣ" in differ


# Networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["base", "up"])
def test_the_weights_are_those_that_the_numbers_belong_to(part):
    weights, about = golden.weights(part), ABOUT["models"][part]
    for name, first in about["first_values"].items():
        assert weights[name].flatten()[:3].tolist() == pytest.approx(first["values"], abs=1e-6)
    digest = hashlib.sha256(b"".join(weights[name].numpy().tobytes() for name in sorted(weights)))
    if digest.hexdigest() != about["sha256"]:
        pytest.skip("this platform's logarithm rounds otherwise; the first values agree")


def encoded(text: nn.Module, name: str) -> Tensor:
    return text(NUMBERS[f"{name}.tokens"].long(), NUMBERS[f"{name}.mask"])


def predicted(part: str, text: nn.Module, unet: nn.Module) -> Tensor:
    name = f"unet.{part}"
    words = encoded(text, name)
    x = NUMBERS[f"{name}.x"]
    if part == "up":
        small = NUMBERS[f"{name}.low_res"]
        x = torch.cat([x, functional.interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False)], dim=1)
    return unet(x, NUMBERS[f"{name}.timesteps"], words, class_labels=words[:, -1]).sample


def distance(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one.double() - other.double()).abs().max().item()


@pytest.mark.parametrize("part", ["base", "up"])
def test_the_text_transformer_gives_the_reference_s_numbers(part):
    text, unet = golden.stage(part)
    words = encoded(text, f"unet.{part}")
    assert distance(words.transpose(1, 2), NUMBERS[f"unet.{part}.xf_out"]) < NETWORK
    assert distance(unet.class_embedding(words[:, -1]), NUMBERS[f"unet.{part}.xf_proj"]) < NETWORK


@pytest.mark.parametrize("part", ["base", "up"])
def test_the_unet_gives_the_reference_s_numbers(part):
    assert distance(predicted(part, *golden.stage(part)), NUMBERS[f"unet.{part}.out"]) < NETWORK


def side_by_side(joined: Tensor, parts: int, head: int) -> tuple[Tensor, ...]:
    """As if all heads' queries came first, then all keys, then all values."""
    return joined.chunk(parts)


@pytest.mark.parametrize("part", ["base", "up"])
def test_another_order_of_the_attention_s_matrices_is_seen(part, monkeypatch):
    monkeypatch.setattr(architecture, "apart", side_by_side)
    size = golden.architecture(part)
    assert size.channels * size.multipliers[-1] // size.head_channels >= 2
    assert size.text_heads >= 2
    wrong_text, wrong_unet = convert.stage(golden.weights(part), size, part)
    text, _ = golden.stage(part)
    words = encoded(wrong_text, f"unet.{part}")
    assert distance(words.transpose(1, 2), NUMBERS[f"unet.{part}.xf_out"]) > 1000 * NETWORK
    assert distance(predicted(part, text, wrong_unet), NUMBERS[f"unet.{part}.out"]) > 1000 * NETWORK


@pytest.mark.parametrize("key", ["qkv", "encoder_kv"])
def test_another_order_in_a_single_attention_is_seen(key, monkeypatch):
    name = f"middle_block.1.{key}.weight"
    weights = golden.weights("base")
    size = golden.architecture("base")
    parts = 3 if key == "qkv" else 2
    # As it would have to lie for the wrong reading to be right.
    wrong = torch.cat(list(architecture.apart(weights[name].squeeze(-1), parts, size.head_channels)))[..., None]
    text, unet = convert.stage({**weights, name: wrong}, size, "base")
    assert distance(predicted("base", text, unet), NUMBERS["unet.base.out"]) > 100 * NETWORK


def test_padding_has_its_say():
    text, _ = golden.stage("base")
    tokens = NUMBERS["unet.base.tokens"].long()
    words = text(tokens, torch.ones_like(tokens, dtype=torch.bool))
    assert distance(words.transpose(1, 2), NUMBERS["unet.base.xf_out"]) > 1000 * NETWORK


# Steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("respacing", ABOUT["respacing"]["strings"])
def test_the_steps_and_their_noise_are_those_of_the_reference(respacing):
    steps = respaced(1000, respacing)
    assert steps == NUMBERS[f"respace.{respacing}.timesteps"].tolist()
    for schedule, kind in SCHEDULES.items():
        scheduler = kind(beta_schedule=schedule)
        scheduler.set_timesteps(respacing)
        assert scheduler.timesteps.tolist() == steps[::-1]
        expected = NUMBERS[f"respace.{respacing}.alphas_cumprod.{schedule}"]
        assert torch.allclose(scheduler.alphas_cumprod[steps], expected, rtol=1e-10, atol=0)
        stock = DDPMScheduler(beta_schedule=schedule).alphas_cumprod[steps].double()
        assert not torch.allclose(stock, expected, rtol=1e-10, atol=0)  # in single precision


def test_the_bounds_of_the_variance_are_those_of_the_reference():
    scheduler = GlideDDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range")
    scheduler.set_timesteps("100")
    steps = [int(step) for step in scheduler.timesteps.flip(0)]
    for chosen, name in ((-1.0, "posterior_log_variance_clipped"), (1.0, "log_betas")):
        found = [scheduler._get_variance(step, torch.tensor(chosen, dtype=torch.float64)).item() for step in steps[1:]]
        assert found == pytest.approx(NUMBERS[f"tables.base.100.{name}"][1:].tolist(), rel=1e-9)


# Trajectories -----------------------------------------------------------------------------------------------------


class Oracle(nn.Module):
    """The closed-form stand-in for a network, as the file describes it; asked with the empty prompt's half first."""

    dtype, device = torch.float32, torch.device("cpu")
    config = SimpleNamespace(sample_size=8)

    def __init__(self, schedule: str, small: Tensor | None = None) -> None:
        super().__init__()
        self.kept = alphas_cumprod(SCHEDULES[schedule](beta_schedule=schedule).config)
        self.small = small

    def forward(self, inputs: Tensor, timestep: Tensor, *_: Any, **__: Any) -> Any:
        halves = inputs[:, :3].double().chunk(2 if self.small is None else 1)
        outputs = [self.half(half, int(timestep), empty=index == 0) for index, half in enumerate(halves)]
        return SimpleNamespace(sample=torch.cat(outputs).float())

    def half(self, x: Tensor, t: int, *, empty: bool) -> Tensor:
        b, c, i, j = torch.meshgrid(*(torch.arange(count).double() for count in x.shape), indexing="ij")
        variance = torch.sin(0.7 * c + 0.31 * i + 0.53 * j + 0.005 * t)
        ripple = 0.05 * torch.sin(3 * x + 0.01 * t)
        if self.small is not None:
            target = self.small.double().repeat_interleave(4, 2).repeat_interleave(4, 3)
            target = target + 0.25 * torch.sin(1.3 * i + 0.9 * j + c)
        elif empty:
            target = 0.25 * torch.cos(0.6 * i - 0.7 * j + 0.3 * c + 0.2 * b)
            ripple, variance = 0.05 * torch.cos(3 * x + 0.01 * t), -variance
        else:
            target = 0.45 * torch.sin(0.9 * i + 0.5 * c + 0.7 * b) + 0.30 * torch.cos(0.8 * j - 0.4 * c)
        a = self.kept[t]
        return torch.cat([(x - a.sqrt() * target) / (1 - a).sqrt() + ripple, variance], dim=1)


class Silent(nn.Module):
    """In place of a text encoder where an oracle is asked, which reads no text."""

    device = torch.device("cpu")

    def forward(self, tokens: Tensor, _: Tensor) -> Tensor:
        return torch.zeros(len(tokens), 1, 1)


def base_scheduler(kind: Any = GlideDDPMScheduler, **options: Any) -> Any:
    return kind(**{"beta_schedule": "squaredcos_cap_v2", "variance_type": "learned_range", **options})


def pipeline_of(run: str, scheduler: Any = None, upsampler_scheduler: Any = None) -> Any:
    """A pipeline of the small networks, or of oracles."""
    if run.endswith("net"):
        text, unet, up_text, up = *golden.stage("base"), *golden.stage("up")
    else:
        text, unet, up_text = Silent(), Oracle("squaredcos_cap_v2"), Silent()
        up = Oracle("linear", NUMBERS["traj.up.oracle.low_res"])
    pipeline = GlidePipeline(
        tokenizer=GlideTokenizer(golden.VOCABULARY, model_max_length=golden.architecture("base").context),
        text_encoder=text,
        unet=unet,
        scheduler=scheduler or base_scheduler(),
        upsampler_text_encoder=up_text,
        upsampler=up,
        upsampler_scheduler=upsampler_scheduler or GlideDDIMScheduler(beta_schedule="linear"),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def recorded(scheduler: Any) -> list[tuple[Tensor, Tensor]]:
    """What every step of a scheduler will give: the next sample and the clipped image."""
    seen: list[tuple[Tensor, Tensor]] = []
    step = scheduler.step

    @wraps(step)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = step(*args, **kwargs)
        seen.append(result)
        return result

    scheduler.step = watched
    return seen


def sampled_base(run: str, monkeypatch: Any, scheduler: Any = None) -> list[tuple[Tensor, Tensor]]:
    """The base's steps in the whole pipeline, the steps' noise being the reference's."""
    about = ABOUT["trajectories"]["runs"][run]
    shape = NUMBERS[f"{run}.x"].shape[1:]
    numbers = count(1)
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda shape, **_: golden.noise(next(numbers), shape))
    pipeline = pipeline_of(run, scheduler)
    seen = recorded(pipeline.scheduler)
    pipeline(
        ABOUT["trajectories"]["prompts"] * shape[0],
        num_inference_steps=int(about["timestep_respacing"]),
        guidance_scale=about["guidance_scale"],
        latents=golden.noise(0, shape),
        upsampler_steps=1,
    )
    return seen


def sampled_upsampler(run: str, scheduler: Any = None) -> list[tuple[Tensor, Tensor]]:
    shape = NUMBERS[f"{run}.x"].shape[1:]
    pipeline = pipeline_of(run, upsampler_scheduler=scheduler)
    seen = recorded(pipeline.upsampler_scheduler)
    low_res = NUMBERS[f"traj.up.{run.rpartition('.')[2]}.low_res"]
    text = pipeline.encode_prompt(ABOUT["trajectories"]["up_prompts"] * shape[0], "upsampler")
    pipeline.upsample(low_res, text, golden.noise(0, shape) * 0.997, "fast27")
    return seen


def excess(run: str, seen: list[tuple[Tensor, Tensor]]) -> float:
    """The largest distance of a recorded number, in floors of the reference's float32."""
    steps = ABOUT["trajectories"]["runs"][run]["record_steps"][1:]
    assert len(seen) == steps[-1]
    found = {"x": [seen[step - 1][0] for step in steps], "pred_x0": [seen[step - 1][1] for step in steps]}
    expected = {"x": NUMBERS[f"{run}.x"][1:], "pred_x0": NUMBERS[f"{run}.pred_x0"]}
    ratios = []
    for kind, tensors in expected.items():
        floors = golden.floors(f"{run}.{kind}")[-len(tensors) :]
        for one, other, floor in zip(found[kind][-len(tensors) :], tensors, floors, strict=True):
            # A floor of 0 is of a prediction that is clipped everywhere.
            ratios.append(distance(one, other) / max(floor.item(), 1e-9))
    return max(ratios)


TRAJECTORY = 10
"""How many floors a trajectory may be off."""


@pytest.mark.parametrize("run", ["traj.base.100.net", "traj.base.100.oracle"])
def test_every_recorded_step_of_the_base_is_the_reference_s(run, monkeypatch):
    assert excess(run, sampled_base(run, monkeypatch)) < TRAJECTORY


@pytest.mark.parametrize("run", ["traj.up.fast27.net", "traj.up.fast27.oracle"])
def test_every_recorded_step_of_the_upsampler_is_the_reference_s(run):
    assert excess(run, sampled_upsampler(run)) < TRAJECTORY


def test_the_initial_noise_is_the_recorded_one():
    for run in ABOUT["trajectories"]["runs"]:
        first = NUMBERS[f"{run}.x"][0]
        assert torch.equal(golden.noise(0, first.shape) * (0.997 if ".up." in run else 1), first)


OTHERS = {
    "in single precision": (lambda: base_scheduler(DDPMScheduler, timestep_spacing="linspace"), 3),
    "with other steps": (lambda: base_scheduler(DDPMScheduler, timestep_spacing="leading"), 1000),
    "with another variance": (lambda: base_scheduler(variance_type="fixed_large"), 1000),
    "without clipping": (lambda: base_scheduler(clip_sample=False), 1000),
}
"""Other samplers of the base, and by what factor at least they go beyond what is allowed."""


@pytest.mark.parametrize("name", OTHERS)
def test_another_sampler_of_the_base_is_seen(name, monkeypatch):
    run = "traj.base.100.oracle"
    build, factor = OTHERS[name]
    assert excess(run, sampled_base(run, monkeypatch, build())) > factor * TRAJECTORY


class Unclipped(GlideDDIMScheduler):
    """With the noise as the network predicts it."""

    def step(self, *args: Any, **kwargs: Any) -> Any:
        return super().step(*args, **{**kwargs, "use_clipped_model_output": False})


class Evenly(GlideDDIMScheduler):
    """As diffusers' own sampler has it: each step goes as far as the others."""

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        super().set_timesteps(*args, **kwargs)
        self._previous = {step: step - 1000 // len(self._previous) for step in self._previous}


@pytest.mark.parametrize("kind", [Unclipped, Evenly])
def test_another_sampler_of_the_upsampler_is_seen(kind):
    run = "traj.up.fast27.oracle"
    assert excess(run, sampled_upsampler(run, kind(beta_schedule="linear"))) > 1000 * TRAJECTORY


def test_ddim_on_an_even_grid_is_diffusers_own():
    own, stock = GlideDDIMScheduler(beta_schedule="linear"), DDIMScheduler(beta_schedule="linear")
    own.set_timesteps("ddim50")
    stock.set_timesteps(50)
    assert own.timesteps.tolist() == stock.timesteps.tolist()
    x, noise = golden.noise(0, (2, 3, 8, 8)), golden.noise(1, (2, 3, 8, 8))
    for step in stock.timesteps:
        one = own.step(noise, step, x).prev_sample
        other = stock.step(noise, step, x, use_clipped_model_output=True).prev_sample
        assert distance(one, other) < 1e-4


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("clip", [False, True])
def test_predicting_noise_velocity_or_the_image_is_the_same_step(eta, clip):
    x, noise = golden.noise(0, (2, 3, 8, 8)), golden.noise(1, (2, 3, 8, 8))
    results = []
    for kind in ("epsilon", "v_prediction", "sample"):
        scheduler = GlideDDIMScheduler(beta_schedule="linear", prediction_type=kind, clip_sample=clip)
        scheduler.set_timesteps("10,10,15")
        step = scheduler.timesteps[20]
        kept = scheduler.alphas_cumprod[step].float()
        clean = (x - (1 - kept).sqrt() * noise) / kept.sqrt()
        output = {"epsilon": noise, "v_prediction": kept.sqrt() * noise - (1 - kept).sqrt() * clean, "sample": clean}
        generator = torch.Generator().manual_seed(0)
        results.append(scheduler.step(output[kind], step, x, eta=eta, generator=generator).prev_sample)
    assert distance(results[0], results[1]) < 1e-4
    assert distance(results[0], results[2]) < 1e-4
