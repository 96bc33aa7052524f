"""Images per second of two workers of pytest-xdist against one, each with one thread.

    python benchmarks/workers.py [--images N] [--rounds N] [--workers N] [--short]

In each round the same grid runs with `-n 1` and with `-n 2`, in turn, each in an empty folder. Images per second are
counted from the first batch that any worker begins to the end of the last one, so that the imports of the start are no
part of it, but the loading of the model by the slower worker is. Other work on the machine takes from both, from two
workers more: so each round has its ratio, and the cores that the workers had are printed beside it. In the end
verdicts, scores and pictures are compared with those of a run without workers; the exit status is 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes

BATCH = 16

# Loaded into every process of a session: writes down when batches begin and end.
WATCH = """
import json, os, time
import pytest_seedshift.runner.generate as engine

PATH = os.path.abspath("log.jsonl")
finish = engine.Engine._finish
generate = engine.Engine._generate

def note(images):
    with open(PATH, "a") as file:
        file.write(json.dumps([os.getpid(), time.time(), time.process_time(), images]) + "\\n")

def generated(self, case, pairs, shift):
    note(0)
    return generate(self, case, pairs, shift)

def finished(self, keep, case, pairs, images):
    made = finish(self, keep, case, pairs, images)
    note(len(pairs))
    return made

engine.Engine._generate, engine.Engine._finish = generated, finished
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of a session, from its first batch to its last."""

    images_per_second: float
    cores: float
    """How many cores it had on average. On a machine that does nothing else, as many as workers."""
    cpu_per_image: float
    """Seconds of processor time."""


def run(folder: Path, *arguments: str) -> Pace:
    """Run the grid."""
    folder.mkdir()
    (folder / "watch.py").write_text(WATCH)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), environment.get("PYTHONPATH")]))
    command = [sys.executable, *processes.PYTEST, "-pwatch", f"--seedshift-model={processes.MODEL}", *arguments]
    done = subprocess.run(
        [*command, "--junitxml=junit.xml"], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    images = sum(line[3] for line in log)
    elapsed = max(line[1] for line in log) - min(line[1] for line in log)
    clocks: dict[int, list[float]] = {}
    for process, _, clock, _ in log:
        clocks.setdefault(process, []).append(clock)
    cpu = sum(max(each) - min(each) for each in clocks.values())
    return Pace(images / elapsed, cpu / elapsed, cpu / images)


def outcome(folder: Path) -> tuple[dict[str, Any], dict[Any, dict[str, float]], list[str]]:
    """Verdicts, scores of all samples, the cases in JUnit's file."""
    cases = json.loads((folder / ".seedshift" / "verdicts.json").read_text())["cases"]
    verdicts = {case["id"]: case for case in cases}
    junit = ElementTree.parse(folder / "junit.xml").iter("testcase")
    return verdicts, processes.samples(folder), sorted(str(case.get("name")) for case in junit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="images of a case")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--short", action="store_true", help="three cases of 32 images, one round")
    options = parser.parse_args()
    grid = [f"--seedshift-images={options.images}", f"--seedshift-batch-size={BATCH}", "--seedshift-exact"]
    if options.short:
        options.rounds = 1
        grid += ["--seedshift-images=32", "--seedshift-shift=mean", "--seedshift-magnitude=-0.3,0.3"]
    ratios = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        print(f"{'round':>5}{'workers':>9}{'images/s':>10}{'cores had':>11}{'CPU ms an image':>17}{'ratio':>7}")
        for number in range(options.rounds):
            order = [1, options.workers] if number % 2 == 0 else [options.workers, 1]
            paces = {count: run(root / f"{number}-{count}", *grid, f"-n{count}") for count in order}
            ratios.append(paces[options.workers].images_per_second / paces[1].images_per_second)
            for count in (1, options.workers):
                pace, ratio = paces[count], f"{ratios[-1]:7.2f}" if count > 1 else ""
                print(
                    f"{number + 1:5}{count:9}{pace.images_per_second:10.1f}{pace.cores:11.2f}"
                    f"{1000 * pace.cpu_per_image:17.1f}{ratio}",
                    flush=True,
                )
        run(root / "alone", *grid)
        alone = outcome(root / "alone")
        every = [
            outcome(root / f"{number}-{count}") for number in range(options.rounds) for count in {1, options.workers}
        ]
    print(f"ratio, median of the rounds (smallest–largest)  {processes.spread(ratios)}")
    print(f"cases in the report of each run, each once      {len(alone[2])}")
    if len(set(alone[2])) != len(alone[2]) or any(each != alone for each in every):
        raise SystemExit("verdicts or samples differ from those of a run without workers")
    print(f"verdicts and {len(alone[1])} samples as without workers     yes, of all {len(every)} runs")


if __name__ == "__main__":
    main()
