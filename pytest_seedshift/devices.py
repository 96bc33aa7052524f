"""Which torch device to run on, and in which number type."""

from __future__ import annotations

import gc


def resolve(device: str | None, dtype: str | None) -> tuple[str, str]:
    """Fill in what the user left open and check that the device is there.

    Returns:
        The device, such as `cuda:0`, and the name of the number type.

    Raises:
        ValueError: no such device on this machine, or no device at all of this name.
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
        raise ValueError(f"the device {device!r} is not there ({reason}). {_available()}") from None
    return device, dtype or ("float32" if parsed.type == "cpu" else "float16")


def share_cores(processes: int) -> None:
    """Let this process use its part of the cores. Processes that each start a thread a core starve each other."""
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // processes))


def describe(device: str) -> str:
    """What a speed was measured on: `NVIDIA H100 80GB HBM3`, or `cpu, 2 threads`."""
    import torch

    parsed = torch.device(device)
    if parsed.type == "cuda":
        return torch.cuda.get_device_name(parsed)
    return f"cpu, {torch.get_num_threads()} threads" if parsed.type == "cpu" else parsed.type


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory does not suffice. Only CUDA has a class for it."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


# torch's words on the CPU, on MPS, and those of its convolutions (oneDNN) and of C++.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "could not create a memory",
    "could not create a primitive",
    "bad_alloc",
)


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
