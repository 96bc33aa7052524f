"""The adapter over diffusers' families: small pipelines with random weights, against their own calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from helpers.families import EACH, FAMILIES, Family, stable_diffusion
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import rng
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.models.seed_vector import to_images
from pytest_seedshift.runner import generate

EIGHT = pairs.design(pairs.class_list("toy16"), 64)[:8]
PAIRS = EIGHT[:4]
ETA = 0.5
MEAN = generate.shift_function(Case("any", "mean", ETA))
TOLERANCE = 1e-4
"""Between batch sizes: other shapes are other orders of summation."""

pytestmark = [
    # Diffusers' own: building some pipelines and calling them as they are.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`LoraLoaderMixin` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`callback_steps` is deprecated:FutureWarning"),
]


@dataclass(frozen=True)
class Made:
    family: Family
    direct: Tensor
    """What the pipeline's own call gives, as diffusers itself brings it into [0, 1]."""
    model: DiffusersPipeline
    pipeline: Any


def direct(pipeline: Any, chosen: Sequence[Pair], arguments: dict[str, Any], seed_shape: tuple[int, ...]) -> Tensor:
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(
        prompt=[pair.prompt for pair in chosen],
        generator=[rng.generator(pair, f"z{seed_shape}") for pair in chosen],
        output_type="np",
        **arguments,
    )[0]
    made = torch.from_numpy(images).permute(0, 3, 1, 2)
    return made if made.shape[1] == 3 else made[:, :3] * made[:, 3:] + (1 - made[:, 3:])  # on white


@cache
def build(name: str) -> Made:
    family = FAMILIES[name]
    pipeline = family.build()
    expected = torch.empty(0)
    for key in dict.fromkeys(map(family.together, PAIRS)):
        rows = [index for index, pair in enumerate(PAIRS) if family.together(pair) == key]
        images = direct(pipeline, [PAIRS[index] for index in rows], family.arguments, family.seed_shape)
        expected = expected if len(expected) else images.new_empty(len(PAIRS), *images.shape[1:])
        expected[rows] = images
    return Made(family, expected, DiffusersPipeline(name, pipeline, "", family.arguments), pipeline)


@pytest.fixture(params=EACH)
def made(request: pytest.FixtureRequest) -> Made:
    return build(request.param)


def test_unshifted_generation_is_the_pipeline_s_own_call_to_the_last_bit(made):
    assert torch.equal(made.model.generate(PAIRS), made.direct)
    assert torch.equal(made.model.generate(PAIRS), made.direct)  # now with prompts from memory


def test_images_are_what_the_protocol_says(made):
    images = made.model.generate(PAIRS)
    assert images.dtype == torch.float32
    assert images.shape[:2] == (4, 3)
    assert images.isfinite().all()
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.flatten(1).std(1).min() > 0.01
    assert (images[0] - images[1]).abs().max() > 0.01


def test_the_seed_vector_is_the_native_draw_of_the_pair_s_generator(made):
    seen = {}

    def shift(z: Tensor, chosen: Sequence[Pair]) -> Tensor:
        seen.update(zip(chosen, z, strict=True))
        return z

    images = made.model.generate(PAIRS, shift)
    assert set(seen) == set(PAIRS)
    z = torch.stack(list(seen.values()))
    assert z.dtype == torch.float32
    assert made.model.seed_shape == made.family.seed_shape
    assert made.model.seed_axes == made.family.axes
    assert to_images(torch.empty(4, *made.model.seed_shape), made.model.seed_axes).shape == z.shape
    # Kandinsky's and the unCLIP priors have drawn from the generators before.
    assert z.mean().abs() < 5 / z.numel() ** 0.5
    assert (z.var() - 1).abs() < 5 * (2 / z.numel()) ** 0.5
    assert torch.equal(images, made.direct)  # an untouched seed vector is none


def test_height_and_width_of_the_seed_vector_are_those_of_the_image(made):
    rows, columns = to_images(torch.empty(1, *made.model.seed_shape), made.model.seed_axes).shape[-2:]
    height, width = made.direct.shape[-2:]
    assert abs(height / rows - width / columns) < 0.25 * height / rows  # where sizes are rounded up, nearly


