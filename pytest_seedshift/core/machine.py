"""What this machine has for workers: GPUs and cores. Found without torch, so that asking touches no GPU."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"

WORKER_MEMORY = 2 * 2**30
"""Bytes that a worker with a small model takes: torch and the libraries (1 GiB), and room for the model."""


def gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The GPUs that a process with this environment may use, each as `CUDA_VISIBLE_DEVICES` names it.

    Entries are indices, UUIDs (`GPU-…`) or MIG devices (`MIG-…`). As CUDA does, only what stands before an invalid
    entry such as -1 is taken, and a list that names a device twice names none.
    https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
    """
    given = environment.get(VISIBLE)
    if given is None:
        return _installed()
    found: list[str] = []
    for entry in map(str.strip, given.split(",")):
        if not re.fullmatch(r"\d+|(GPU|MIG)-\S+", entry):
            break
        if entry in found:
            return ()
        found.append(entry)
    return tuple(found)


def accelerators(environment: Mapping[str, str]) -> int:
    """How many processes can have an accelerator of their own."""
    return len(gpus(environment)) or int(sys.platform == "darwin" and platform.machine() == "arm64")


def cores() -> int:
    """How many cores this process may use: physical ones, as a second thread on a core hardly helps arithmetic."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # not on this system
        return os.cpu_count() or 1
    physical = {_core(number) for number in allowed}
    return max(1, min(len(physical), _quota() or len(physical)))


def workers_on_cpu() -> int:
    """How many processes with a small model pay off on the CPU: one a core, as far as memory goes."""
    return max(1, min(cores(), _available_memory() // WORKER_MEMORY))


def threads(workers: int, environment: Mapping[str, str]) -> int:
    """How many threads each of some workers should compute with: its part of the cores, or fewer if the user says."""
    part = max(1, cores() // workers)
    asked = environment.get(THREADS, "").partition(",")[0]
    return min(part, int(asked)) if asked.isdecimal() and int(asked) else part


def _installed() -> tuple[str, ...]:
    """All GPUs, as `nvidia-smi -L` lists them; where it is missing, by number, as the driver counts them."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        folder = Path("/proc/driver/nvidia/gpus")
        return tuple(map(str, range(len(list(folder.iterdir()))))) if folder.is_dir() else ()
    return parse_list(answer)


def parse_list(text: str) -> tuple[str, ...]:
    """The devices of an answer of `nvidia-smi -L`. A GPU that is divided counts as its parts: only they can be used."""
    found: list[str] = []
    for kind, uuid in re.findall(r"^\s*(GPU|MIG)\b.*\(UUID: (\S+)\)", text, re.MULTILINE):
        if kind == "MIG" and found and found[-1].startswith("GPU-"):
            found.pop()
        found.append(uuid)
    return tuple(found)


def _core(number: int) -> str:
    """What distinguishes the physical core of a logical one."""
    path = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return str(number)


def _quota() -> int | None:
    """How many cores the limits of containers allow at once; None where there is none.

    https://docs.kernel.org/admin-guide/cgroup-v2.html: `cpu.max` says `$MAX $PERIOD`, both in µs.
    """
    limits = []
    for group in _groups():
        try:
            most, period = (group / "cpu.max").read_text(encoding="ascii").split()
            limits.append(max(1, int(most) // int(period)))
        except (OSError, ValueError):  # no such file, or no limit: "max"
            continue
    return min(limits, default=None)


def _groups() -> list[Path]:
    """The control groups that this process is in, the innermost first; a container's limits are theirs."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    inner = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    place = Path("/sys/fs/cgroup") / inner
    return [place, *place.parents]


def _available_memory() -> int:
    """Bytes that can be taken without swapping, within the limits of containers."""
    import psutil  # only where processes are counted

    return min([int(psutil.virtual_memory().available), *left_in(_groups())])


def left_in(groups: Sequence[Path]) -> list[int]:
    """Bytes that control groups with a limit have left; what is but cached files can be taken from them."""
    left = []
    for group in groups:
        try:
            most, taken = (int((group / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
            said = (group / "memory.stat").read_text(encoding="ascii")
        except (OSError, ValueError):  # likewise
            continue
        files = re.search(r"^inactive_file (\d+)$", said, re.MULTILINE)
        left.append(max(0, most - taken + (int(files[1]) if files else 0)))
    return left
