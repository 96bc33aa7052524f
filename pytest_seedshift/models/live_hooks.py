"""What was hung onto the networks of a pipeline that somebody else has loaded: what a fingerprint covers of it, or not.

A hook or a replaced `forward` can change every image, and no value shows what a function does. Those of libraries that
only move weights are let be; those that are determined by their class and their settings are a part of the
fingerprint; all others are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

_LIBRARIES = ("accelerate", "diffusers", "peft", "torch", "transformers")

_MOVING = {
    "AlignDevicesHook",
    "CpuOffload",
    "GroupOffloadingHook",
    "LayerExecutionTrackerHook",
    "LazyPrefetchGroupOffloadingHook",
    "UserCpuOffloadHook",
}
"""Hooks of accelerate and of diffusers that bring weights where they are needed, and change no number."""

_FINGERPRINTED = {"LayerwiseCastingHook", "PeftInputAutocastDisableHook"}
"""Those that change numbers in a way that their class and their number types determine."""

_ADVICE = (
    "No fingerprint covers what it does, so samples with it and without it could not be distinguished: remove it, or "
    "evaluate a copy"
)


class LiveError(ModelError):
    """A pipeline that is in memory cannot be evaluated as it is; the message says why and what to do."""


def describe(module: nn.Module, where: str) -> Iterator[str]:
    """What hooks and replacements at one module are a part of the fingerprint, its own modules left aside.

    Raises:
        LiveError: there is something whose effect nobody can know.
    """
    for hooks in (module._forward_hooks, module._forward_pre_hooks):
        for hook in hooks.values():
            if not _is_known(hook):
                name = getattr(hook, "__qualname__", type(hook).__qualname__)
                raise LiveError(f"{where} has a forward hook, {name}. {_ADVICE}")
    if module._compiled_call_impl is not None:
        yield "compiled"  # other kernels, which round otherwise
    kinds = list(_of_libraries(module))
    for kind, settings in kinds:
        if kind not in _MOVING | _FINGERPRINTED:
            raise LiveError(
                f"{where} has the hook {kind}. Its effect may depend on earlier images, and a sample must not. Switch "
                "it off for the evaluation, such as by disable_cache()"
            )
        if kind in _FINGERPRINTED:
            yield f"{kind} {settings}"
    forward = vars(module).get("forward")
    if forward is not None and not kinds and not _is_hooked(module) and not _is_known(forward):
        raise LiveError(f"{where}: its forward is not that of its class {type(module).__name__}. {_ADVICE}")


def _of_libraries(module: nn.Module) -> Iterator[tuple[str, str]]:
    """The hooks of accelerate and of diffusers at a module: their class, and the number types that they name."""
    ours: Any = getattr(module, "_hf_hook", None)
    registry: Any = getattr(module, "_diffusers_hook", None)
    found = [*getattr(ours, "hooks", [ours] if ours is not None else [])]
    found += [*getattr(registry, "hooks", {}).values()]
    for hook in found:
        types = {name: str(value) for name, value in vars(hook).items() if "dtype" in name}
        yield type(hook).__name__, str(sorted(types.items()))


def _is_hooked(module: nn.Module) -> bool:
    """Whether a library that hangs hooks there has replaced the forward of a module."""
    return any(getattr(module, name, None) is not None for name in ("_hf_hook", "_diffusers_hook"))


def _is_known(function: object) -> bool:
    """Whether a function is a library's; one that it wraps or that is partly called counts."""
    inner = getattr(function, "func", function)
    module = getattr(inner, "__module__", None) or type(inner).__module__
    return str(module).partition(".")[0] in _LIBRARIES