def test_a_mean_shift_is_eta_exactly_before_scaling_and_changes_the_image(made):
    starts = []
    host, method = made.model._seed._host, made.model._seed._method

    def level(value: float) -> None:
        made.model.generate(PAIRS[:2], lambda z, _: torch.full_like(z, value))

    assert (made.model.generate(PAIRS, MEAN) - made.direct).flatten(1).abs().amax(1).min() > 1e-3
    if method == "__call__":
        return
    original = getattr(host, method)

    def spy(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        starts.append(result[0] if isinstance(result, tuple) else result)
        return result

    setattr(host, method, spy)
    try:
        for value in (1.0, ETA):
            level(value)
    finally:
        delattr(host, method)
    one, shifted = starts[len(starts) // 2 - 1], starts[-1]  # the last of each run: an unCLIP prior's comes before
    assert one.unique().numel() == 1  # the scale, the same everywhere, whatever was packed
    assert torch.equal(shifted, ETA * one)


def test_batches_of_one_agree_with_a_batch_of_eight(made):
    batch = made.model.generate(EIGHT)
    for index in (0, 3, 7):
        assert (made.model.generate([EIGHT[index]])[0] - batch[index]).abs().max() < TOLERANCE
    assert (batch[:4] - made.direct).abs().max() < TOLERANCE


def test_a_much_longer_prompt_beside_it_does_not_change_an_image(made):
    short, long = (Pair(Label(name, 0), 0) for name in ("fig", "American Staffordshire terrier"))
    beside = made.model.generate([long, short])
    for index, pair in enumerate((long, short)):
        assert (made.model.generate([pair])[0] - beside[index]).abs().max() < TOLERANCE


def test_every_step_is_reported_with_a_row_for_every_pair(made):
    seen = []
    images = made.model.generate(PAIRS, on_step=lambda step, state: seen.append((step, len(state))))
    assert [rows for _, rows in seen] == [4] * made.family.steps
    assert torch.equal(images, made.direct)


@pytest.mark.filterwarnings("error")
def test_warnings_of_what_diffusers_will_change_stay_inside():
    made = build("kandinsky-2.2")
    with pytest.warns(FutureWarning, match="`callback_steps` is deprecated"):
        direct(made.pipeline, PAIRS[:1], made.family.arguments, made.family.seed_shape)
    made.model.generate(PAIRS[:1])


# Samplers

SAMPLERS = {
    "ddim": (diffusers.DDIMScheduler, {"clip_sample": False}),
    "ddpm": (diffusers.DDPMScheduler, {"clip_sample": False}),
    "euler-ancestral": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "lcm": (diffusers.LCMScheduler, {}),
    "sde-dpm++": (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
}
CALL = {"num_inference_steps": 4}


def sampled_by(name: str) -> Any:
    kind, options = SAMPLERS[name]
    return stable_diffusion(kind(beta_schedule="scaled_linear", steps_offset=1, **options))


@pytest.fixture(params=SAMPLERS)
def sampled(request):
    pipeline = sampled_by(request.param)
    model = DiffusersPipeline(request.param, pipeline, "", CALL)
    return model, direct(pipeline, PAIRS, CALL, model.seed_shape)


def test_every_sampler_s_later_draws_are_those_of_the_pipeline_s_own_call(sampled):
    model, expected = sampled
    assert torch.equal(model.generate(PAIRS), expected)
    assert torch.equal(model.generate(PAIRS, lambda z, _: z + 0.0), expected)
    shifted = model.generate(PAIRS, MEAN)
    assert (shifted - expected).abs().max() > 1e-3
    assert (model.generate(PAIRS[2:3], MEAN)[0] - shifted[2]).abs().max() < TOLERANCE


def test_stochastic_samplers_draw_more_than_the_seed_vector():
    def constant(z: Tensor, _: Sequence[Pair]) -> Tensor:
        return torch.zeros_like(z)

    def spread(name: str) -> float:
        model = DiffusersPipeline(name, sampled_by(name), "", CALL)
        twins = [Pair(PAIRS[0].label, seed) for seed in range(2)]
        one, other = model.generate(twins, constant)
        return (one - other).abs().max().item()

    assert spread("ddim") < TOLERANCE
    assert min(spread(name) for name in SAMPLERS if name != "ddim") > 1e-2
