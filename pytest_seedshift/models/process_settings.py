"""Settings of this process that change the numbers which a picture is made of, by design and not by chance.

Those that are not at their defaults are a part of a sample's key, so that samples made without them are not taken for
samples made with them; where all are at their defaults they add nothing. What only changes the last digits and cannot
be set back, such as the number of threads or the kind of processor, is recorded beside the samples instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown

ATTENTION = "DIFFUSERS_ATTN_BACKEND"
"""The environment variable that says which attention diffusers computes with."""

_NATIVE = "native"
"""The attention that diffusers has by itself, torch's own."""

_PACKAGES = {
    "aiter": "aiter",
    "flash": "flash_attn",
    "_flash": "flash_attn",
    "sage": "sageattention",
    "_sage": "sageattention",
    "xformers": "xformers",
}
"""By how the name of an attention backend begins, the package that computes it."""

_ALL, _CUDA, _CPU, _MPS = "", "cuda", "cpu", "mps"


@dataclass(frozen=True, slots=True)
class _Setting:
    """One that torch can be asked for: in words, where in `torch` it stands, its default, the kind of device."""

    name: str
    path: str
    default: object
    device: str = _ALL


# Of precisions "none" is what nobody has set: full precision, but for cuDNN, whose default torch has set.
_PLAIN = "ieee"

_OF_TORCH = (
    _Setting("default number type", "get_default_dtype()", "torch.float32"),
    _Setting("deterministic algorithms", "are_deterministic_algorithms_enabled()", False),
    _Setting("flash attention of torch", "backends.cuda.flash_sdp_enabled()", True),
    _Setting("plain attention of torch", "backends.cuda.math_sdp_enabled()", True),
    _Setting("memory-efficient attention of torch", "backends.cuda.mem_efficient_sdp_enabled()", True, _CUDA),
    _Setting("cuDNN attention of torch", "backends.cuda.cudnn_sdp_enabled()", True, _CUDA),
    _Setting("half sums in plain attention", "backends.cuda.fp16_bf16_reduction_math_sdp_allowed()", False, _CUDA),
    _Setting("fast path of torch's encoders", "backends.mha.get_fastpath_enabled()", True),
    _Setting("float32 matmul precision (CUDA)", "backends.cuda.matmul.fp32_precision", _PLAIN, _CUDA),
    _Setting("float16 sums in matmul", "backends.cuda.matmul.allow_fp16_accumulation", False, _CUDA),
    _Setting("reduced float16 sums", "backends.cuda.matmul.allow_fp16_reduced_precision_reduction", True, _CUDA),
    _Setting("reduced bfloat16 sums", "backends.cuda.matmul.allow_bf16_reduced_precision_reduction", True, _CUDA),
    _Setting("float32 convolution precision (cuDNN)", "backends.cudnn.conv.fp32_precision", "tf32", _CUDA),
    _Setting("cuDNN", "backends.cudnn.enabled", True, _CUDA),
    _Setting("cuDNN deterministic", "backends.cudnn.deterministic", False, _CUDA),
    _Setting("cuDNN benchmark", "backends.cudnn.benchmark", False, _CUDA),
    _Setting("float32 matmul precision (oneDNN)", "backends.mkldnn.matmul.fp32_precision", _PLAIN, _CPU),
    _Setting("float32 convolution precision (oneDNN)", "backends.mkldnn.conv.fp32_precision", _PLAIN, _CPU),
    _Setting("oneDNN", "backends.mkldnn.enabled", True, _CPU),
    _Setting("oneDNN deterministic", "backends.mkldnn.deterministic", False, _CPU),
    _Setting("NNPACK", "_C._get_nnpack_enabled()", True, _CPU),
)

# What libraries below torch read from the environment; nothing asks them for it later.
_OF_ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": _CPU,
    "CUBLAS_WORKSPACE_CONFIG": _CUDA,
    "DNNL_DEFAULT_FPMATH_MODE": _CPU,
    "DNNL_MAX_CPU_ISA": _CPU,
    "MKL_CBWR": _CPU,
    "MKL_ENABLE_INSTRUCTIONS": _CPU,
    "NVIDIA_TF32_OVERRIDE": _CUDA,
    "ONEDNN_DEFAULT_FPMATH_MODE": _CPU,
    "ONEDNN_MAX_CPU_ISA": _CPU,
    "PYTORCH_MPS_FAST_MATH": _MPS,
    "PYTORCH_MPS_PREFER_METAL": _MPS,
    "TORCH_BLAS_PREFER_CUBLASLT": _CUDA,
}


def in_force(device: str) -> tuple[str, ...]:
    """The settings that are not at their defaults and can change what is computed on a device.

    Args:
        device: such as `cpu` or `cuda:0`.

    Returns:
        Each as `name = value`, in a fixed order; none where all are at their defaults.
    """
    kind = device.partition(":")[0]
    found = dict(_attention()) | dict(_of_torch(kind)) | dict(_autocast(kind))
    found |= {name: value for name, of in _OF_ENVIRONMENT.items() if of == kind and (value := os.environ.get(name, ""))}
    return tuple(f"{name} = {value}" for name, value in sorted(found.items()))


def captured() -> dict[str, object]:
    """What is set in this process, by where it stands, for `set_as` in another one; nothing that is at its default."""
    found: dict[str, object] = {
        setting.path: _raw(setting.path)
        for setting in _OF_TORCH
        if (value := _asked(setting.path)) is not None and value != str(setting.default)
    }
    names = (ATTENTION, *_OF_ENVIRONMENT)
    return found | {f"{_VARIABLE}{name}": os.environ[name] for name in names if os.environ.get(name)}


