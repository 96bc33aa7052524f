"""Where a pipeline draws, and what happens where it draws in another way than any that is known."""

from __future__ import annotations

import types
from typing import Any

import pytest
import torch
from diffusers.utils.torch_utils import randn_tensor
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pytest_seedshift.models.base import Axes
from pytest_seedshift.models.seed_vector import SeedVector, SeedVectorError, from_images, to_images

SHAPE = (2, 3, 4, 6)
NATIVE = randn_tensor


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(2)]


def numbers() -> Tensor:
    return torch.stack([torch.randn(SHAPE[1:], generator=generator) for generator in generators()])


class Plain:
    """Draws as nearly all do, scales what it drew, and draws again at every step."""

    dtype = torch.float32

    def prepare_latents(self, shape: tuple[int, ...], generator: Any) -> Tensor:
        return randn_tensor(shape, generator=generator, device=torch.device("cpu"), dtype=self.dtype) * 2

    def __call__(self, generator: Any) -> tuple[Tensor, Tensor]:
        start = self.prepare_latents(SHAPE, generator)
        return start, randn_tensor(SHAPE, generator=generator)


class Twice(Plain):
    def __call__(self, generator: Any) -> tuple[Tensor, Tensor]:
        self.prepare_latents(SHAPE, generator)
        return super().__call__(generator)


class Embeds(Plain):
    """Prepares an embedding in the same way before."""

    def __call__(self, generator: Any) -> tuple[Tensor, Tensor]:
        self.prepare_latents((2, 16), generator)
        return super().__call__(generator)


class Silent(Plain):
    def prepare_latents(self, shape: tuple[int, ...], generator: Any) -> Tensor:
        return torch.zeros(shape)


class Unkeyed(Plain):
    def prepare_latents(self, shape: tuple[int, ...], generator: Any) -> Tensor:
        return randn_tensor(shape)


class Framed(Plain):
    def prepare_latents(self, shape: tuple[int, ...], generator: Any) -> Tensor:
        return super().prepare_latents((shape[0], 1, *shape[1:]), generator)


class InTheCall:
    def __call__(self, generator: Any) -> tuple[Tensor, Tensor]:
        start = randn_tensor(SHAPE, generator=generator) * 2
        return start, randn_tensor(SHAPE, generator=generator)


class EmbedsInTheCall:
    """Draws an embedding first."""

    def __call__(self, generator: Any) -> tuple[Tensor, Tensor]:
        embedding = randn_tensor((2, 16), generator=generator)
        return randn_tensor(SHAPE, generator=generator) * 2, embedding


class KandinskyV22CombinedPipeline:
    """Its decoder's draw is the one."""

    def __init__(self) -> None:
        self.prior_pipe, self.decoder_pipe = Embeds(), Plain()

    def __call__(self, generator: Any) -> tuple[Tensor, Tensor]:
        return self.decoder_pipe(generator)


class Ideogram4Pipeline:
    vae_scale_factor, patch_size = 8, 2

    def prepare_latents(self, tokens: int, generator: Any) -> Tensor:
        return randn_tensor((2, tokens, 5), generator=generator)

    def __call__(self, generator: Any, height: int = 64, width: int = 96) -> Tensor:
        return self.prepare_latents(height * width // 256, generator)


def plus_half(z: Tensor) -> Tensor:
    return z + 0.5


def same(z: Tensor) -> Tensor:
    return z


@pytest.mark.parametrize("kind", [Plain, InTheCall, KandinskyV22CombinedPipeline])
def test_the_draw_is_shifted_before_scaling_and_later_draws_are_as_they_were(kind):
    start, later = kind()(generators())
    assert torch.equal(start, 2 * numbers())
    pipeline = kind()
    seed = SeedVector(pipeline, {})
    with seed.drawn(same):
        assert all(map(torch.equal, pipeline(generators()), (start, later)))
    with seed.drawn(plus_half):
        shifted, after = pipeline(generators())
    assert torch.equal(shifted, 2 * (numbers() + 0.5))
    assert torch.equal(after, later)
    assert all(map(torch.equal, pipeline(generators()), (start, later)))  # nothing is left behind
    assert randn_tensor is NATIVE


@pytest.mark.parametrize("kind", [Embeds, EmbedsInTheCall])
def test_draws_of_embeddings_are_no_seed_vectors(kind):
    pipeline, shapes = kind(), []

    def look(z: Tensor) -> Tensor:
        shapes.append(tuple(z.shape))
        return z

    with SeedVector(pipeline, {}).drawn(look):
        found = pipeline(generators())
    assert shapes == [SHAPE]
    assert all(map(torch.equal, found, kind()(generators())))


def test_the_draw_is_float32_whatever_the_model_runs_in():
    pipeline = Plain()
    pipeline.dtype = torch.bfloat16
    with SeedVector(pipeline, {}).drawn(lambda z: z if torch.equal(z, numbers()) else z[:0]):
        start, _ = pipeline(generators())
    assert start.dtype == torch.bfloat16
    assert torch.equal(start, 2 * numbers().bfloat16())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Twice, "Twice: prepare_latents draws more than one seed vector"),
        (Silent, "Silent: prepare_latents drew no seed vector"),
        (Unkeyed, "does not draw from the generators"),
        (Framed, r"of a seed vector of shape \(1, 3, 4, 6\) it is not known which axes are what"),
    ],
)
def test_a_pipeline_that_draws_in_another_way_is_refused(kind, message):
    pipeline = kind()
    with pytest.raises(SeedVectorError, match=message), SeedVector(pipeline, {}).drawn(same):
        pipeline(generators())
    assert randn_tensor is NATIVE
    assert "prepare_latents" not in vars(pipeline)


