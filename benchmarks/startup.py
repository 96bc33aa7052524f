"""What the plugin costs a pytest run that does not use it, alone and beside pytest-html and pytest-xdist.

Also what collecting the 31 cases takes.

    python benchmarks/startup.py [--runs N] [--short]

Whole processes, timed in turn (with, without, with, …), so that a machine that gets slower or faster meets both alike.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

WITHOUT = ("-p", "no:seedshift")
PAIRS = {
    "pytest": ("-q",),
    "pytest --html=page.html": ("-q", "--html=page.html"),
    "pytest -n 1": ("-q", "-n1"),
}
"""Runs of one plain test, each made with the plugin, unused, and without it."""

COMMANDS: dict[str, tuple[str, ...]] = {}
for name, arguments in PAIRS.items():
    COMMANDS |= {name: arguments, f"{name} -p no:seedshift": (*arguments, *WITHOUT)}
COMMANDS["pytest --collect-only of 31 cases"] = ("-q", "--collect-only", "--seedshift-model=toy-latent", "seedshift")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="timed runs of each command, after one warm-up")
    parser.add_argument("--short", action="store_true", help="two timed runs")
    parser.add_argument("--cpu", action="store_true", help="processor time, where others are at work on the machine")
    options = parser.parse_args()
    runs = 2 if options.short else options.runs
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_plain.py").write_text("def test_plain():\n    pass\n")
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for run in range(runs + 1):
            for name, arguments in COMMANDS.items():
                taken = seconds_of(arguments, folder, cpu=options.cpu)
                if run:  # the first one warms up
                    seconds[name].append(taken)
    print(f"{'':42}{'min':>8}{'median':>8}{'max':>8}   ms, {runs} runs")
    for name, values in seconds.items():
        print(f"{name:42}" + "".join(f"{1000 * of(values):8.0f}" for of in (min, statistics.median, max)))
    for name in PAIRS:
        both = zip(seconds[name], seconds[f"{name} -p no:seedshift"], strict=True)
        differences = [1000 * (used - unused) for used, unused in both]
        print(f"{f'cost of the plugin in {name}':42}{'':8}{statistics.median(differences):8.1f}   median of the pairs")


def seconds_of(arguments: Sequence[str], folder: str, *, cpu: bool) -> float:
    start = _processor() if cpu else time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (_processor() if cpu else time.perf_counter()) - start


def _processor() -> float:
    """Seconds of all processes that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # to the microsecond, which os.times is not
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