def environment_of(settings: Mapping[str, object]) -> dict[str, str]:
    """The environment variables among what was captured, which libraries read when they are imported."""
    return {path.removeprefix(_VARIABLE): str(value) for path, value in settings.items() if path.startswith(_VARIABLE)}


def set_as(settings: Mapping[str, object]) -> None:
    """Set in this process what was captured in another one, but for its environment variables.

    Raises:
        AttributeError: torch has no such setting here, as one of another version.
        RuntimeError: torch refuses it on this machine.
    """
    import torch

    for path, value in settings.items():
        if path.startswith(_VARIABLE):
            continue
        where, _, name = _SETTERS.get(path, path).rpartition(".")
        owner: Any = torch
        for each in filter(None, where.split(".")):
            owner = getattr(owner, each)
        if path in _SETTERS:
            getattr(owner, name)(value)
        else:
            setattr(owner, name, value)


_VARIABLE = "$"
"""What stands before the name of an environment variable among captured settings."""

# What sets that which is asked for by a call; all others are attributes.
_SETTERS = {
    "get_default_dtype()": "set_default_dtype",
    "are_deterministic_algorithms_enabled()": "use_deterministic_algorithms",
    "backends.cuda.flash_sdp_enabled()": "backends.cuda.enable_flash_sdp",
    "backends.cuda.math_sdp_enabled()": "backends.cuda.enable_math_sdp",
    "backends.cuda.mem_efficient_sdp_enabled()": "backends.cuda.enable_mem_efficient_sdp",
    "backends.cuda.cudnn_sdp_enabled()": "backends.cuda.enable_cudnn_sdp",
    "backends.cuda.fp16_bf16_reduction_math_sdp_allowed()": "backends.cuda.allow_fp16_bf16_reduction_math_sdp",
    "backends.mha.get_fastpath_enabled()": "backends.mha.set_fastpath_enabled",
    "_C._get_nnpack_enabled()": "backends.nnpack.set_flags",
}


def note(settings: tuple[str, ...]) -> str | None:
    """What the user should know of settings in force; None where there are none."""
    if not settings:
        return None
    return (
        f"set in this process: {', '.join(settings)}. This changes pictures, so it is a part of their samples' key: "
        "samples made without are not used"
    )


def check() -> None:
    """Make sure that diffusers knows the attention backend that the environment names, and can use it.

    Raises:
        InvalidValueError: it does not, or it cannot.
    """
    wanted = os.environ.get(ATTENTION, _NATIVE)
    if wanted == _NATIVE and _DISPATCH not in sys.modules:
        return
    module = _dispatch(wanted)
    backend = getattr(module._AttentionBackendRegistry, "_active_backend", None)
    try:
        module._check_attention_backend_requirements(module.AttentionBackendName(backend))
    except (RuntimeError, ValueError) as error:  # of diffusers, over the environment
        raise InvalidValueError(f"the attention backend of diffusers ({ATTENTION}): {error}") from None


_DISPATCH = "diffusers.models.attention_dispatch"


def _dispatch(wanted: str) -> Any:
    """The module in which diffusers computes attention.

    Raises:
        InvalidValueError: it has no attention backend of the name that the environment asks for, and so cannot be
            imported.
    """
    from importlib import import_module

    try:
        return import_module(_DISPATCH)
    except ValueError:  # of diffusers, over the environment
        constants: Any = import_module("diffusers.utils.constants")
        constants.DIFFUSERS_ATTN_BACKEND = _NATIVE  # to hear which names there are: this run ends here
        names = [each.value for each in import_module(_DISPATCH).AttentionBackendName]
        raise InvalidValueError(f"{ATTENTION}: {unknown('attention backend of diffusers', wanted, names)}") from None


def _attention() -> Iterator[tuple[str, str]]:
    """The attention backend of diffusers, where it is another than torch's own, and what computes it.

    Whatever was set for one model, by `set_attention_backend`, is left to all later ones.
    """
    module = sys.modules.get(_DISPATCH)
    registry = getattr(module, "_AttentionBackendRegistry", None)
    backend: Any = os.environ.get(ATTENTION, _NATIVE) if registry is None else registry._active_backend
    name = str(getattr(backend, "value", backend))
    if name == _NATIVE:
        return
    yield "attention backend", name
    yield from packages_of(name)


def packages_of(backend: str) -> Iterator[tuple[str, str]]:
    """The packages, with their versions, that compute an attention backend of diffusers."""
    for start, package in _PACKAGES.items():
        if backend.startswith(start):
            yield package, _version(package)


def _version(package: str) -> str:
    for name in (package, package.replace("_", "-")):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "of no known version"


def _of_torch(kind: str) -> Iterator[tuple[str, str]]:
    for setting in _OF_TORCH:
        if setting.device in (_ALL, kind):
            value = _asked(setting.path)
            if value is not None and value != str(setting.default):
                yield setting.name, value


def _asked(path: str) -> str | None:
    """What torch says; None where it has no such setting."""
    value = _raw(path)
    return None if value is None else _PLAIN if path.endswith("fp32_precision") and value == "none" else str(value)


def _raw(path: str) -> object:
    before, _, name = path.removesuffix("()").rpartition(".")
    try:
        value: Any = getattr(_within_torch(before), name)
        return value() if path.endswith("()") else value
    except (AttributeError, RuntimeError):  # of another torch, or one built without this
        return None


@cache
def _within_torch(path: str) -> Any:
    """What stands at a place in torch, of which settings are attributes: they are asked at every batch."""
    import torch

    return reduce(getattr, path.split(".") if path else (), torch)


def _autocast(kind: str) -> Iterator[tuple[str, str]]:
    import torch

    try:
        if torch.is_autocast_enabled(kind):
            yield "autocast", str(torch.get_autocast_dtype(kind))
    except RuntimeError:  # a kind of device without any
        return
