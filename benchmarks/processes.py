"""What the benchmarks share: whole processes, timed, and what they leave in their run folder. No benchmark itself."""

from __future__ import annotations

import json
import math
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

MODEL = "toy-latent"

# What the grid of a short run is: enough to go through all that is timed.
SHORT = ("--seedshift-shift=mean", "--seedshift-magnitude=0.3", "--seedshift-images=16")

# Hypothesis is here for this project's own tests; its plugin takes half a second of every pytest run.
PYTEST = ("-m", "pytest", "-p", "no:hypothesispytest")

SampleKey = tuple[str, float, str, int]
"""Shift, magnitude, label and seed index."""


PROCESSOR = (
    "seconds of the processor, by one thread, in place of wall time: other work on the machine changes them less"
)
"""What the option `--processor` of some benchmarks does."""


def seconds_of(
    command: list[str], folder: str | Path, *, statuses: tuple[int, ...] = (0,), processor: bool = False
) -> float:
    """The wall time of a Python process, its start included; or the processor's, see `PROCESSOR`."""
    # As on a user's machine: Python may keep its bytecode.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if processor:
        environment["OMP_NUM_THREADS"] = "1"
    clock = _of_children if processor else time.perf_counter
    start = clock()
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    taken = clock() - start
    if done.returncode not in statuses:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return taken


def _of_children() -> float:
    """What all children that have ended took of the processor, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_seedshift(folder: str | Path, *arguments: str, processor: bool = False) -> float:
    """The time of a pytest run of the toy model in a folder. A case that fails its thresholds is no mistake."""
    command = [*PYTEST, f"--seedshift-model={MODEL}", *arguments]
    return seconds_of(command, folder, statuses=(0, 1), processor=processor)


def bare_start(folder: str | Path, *, processor: bool = False) -> float:
    """The time of what any run needs before it can begin: pytest with the plugin and no test, and torch."""
    empty = seconds_of([*PYTEST, "-q"], folder, statuses=(5,), processor=processor)
    torch = seconds_of(["-c", "import torch"], folder, processor=processor)
    python = seconds_of(["-c", "pass"], folder, processor=processor)  # is in both
    return empty + torch - python


def samples(folder: str | Path) -> dict[SampleKey, dict[str, float]]:
    """All samples in the store of a run in a folder: top1, top5 and clip."""
    found: dict[SampleKey, dict[str, float]] = {}
    with closing(sqlite3.connect(Path(folder, ".seedshift", "samples.sqlite"))) as store:
        for *key, scores in store.execute("SELECT shift, magnitude, label, seed, scores FROM samples"):
            found.setdefault(tuple(key), {}).update(json.loads(scores))
    return found


def batch_size(folder: str | Path) -> int:
    """The batch size that the run in a folder has found. On a busy machine it may find a bad one."""
    with closing(sqlite3.connect(Path(folder, ".seedshift", "samples.sqlite"))) as store:
        return int(store.execute("SELECT batch_size FROM paces").fetchone()[0])


def cases(folder: str | Path) -> int:
    """How many cases the run in a folder has judged."""
    return len(json.loads(Path(folder, ".seedshift", "verdicts.json").read_text(encoding="utf-8"))["cases"])


def ratio(above: float, below: float) -> float:
    """NaN where noise has left nothing to divide: a short run on a busy machine may start slower than it runs."""
    return above / below if min(above, below) > 0 else math.nan


def spread(values: list[float], form: str = ".2f") -> str:
    """A median with the smallest and the largest value."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"
