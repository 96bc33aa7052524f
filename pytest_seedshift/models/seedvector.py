"""The seed vector where a diffusers pipeline draws it: before the scheduler's scaling and before any packing.

Passing `latents=` to a pipeline is not one thing: some want them packed, some give them to another part, some do not
take them, and a sampler that draws noise at every step would draw other noise, as its generator has not drawn the seed
vector. So the draw itself is caught: while the method that prepares latents runs, and only then, the function that it
draws with is another one, which draws the same numbers and shifts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from pytest_seedshift.models.base import Axes

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import Tensor

    from pytest_seedshift.models.base import ShiftFunction
    from pytest_seedshift.pairs import Pair

_DRAW = "randn_tensor"  # diffusers' name for its function, in every module that draws
_METHODS = ("prepare_latents", "prepare_intermediate_images")

# Combined pipelines are made of others: the part whose draw decides what the picture shows.
_PARTS = {
    "KandinskyCombinedPipeline": "decoder_pipe",
    "KandinskyV22CombinedPipeline": "decoder_pipe",
    "StableCascadeCombinedPipeline": "prior_pipe",
    "WuerstchenCombinedPipeline": "prior_pipe",
}

# Where a seed vector, without the batch, does not have channels, height and width in this order.
_AXES = {
    "Kandinsky5T2IPipeline": Axes(channels=3, height=1, width=2),
    "QwenImagePipeline": Axes(channels=1, height=2, width=3),
}


class SeedVectorError(RuntimeError):
    """A pipeline does not draw its seed vector in the way that is known; nothing it makes can be trusted."""


class SeedVector:
    """The place where a pipeline draws its seed vectors."""

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        """Find the place.

        Raises:
            SeedVectorError: there is none that is known.
        """
        name = type(pipeline).__name__
        self.axes = _AXES.get(name, Axes())
        self._host = getattr(pipeline, _PARTS[name]) if name in _PARTS else pipeline
        self._name = name
        # A pipeline without such a method draws in its call itself.
        self._method = next((method for method in _METHODS if hasattr(self._host, method)), "__call__")
        function = getattr(type(self._host), self._method)
        self._globals: dict[str, Any] = getattr(function, "__wrapped__", function).__globals__
        if _DRAW not in self._globals:
            raise SeedVectorError(
                f"{name}: {function.__module__} does not draw with {_DRAW}: this version of diffusers is not supported"
            )

    @contextmanager
    def drawn(self, on_draw: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Give the seed vectors of the one call that is made meanwhile to `on_draw`, and use what it returns.

        Raises:
            SeedVectorError: not exactly one seed vector was drawn.
        """
        draws: list[torch.Size] = []
        native = self._globals[_DRAW]

        def draw(shape: Sequence[int], *, generator: Any = None, device: Any = None, dtype: Any = None, **more: Any) -> Tensor:
            if len(shape) < 3:  # an embedding
                return native(shape, generator=generator, device=device, dtype=dtype, **more)
            z = native(shape, generator=generator, device=torch.device("cpu"), dtype=torch.float32)
            draws.append(z.shape)
            return on_draw(z).to(device=device, dtype=dtype)

        raise NotImplementedError
        yield