def test_a_module_that_draws_with_something_else_is_refused():
    names = {"torch": torch}
    exec("def prepare_latents(self, shape, generator):\n    return torch.randn(shape)", names)
    other = type("Other", (), {"prepare_latents": names["prepare_latents"]})
    with pytest.raises(SeedVectorError, match="does not draw with randn_tensor"):
        SeedVector(other(), {})
    assert isinstance(names["prepare_latents"], types.FunctionType)


def test_an_error_within_the_call_leaves_everything_as_it_was():
    pipeline = Plain()

    def fail(z: Tensor) -> Tensor:
        raise KeyError("from the shift")

    with pytest.raises(KeyError, match="from the shift"), SeedVector(pipeline, {}).drawn(fail):
        pipeline(generators())
    assert randn_tensor is NATIVE
    assert "prepare_latents" not in vars(pipeline)


def test_what_an_instance_had_in_place_of_its_method_is_put_back():
    pipeline = Plain()
    own = pipeline.prepare_latents
    pipeline.prepare_latents = own
    with SeedVector(pipeline, {}).drawn(plus_half):
        start, _ = pipeline(generators())
    assert torch.equal(start, 2 * (numbers() + 0.5))
    assert vars(pipeline)["prepare_latents"] is own


@pytest.mark.parametrize(("call", "grid"), [({}, (4, 6)), ({"height": 96, "width": 32}, (6, 2))])
def test_a_sequence_of_tokens_is_laid_out_row_by_row(call, grid):
    pipeline = Ideogram4Pipeline()
    seed, seen = SeedVector(pipeline, call), []

    def left_column(z: Tensor) -> Tensor:
        seen.append(z)
        images = to_images(z, seed.axes)
        images = images.clone()
        images[..., 0] = 9.0
        return from_images(images, seed.axes, z.shape)

    with seed.drawn(left_column):
        tokens = pipeline(generators(), **call)
    native = pipeline(generators(), **call)
    assert seen[0].shape == (2, *grid, 5)
    assert to_images(seen[0], seed.axes).shape == (2, 5, *grid)
    assert (tokens[:, :: grid[1]] == 9).all()
    rest = [index for index in range(grid[0] * grid[1]) if index % grid[1]]
    assert torch.equal(tokens[:, rest], native[:, rest])


def test_tokens_that_do_not_fit_the_image_are_refused():
    pipeline = Ideogram4Pipeline()
    seed = SeedVector(pipeline, {})
    with pytest.raises(SeedVectorError, match=r"shape \(6, 5\) is not a sequence of \(4, 6\) tokens"), seed.drawn(same):
        pipeline(generators(), height=32, width=48)


@given(st.permutations(range(4)), st.integers(3, 4))
def test_axes_are_moved_and_moved_back(order, count):
    axes = [axis for axis in order if axis < count][:3]
    named = Axes(*axes)
    sizes = [2, 3, 4, 5][:count]
    z = torch.arange(2.0 * torch.Size(sizes).numel()).reshape(2, *sizes)
    images = to_images(z, named)
    rest = [size for axis, size in enumerate(sizes) if axis not in axes]
    assert images.shape == (2, sizes[axes[0]] * torch.Size(rest).numel(), sizes[axes[1]], sizes[axes[2]])
    assert torch.equal(from_images(images, named, z.shape), z)
    column = z.select(axes[2] + 1, 0)  # what stands in the image's first column stood at the width axis' first place
    assert sorted(images[..., 0].flatten().tolist()) == sorted(column.flatten().tolist())
    row = z.select(axes[1] + 1, 0)
    assert sorted(images[..., 0, :].flatten().tolist()) == sorted(row.flatten().tolist())
