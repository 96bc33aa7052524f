"""A pipeline whose parts diffusers has placed on several GPUs: here they are made to work together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accelerate import dispatch_model
from accelerate.utils import send_to_device
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from diffusers import DiffusionPipeline


def join(pipeline: DiffusionPipeline) -> None:
    """Have what each part returns where the pipeline goes on with it.

    By itself a part returns on the device of what it is given, which some pipelines bring to the part's own device
    first: two text encoders on two GPUs could not be used together. Parts that were loaded apart have no place yet.
    """
    placed = pipeline.hf_device_map or {}
    parts = {name: each for name, each in pipeline.components.items() if isinstance(each, nn.Module)}
    for name, part in parts.items():
        if not hasattr(part, "_hf_hook") and name in placed:
            dispatch_model(part, {"": placed[name]}, force_hooks=True)
    home = pipeline._execution_device  # once all have their place
    for part in parts.values():
        part.register_forward_hook(_brings_to(home))


def _brings_to(home: torch.device) -> Callable[..., Any]:
    def bring(_: nn.Module, __: object, returned: Any) -> Any:
        return send_to_device(returned, home)

    return bring
