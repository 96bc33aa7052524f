"""What samplers of diffusers wait for at each of their steps, though a GPU need not: where a timestep is, and noise.

DDIM and its kind keep what they know of each timestep on the CPU, while pipelines give them the timestep on the GPU:
diffusers waits two to seven times a step until the GPU has told which one it is. Here the same numbers stay on the CPU
as well. Noise that a sampler draws at its steps, from generators of the CPU, is sent to the GPU without waiting.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    DDIMScheduler,
    DDPMScheduler,
    PNDMScheduler,
    TCDScheduler,
    UnCLIPScheduler,
)
from diffusers.utils.torch_utils import randn_tensor

from pytest_seedshift.models.observation import changed_method, samplers
from pytest_seedshift.models.seed_vector import replaced_in
from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import Tensor

_KINDS = {CogVideoXDDIMScheduler, DDIMScheduler, DDPMScheduler, PNDMScheduler, TCDScheduler, UnCLIPScheduler}
"""To these a timestep is nothing but a place in their tables: no picture depends on where it lies. Of others, such as
LCM, it is a factor, and in half precision a GPU rounds a factor of its own otherwise than one of the CPU."""

_DRAW = "randn_tensor"

_Known: TypeAlias = "dict[int, tuple[Tensor, Tensor]]"
"""By the id of a sampler's timesteps on a device: these, which are held so that no others get their id or their
memory, and the same on the CPU."""


@contextmanager
def avoided(pipeline: DiffusionPipeline) -> Iterator[None]:
    """Let the samplers of a pipeline wait for no GPU where they need not, while it generates.

    Pictures stay the same to the last bit. Classes and modules of diffusers are changed, not objects, which some
    pipelines copy. Timesteps of other samplers, and of classes derived from diffusers' own, are left as they are.
    """
    known: _Known = {}
    kinds = samplers(pipeline)
    with ExitStack() as stack:
        for kind in kinds & _KINDS:
            stack.enter_context(changed_method(kind, "set_timesteps", lambda native: _set_timesteps(native, known)))
            stack.enter_context(changed_method(kind, "step", lambda native: _step(native, known)))
        for module in sorted({each.__module__ for kind in kinds for each in kind.__mro__}):
            names = vars(sys.modules[module])
            if names.get(_DRAW) is randn_tensor:
                stack.enter_context(replaced_in(names, _DRAW, _drawn))
        yield


@wraps(randn_tensor)
def _drawn(
    shape: Any, generator: Any = None, device: Any = None, dtype: torch.dtype | None = None, layout: Any = None
) -> Tensor:
    """What diffusers draws, which brings what is of the CPU's generators to a GPU and waits."""
    there = torch.device(device or "cpu")
    first = generator[0] if isinstance(generator, list) else generator
    if first is None or first.device.type != "cpu" or there.type != "cuda":
        drawn: Tensor = randn_tensor(shape, generator=generator, device=device, dtype=dtype, layout=layout)
        return drawn
    return transfers.send(randn_tensor(shape, generator=generator, dtype=dtype, layout=layout), there)


def _set_timesteps(native: Callable[..., None], known: _Known) -> Callable[..., None]:
    bind = signature(native).bind

    @wraps(native)  # pipelines ask which arguments it takes
    def set_timesteps(sampler: Any, *args: Any, **kwargs: Any) -> None:
        given = bind(sampler, *args, **kwargs)
        device = torch.device(given.arguments.get("device") or "cpu")
        if type(sampler) not in _KINDS or device.type == "cpu":
            return native(sampler, *args, **kwargs)
        given.arguments["device"] = "cpu"
        native(*given.args, **given.kwargs)
        near = sampler.timesteps
        sampler.timesteps = far = transfers.send(near, device)
        known[id(far)] = far, near
        return None

    return set_timesteps


def _step(native: Callable[..., Any], known: _Known) -> Callable[..., Any]:
    @wraps(native)
    def step(sampler: Any, *args: Any, **kwargs: Any) -> Any:
        far, near = known.get(id(sampler.timesteps), (None, None))
        if far is None or near is None:
            return native(sampler, *args, **kwargs)

        def found(value: Any) -> Any:
            place = _place(value, far)
            return value if place is None else near[place]

        there = [found(each) for each in args], {name: found(each) for name, each in kwargs.items()}
        given = [*args, *kwargs.values()]
        if all(one is other for one, other in zip(given, [*there[0], *there[1].values()], strict=True)):
            return native(sampler, *args, **kwargs)
        sampler.timesteps = near
        try:
            return native(sampler, *there[0], **there[1])
        finally:
            sampler.timesteps = far

    return step


def _place(value: Any, timesteps: Tensor) -> int | None:
    """Which of the timesteps a value is: one of their own numbers, as indexing or going through them gives it."""
    if not isinstance(value, torch.Tensor) or value.ndim or value.dtype != timesteps.dtype:
        return None
    if value.device != timesteps.device:
        return None
    place, rest = divmod(value.data_ptr() - timesteps.data_ptr(), timesteps.element_size())
    return place if not rest and 0 <= place < len(timesteps) else None
