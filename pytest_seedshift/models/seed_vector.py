"""The seed vector where a diffusers pipeline draws it: before the scheduler's scaling and before any packing.

Passing `latents=` to a pipeline is not one thing: some want them packed, some give them to another part, some do not
take them, and a sampler that draws noise at every step would draw other noise, as its generator has not drawn the seed
vector. So the draw itself is caught: while the method that prepares latents runs, and only then, the function that it
draws with is another one, which draws the same numbers and shifts them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.models.base import Axes
from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import Tensor

_T = TypeVar("_T")

_DRAW = "randn_tensor"  # diffusers' name for its function, in every module that draws
_METHODS = ("prepare_latents", "prepare_intermediate_images")
_CALL = "__call__"

# The method that draws the noise of a second stage, where there is one.
_UPSAMPLERS = {"GlidePipeline": "prepare_upsampler_latents"}

# Combined pipelines are made of others: the part whose draw decides what the picture shows.
_PARTS = {
    "KandinskyCombinedPipeline": "decoder_pipe",
    "KandinskyV22CombinedPipeline": "decoder_pipe",
    "StableCascadeCombinedPipeline": "prior_pipe",
    "WuerstchenCombinedPipeline": "prior_pipe",
}

# Where a seed vector, without the batch, does not have channels, height and width in this order.
_AXES = {
    "Ideogram4Pipeline": Axes(channels=2, height=0, width=1),
    "Kandinsky5T2IPipeline": Axes(channels=3, height=1, width=2),
    "NucleusMoEImagePipeline": Axes(channels=1, height=2, width=3),
    "QwenImagePipeline": Axes(channels=1, height=2, width=3),
    "QwenImage21Pipeline": Axes(channels=1, height=2, width=3),
}

# Where a seed vector is a sequence of tokens, row by row: the pixels along one side of a token.
_TOKENS: dict[str, Callable[[Any], int]] = {
    "Ideogram4Pipeline": lambda pipeline: int(pipeline.vae_scale_factor * pipeline.patch_size),
}


class SeedVectorError(ModelError):
    """A pipeline does not draw its seed vector in the way that is known; nothing it makes can be trusted."""


class NoUpsamplerError(ModelError):
    """A pipeline has no second stage whose noise could be shifted."""


def to_images(z: Tensor, axes: Axes) -> Tensor:
    """Bring seed vectors into the order that shifts know.

    Args:
        z: (batch, …), three axes or more besides the batch.
        axes: which of them are channels, height and width; the others are merged into the channels.

    Returns:
        (batch, channels, height, width).
    """
    moved = z.permute(_order(z.ndim, axes))
    return moved.reshape(len(z), -1, *moved.shape[-2:])


def from_images(images: Tensor, axes: Axes, shape: torch.Size) -> Tensor:
    """Undo `to_images`.

    Args:
        images: (batch, channels, height, width).
        axes: as given to `to_images`.
        shape: of the seed vectors as they were, with the batch.
    """
    order = _order(len(shape), axes)
    moved = images.reshape([shape[axis] for axis in order])
    return moved.permute([order.index(axis) for axis in range(len(shape))]).contiguous()


def _order(dimensions: int, axes: Axes) -> list[int]:
    """The batch, axes of no name, channels, height, width, as indices of axes with the batch."""
    named = [axes.channels + 1, axes.height + 1, axes.width + 1]
    return [*(axis for axis in range(dimensions) if axis not in named), *named]


def is_drawn(kind: type[Any]) -> bool:
    """Whether pipelines of a class draw seed vectors where they are looked for; of combined ones a part does."""
    if any(each.__name__ in _PARTS for each in kind.__mro__):
        return True
    method = next((method for method in _METHODS if hasattr(kind, method)), _CALL)
    return _DRAW in inspect.unwrap(getattr(kind, method)).__globals__


class SeedVector:
    """The place where a pipeline draws its seed vectors.

    Attributes:
        axes: of one seed vector, as it is given to `on_draw`.
    """

    def __init__(self, pipeline: DiffusionPipeline, call: Mapping[str, Any], *, upsampler: bool = False) -> None:
        """Find the place.

        Args:
            pipeline: of any family.
            call: what every call of the pipeline is given.
            upsampler: whether the noise of a second stage counts as a seed vector too, the second one.

        Raises:
            SeedVectorError: there is none that is known.
            NoUpsamplerError: there is no second stage.
        """
        self._name = type(pipeline).__name__
        part = _known(_PARTS, pipeline)
        self._host = pipeline if part is None else getattr(pipeline, part)
        self._known_axes = _known(_AXES, pipeline)
        self.axes = self._known_axes or Axes()
        self._grid = _grid(pipeline, call)
        # A pipeline without such a method draws in its call itself.
        self._method = next((method for method in _METHODS if hasattr(self._host, method)), _CALL)
        function = inspect.unwrap(getattr(type(self._host), self._method))
        self._globals: dict[str, Any] = function.__globals__
        if _DRAW not in self._globals:
            raise self._error(f"{function.__module__} does not draw with {_DRAW}")
        self._second = _known(_UPSAMPLERS, pipeline) if upsampler else None
        if upsampler and self._second is None:
            raise NoUpsamplerError(f"{self._name} has no upsampler whose noise could be shifted")

    @contextmanager
    def drawn(self, on_draw: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Give the seed vectors of the one call that is made meanwhile to `on_draw`, and use what it returns.

        Args:
            on_draw: gets the seed vectors, float32 on the CPU, (batch, …) with `axes` besides the batch, drawn from
                the generators that the pipeline was called with, and returns them or others of that shape; and then
                likewise the noise of a second stage, if that counts as one.

        Raises:
            SeedVectorError: not exactly one draw of seed vectors was made, or it was not of the generators' numbers.
        """
        native = self._globals[_DRAW]
        draws = {method: 0 for method in (self._method, self._second) if method is not None}

        def drawing(method: str) -> Callable[..., Tensor]:
            def draw(shape: Any, generator: Any = None, device: Any = None, dtype: Any = None, **more: Any) -> Tensor:
                if len(shape) < 3 or (draws[method] and method == _CALL):  # an embedding; a later draw of the sampler
                    drawn: Tensor = native(shape, generator=generator, device=device, dtype=dtype, **more)
                    return drawn
                draws[method] += 1
                if draws[method] > 1:
                    raise self._error(f"{method} draws more than one seed vector an image")
                if generator is None:
                    raise self._error(f"{method} does not draw from the generators that the pipeline is given")
                # In float32 on the CPU whatever the model runs in: the seed vector belongs to the pair alone.
                z = native(shape, generator=generator, device=torch.device("cpu"), dtype=torch.float32)
                return transfers.send(self._replaced(z, on_draw), device or "cpu", dtype)

            return draw

        with ExitStack() as stack:
            for method in draws:
                stack.enter_context(self._drawing_with(method, drawing(method)))
            yield
        for method, count in draws.items():
            if not count:
                raise self._error(f"{method} drew no seed vector")

    def _replaced(self, z: Tensor, on_draw: Callable[[Tensor], Tensor]) -> Tensor:
        native = z.shape
        if self._grid is not None:
            if z.ndim != 3 or prod(self._grid) != z.shape[1]:
                raise self._error(
                    f"a seed vector of shape {tuple(native[1:])} is not a sequence of {self._grid} tokens"
                )
            z = z.reshape(len(z), *self._grid, z.shape[-1])
        if z.ndim != 4 and self._known_axes is None:
            raise self._error(f"of a seed vector of shape {tuple(native[1:])} it is not known which axes are what")
        return on_draw(z).reshape(native)

    @contextmanager
    def _drawing_with(self, name: str, draw: Callable[..., Tensor]) -> Iterator[None]:
        """Let a method of the host, and nothing else, draw with `draw`."""
        if name == _CALL:  # is looked up in the class, so no instance can have its own
            with replaced_in(self._globals, _DRAW, draw):
                yield
            return
        method = getattr(self._host, name)

        def prepare(*args: Any, **kwargs: Any) -> Any:
            with replaced_in(self._globals, _DRAW, draw):
                return method(*args, **kwargs)

        with replaced_in(vars(self._host), name, prepare):
            yield

    def _error(self, what: str) -> SeedVectorError:
        from diffusers import __version__

        return SeedVectorError(
            f"{self._name}: {what}. How diffusers {__version__} draws noise in this pipeline is unknown, so no shift "
            "could be trusted. Use another model, or a version of diffusers that this package was tested with"
        )


def _known(table: Mapping[str, _T], pipeline: DiffusionPipeline) -> _T | None:
    """What a table says of a pipeline's class or of the classes that it is made from."""
    return next((table[each.__name__] for each in type(pipeline).__mro__ if each.__name__ in table), None)


def _grid(pipeline: DiffusionPipeline, call: Mapping[str, Any]) -> tuple[int, int] | None:
    """Rows and columns of tokens; None where seed vectors are no sequences of tokens."""
    side = _known(_TOKENS, pipeline)
    if side is None:
        return None
    parameters = inspect.signature(type(pipeline).__call__).parameters
    height, width = (call.get(name, parameters[name].default) // side(pipeline) for name in ("height", "width"))
    return height, width


@contextmanager
def replaced_in(names: dict[str, Any], name: str, value: Any) -> Iterator[None]:
    """Let a name mean something else for a while."""
    missing = object()
    before = names.get(name, missing)
    names[name] = value
    try:
        yield
    finally:
        if before is missing:
            del names[name]
        else:
            names[name] = before
