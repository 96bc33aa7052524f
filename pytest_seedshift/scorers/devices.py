"""Which torch device to run on, and in which number type."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

from pytest_seedshift.core import machine
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError


def resolve(device: str | None, dtype: str | None) -> tuple[str, str]:
    """Fill in what the user left open and check that the device is there.

    Returns:
        The device, such as `cuda:0`, and the name of the number type.

    Raises:
        InvalidValueError: no such device on this machine, or no device at all of this name.
    """
    import torch

    if device is None:
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        parsed = torch.device(device)
        # Only using a device tells whether it is there, for every kind of device that torch has or will have.
        torch.zeros(1, device=parsed).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]  # torch goes on for a page
        raise InvalidValueError(f"the device {device!r} is not there ({reason}). {_available()}") from None
    return device, dtype or usual_dtype(device)


def usual_dtype(device: str) -> str:
    """The number type of models that say nothing of it, on a device of this kind, which need not be here."""
    return "float32" if device.partition(":")[0] == "cpu" else "float16"


def check(device: str | None) -> None:
    """Check that a device is there, without beginning to use a GPU: it belongs to the workers of who asks.

    Raises:
        InvalidValueError: as `resolve`.
    """
    import torch

    if device is None:
        return
    kind, _, index = device.partition(":")
    if kind != "cuda" or (index and not index.isdecimal()) or int(index or 0) >= torch.cuda.device_count():
        resolve(device, None)


def share_cores(processes: int) -> None:
    """Let this process use its part of the cores. Processes that each start a thread a core starve each other."""
    import torch

    torch.set_num_threads(min(torch.get_num_threads(), machine.threads(processes, os.environ)))


def threads() -> int:
    """How many threads this process computes with on the CPU."""
    import torch

    return torch.get_num_threads()


def describe(device: str) -> str:
    """What a speed was measured on: `NVIDIA H100 80GB HBM3`, or `cpu, 2 threads`."""
    import torch

    parsed = torch.device(device)
    if parsed.type == "cuda":
        return torch.cuda.get_device_name(parsed)
    threads = torch.get_num_threads()
    return f"cpu, {threads} thread{'' if threads == 1 else 's'}" if parsed.type == "cpu" else parsed.type


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice, or a library has made it of one that says so.

    An error of ours is none: it was made where memory did not suffice for a single image either.
    """
    return not isinstance(error, SeedshiftError) and any(_is_of_memory(each) for each in _chain(error))


def _is_of_memory(error: BaseException) -> bool:
    """Only CUDA has a class for it."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was made of, or that were being handled."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        yield current
        seen.append(current)
        current = current.__cause__ or current.__context__


# torch's words on the CPU, on MPS, and those of its convolutions (oneDNN) and of C++.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "could not create a memory",
    "could not create a primitive",
    "bad_alloc",
)


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error is none of the code that raised it: memory does not suffice, or the GPU is gone."""
    return isinstance(error, Exception) and (is_out_of_memory(error) or is_poisoned(error))


def is_poisoned(error: BaseException) -> bool:
    """Whether an error of CUDA has made this process useless for the GPU: whatever it does there would fail as well.

    Where a GPU is in use it is asked: after an error that does not last (an invalid argument) it still computes.
    """
    import torch

    for each in _chain(error):
        if _is_of_cuda(each):
            in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
            return not (in_use and _computes())
    return False


def _is_of_cuda(error: BaseException) -> bool:
    import torch

    if not isinstance(error, RuntimeError) or _is_of_memory(error):
        return False
    return isinstance(error, torch.AcceleratorError) or any(words in str(error) for words in _OF_CUDA)


def _computes() -> bool:
    import torch

    try:
        return torch.ones(1, device="cuda").add(1).item() == 2
    except RuntimeError:
        return False


# https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html: "the process must be terminated"
_OF_CUDA = (
    "CUDA error",
    "device-side assert",
    "illegal memory access",
    "illegal instruction",
    "misaligned address",
    "unspecified launch failure",
    "uncorrectable ECC error",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_EXECUTION_FAILED",
)


def peak_memory() -> dict[str, int]:
    """The most memory that this process has had, in bytes: of itself (`process`), and what torch has held of its GPUs
    together (`gpu`), where it has used any. What does not know of these, such as Windows, says nothing.
    """
    found = {}
    with contextlib.suppress(ImportError):  # of Windows
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        found["process"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        found["gpu"] = sum(torch.cuda.max_memory_allocated(index) for index in range(torch.cuda.device_count()))
    return found


def free_memory() -> None:
    """Give back what a failed generation held on to."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _available() -> str:
    import torch

    found = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return f"On this machine: {', '.join(found)}"
