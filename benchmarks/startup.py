"""What the plugin costs a pytest run that does not use it, and what collecting the 31 cases takes.

    python benchmarks/startup.py [--runs N] [--short]

Whole processes, timed in turn (with, without, with, …), so that a machine that gets slower or faster meets both alike.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "pytest, plugin installed and not used": ["-q"],
    "pytest -p no:seedshift": ["-q", "-p", "no:seedshift"],
    "pytest --collect-only of 31 cases": ["-q", "--collect-only", "--seedshift-model=toy-latent", "seedshift"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="timed runs of each command, after one warm-up")
    parser.add_argument("--short", action="store_true", help="two timed runs")
    options = parser.parse_args()
    runs = 2 if options.short else options.runs
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_plain.py").write_text("def test_plain():\n    pass\n")
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for run in range(runs + 1):
            for name, arguments in COMMANDS.items():
                taken = seconds_of(arguments, folder)
                if run:  # the first one warms up
                    seconds[name].append(taken)
    print(f"{'':42}{'min':>8}{'median':>8}{'max':>8}   ms, {runs} runs")
    for name, values in seconds.items():
        print(f"{name:42}" + "".join(f"{1000 * of(values):8.0f}" for of in (min, statistics.median, max)))
    used, unused = (seconds[name] for name in list(COMMANDS)[:2])
    differences = [1000 * (a - b) for a, b in zip(used, unused, strict=True)]
    print(f"{'cost of the plugin, median of the pairs':42}{'':8}{statistics.median(differences):8.1f}")


def seconds_of(arguments: list[str], folder: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
