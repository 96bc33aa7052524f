"""Which torch device to run on, and in which number type."""

from __future__ import annotations


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


def _available() -> str:
    import torch

    found = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return f"On this machine: {', '.join(found)}"
