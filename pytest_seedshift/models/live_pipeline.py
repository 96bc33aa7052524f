"""A pipeline of diffusers that the user has in memory, as a model: looked at through a view, and left as it was.

The view is a pipeline of the same class with the same parts, not copies of them, but for what a generation writes to:
the scheduler, which is copied, and what this package switches off (safety checker, watermark, progress bar).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from diffusers import DiffusionPipeline
from torch import nn

from pytest_seedshift.models import kinds, live_fingerprint
from pytest_seedshift.models.live_hooks import LiveError
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.models.pipeline_class import call_of

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

_Pipeline = TypeVar("_Pipeline", bound=DiffusionPipeline)


@contextmanager
def viewed(pipeline: DiffusionPipeline, entry: Entry) -> Iterator[DiffusersPipeline]:
    """A model that generates with a pipeline's own parts, where they are, for as long as this is open.

    Networks are in evaluation mode meanwhile, and in that which they were in after it.

    Args:
        pipeline: of any family, with its weights in memory, on its device.
        entry: its name, and what its calls are given; all else of it is the pipeline's own.

    Raises:
        ModelError: it makes no images of a text alone, its call does not take what the entry gives, or something is
            hung onto it whose effect no fingerprint covers.
    """
    kinds.check(type(pipeline), entry.name)
    call = call_of(type(pipeline), entry)
    with _at_rest(pipeline):
        fingerprint = live_fingerprint.of_pipeline(pipeline, call)
        model = _Live(entry.name, _view(pipeline, {}), fingerprint, call, upsampler=entry.upsampler)
        try:
            yield model
        finally:
            model.forget_prompts()  # who holds the view yet, such as an error, need not hold them


class _Live(DiffusersPipeline):
    """Generates under the autocast that it was made under; what scores its images need not know of that."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._autocast = live_fingerprint.autocast()

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as stack:
            for device, dtype in self._autocast:
                stack.enter_context(torch.autocast(device, dtype=dtype))
            return super()._run(*args, **kwargs)


def device_of(pipeline: DiffusionPipeline) -> str:
    """Where a pipeline computes, such as `cpu` or `cuda:0`; offloading is seen through."""
    device = torch.device(getattr(pipeline, "_execution_device", pipeline.device))
    if device.type == "cuda" and device.index is None:
        return f"cuda:{torch.cuda.current_device()}"
    return str(device)


def dtype_of(pipeline: DiffusionPipeline) -> str:
    """The number type of a pipeline's largest network, such as `float16`.

    Raises:
        LiveError: it has no network at all.
    """
    sizes = {network: sum(each.numel() for each in network.parameters()) for network in _networks(pipeline)}
    if not any(sizes.values()):
        raise LiveError(f"{type(pipeline).__name__} has no network with weights: load it whole before it is evaluated")
    largest = max(sizes, key=lambda network: sizes[network])
    types = [each.dtype for each in largest.parameters() if each.is_floating_point()]
    return str(types[0] if types else torch.get_default_dtype()).removeprefix("torch.")


def _view(pipeline: _Pipeline, known: dict[int, Any]) -> _Pipeline:
    """A pipeline that shares the parts of another one; see the module."""
    view: _Pipeline = object.__new__(type(pipeline))
    known[id(pipeline)] = view
    for name, value in vars(pipeline).items():
        vars(view)[name] = _seen_from(value, known) if id(value) not in known else known[id(value)]
    for name in ("watermark", "safety_checker"):
        if name in vars(view):
            vars(view)[name] = None
    vars(view)["_progress_bar_config"] = dict(getattr(pipeline, "_progress_bar_config", {}))
    return view


def _seen_from(value: Any, known: dict[int, Any]) -> Any:
    """A part of a pipeline as its view has it."""
    if isinstance(value, DiffusionPipeline):
        return _view(value, known)
    if hasattr(value, "set_timesteps") and not isinstance(value, nn.Module):
        known[id(value)] = copy.deepcopy(value)
        return known[id(value)]
    return value


def _networks(pipeline: DiffusionPipeline) -> list[nn.Module]:
    parts: Mapping[str, Any] = pipeline.components
    return [part for part in parts.values() if isinstance(part, nn.Module)]


@contextmanager
def _at_rest(pipeline: DiffusionPipeline) -> Iterator[None]:
    """Let all networks be in evaluation mode, and then in that which each of their modules was in."""
    modules = {module: module.training for network in _networks(pipeline) for module in network.modules()}
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in modules.items():
            module.training = training
