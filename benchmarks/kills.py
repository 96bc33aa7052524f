"""What SIGKILL does to workers of pytest-xdist: nothing is lost but the batches in flight, and no case turns green.

    python benchmarks/kills.py [--kills N] [--workers N] [--images N] [--seed N]

Sessions of a small grid run on `--workers` workers. At random moments one of them is killed: mostly in the middle of a
case, as only those count; now and then at any time since pytest began in it. When a grid is complete, it begins anew in
an empty folder, until there were enough kills. Checked, and the exit status is 1 if not so:

- each session ends;
- an image is generated again only if it was in the last batch of a worker that was killed;
- each case that a killed worker had in work is an error in verdicts.json, in JUnit's file, in pytest-html's page;
- the run that ends a grid has the verdicts, scores and pictures of a run that nothing disturbed.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes

BATCH = 4
TIMEOUT = 600.0  # seconds, for a session
IN_A_CASE = 0.8  # so many of the kills wait for a worker that generates
LONGEST_DELAY = 1.0  # seconds that they wait then, at random
THRESHOLDS = "[default]\ntop1 = { min = 0.4, max_drop = 0.4 }\nclip = 25.0\n"

# Loaded into every process of a session: writes down what begins.
WATCH = """
import json, os
import pytest_seedshift.runner.generate as engine

PATH = os.path.abspath("log.jsonl")

def note(*what):
    with open(PATH, "a") as file:
        file.write(json.dumps([os.getpid(), *what]) + "\\n")

generate = engine.Engine._generate

def noted(self, case, pairs, shift):
    note("batch", case.id, [[pair.label.name, pair.seed] for pair in pairs])
    return generate(self, case, pairs, shift)

engine.Engine._generate = noted

class Watch:
    def pytest_runtest_logstart(self, nodeid):
        note("start", nodeid)

    def pytest_runtest_logfinish(self, nodeid):
        note("end", nodeid)

def pytest_configure(config):
    if hasattr(config, "workerinput"):
        note("here")
        config.pluginmanager.register(Watch())
"""

Line = list[Any]
"""Of a log: process, "here"; process, "batch", case, pairs; process, "start" or "end", node id."""


@dataclass
class Counts:
    """What is printed in the end."""

    sessions: int = 0
    ended: int = 0
    kills: int = 0
    in_work: int = 0
    """Kills of a worker that had a case in work."""
    as_errors: int = 0
    """Of those, the cases that are errors wherever errors are shown."""
    in_flight: int = 0
    lost: int = 0
    grids: int = 0
    undisturbed: int = 0
    problems: list[str] = field(default_factory=list)


def made_again(log: Sequence[Line], killed: Iterable[int]) -> tuple[int, int]:
    """How many images were generated once more: because they were in flight in a killed process, and without excuse."""
    last = {line[0]: number for number, line in enumerate(log) if line[1] == "batch"}
    excused = {last[process] for process in killed if process in last}
    seen: dict[tuple[str, str, int], int] = {}
    in_flight = lost = 0
    for number, line in enumerate(log):
        if line[1] == "batch":
            for label, seed in line[3]:
                key = line[2], label, seed
                if key in seen:
                    in_flight += seen[key] in excused
                    lost += seen[key] not in excused
                seen[key] = number
    return in_flight, lost


def in_work(log: Sequence[Line]) -> dict[int, str]:
    """By process the node id of the item that it has begun and not ended."""
    open_items: dict[int, str] = {}
    for line in log:
        if line[1] == "start":
            open_items[line[0]] = line[2]
        elif line[1] == "end":
            open_items.pop(line[0], None)
    return open_items


def children(process: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def read_log(folder: Path) -> list[Line]:
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def prepare(folder: Path) -> Path:
    folder.mkdir()
    (folder / "thresholds.toml").write_text(THRESHOLDS)
    (folder / "watch.py").write_text(WATCH)
    return folder


def start(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), environment.get("PYTHONPATH")]))
    reports = ("--junitxml=junit.xml", "--html=report.html", "--self-contained-html")
    command = [sys.executable, *processes.PYTEST, "-pwatch", "-pno:cacheprovider", *arguments, *reports]
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=environment)


def disturb(session: subprocess.Popen[bytes], folder: Path, rng: random.Random, most: int) -> list[int]:
    """Kill a worker at random moments until there were so many or the session has ended; the killed processes."""
    killed: list[int] = []
    deadline = time.monotonic() + TIMEOUT
    while len(killed) < most and session.poll() is None and time.monotonic() < deadline:
        in_a_case, delay = rng.random() < IN_A_CASE, rng.uniform(0, LONGEST_DELAY)
        since = None if in_a_case else time.monotonic()
        while session.poll() is None and time.monotonic() < deadline:
            log, alive = read_log(folder), set(children(session.pid)) - set(killed)
            # Before a worker is "here", its interpreter is started by execnet, and an end then is an internal error of
            # pytest-xdist: exit status 3.
            last = {line[0]: line[1] for line in log}
            workers = [each for each in last if each in alive and (last[each] == "batch" or not in_a_case)]
            if workers and since is None:
                since = time.monotonic()
            if workers and since is not None and time.monotonic() >= since + delay:
                victim = rng.choice(workers)
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
                break
            time.sleep(0.01)
    return killed


def errors_shown(folder: Path) -> list[set[str]]:
    """The node ids of the errors in verdicts.json, in JUnit's file and in pytest-html's page."""
    verdicts = folder / ".seedshift" / "verdicts.json"
    cases = json.loads(verdicts.read_text())["cases"] if verdicts.exists() else []
    junit = ElementTree.parse(folder / "junit.xml").iter("testcase")
    blob = re.search(r'data-jsonblob="([^"]*)"', (folder / "report.html").read_text())
    tests = json.loads(html.unescape(blob[1]))["tests"] if blob else {}
    return [
        {case["test"] for case in cases if case["verdict"] == "error"},
        {f"{each.get('classname')}::{each.get('name')}" for each in junit if each.find("error") is not None},
        {nodeid for nodeid, rows in tests.items() if any(row["result"] == "Error" for row in rows)},
    ]


def outcome(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The verdicts of a run, and the pictures that they name: which others are kept depends on who made them."""
    run = folder / ".seedshift"
    cases = json.loads((run / "verdicts.json").read_text())["cases"]
    named = {each[which] for case in cases for each in case["pictures"] for which in ("picture", "control")}
    return {case["id"]: case for case in cases}, {name: (run / name).read_bytes() for name in sorted(named)}


def session(
    folder: Path, arguments: Sequence[str], rng: random.Random, counts: Counts, most: int
) -> tuple[bool, list[int]]:
    """A session with kills; whether the grid is complete, and the killed processes."""
    counts.sessions += 1
    verdicts = folder / ".seedshift" / "verdicts.json"
    verdicts.unlink(missing_ok=True)
    before = len(read_log(folder))
    process = start(folder, arguments)
    killed = disturb(process, folder, rng, most)
    try:
        status = process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        counts.problems.append(f"session {counts.sessions} did not end\n{(folder / 'output.txt').read_text()}")
        return False, killed
    counts.ended += 1
    counts.kills += len(killed)
    log = read_log(folder)[before:]
    at_work, shown = in_work(log), errors_shown(folder)
    expected = {at_work[process] for process in killed if process in at_work}
    counts.in_work += len(expected)
    counts.as_errors += len(expected.intersection(*shown))
    errors = shown[0]
    output = (folder / "output.txt").read_text()
    if not all(each == errors for each in shown) or not expected <= errors or len(errors) > len(killed):
        counts.problems.append(f"session {counts.sessions}: {expected} had to be the errors, not {shown}\n{output}")
    if status not in (0, 1) or (errors and status != 1) or "INTERNALERROR" in output:
        counts.problems.append(f"session {counts.sessions}: exit status {status}\n{output}")
    return not errors and verdicts.exists(), killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=48, help="images of a case")
    parser.add_argument("--magnitudes", default="-0.3,0.3")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="1 kill in a grid of three cases")
    options = parser.parse_args()
    if options.short:
        options.kills, options.images, options.magnitudes = 1, 32, "0.3"
    rng, counts = random.Random(options.seed), Counts()
    grid = [
        f"--seedshift-model={processes.MODEL}",
        "--seedshift-shift=mean,std",
        f"--seedshift-magnitude={options.magnitudes}",
        f"--seedshift-images={options.images}",
        f"--seedshift-batch-size={BATCH}",
        "--seedshift-exact",
    ]
    workers = [f"-n{options.workers}"]
    with tempfile.TemporaryDirectory() as temporary:
        undisturbed = prepare(Path(temporary, "undisturbed"))
        start(undisturbed, grid).wait()
        wanted = outcome(undisturbed)
        while counts.in_work < options.kills and not counts.problems:
            folder = prepare(Path(temporary, f"grid-{counts.grids}"))
            counts.grids += 1
            complete, killed = False, []
            while not complete and not counts.problems:
                most = min(4, options.kills - counts.in_work)
                complete, more = session(folder, [*grid, *workers] if most else grid, rng, counts, most)
                killed += more
            if not counts.problems:
                if outcome(folder) == wanted:
                    counts.undisturbed += 1
                else:
                    counts.problems.append(f"grid {counts.grids} ended otherwise than undisturbed")
                in_flight, lost = made_again(read_log(folder), killed)
                counts.in_flight += in_flight
                counts.lost += lost
                counts.problems += [f"{lost} samples of grid {counts.grids} were lost"] * bool(lost)
    print(f"{counts.kills} kills in {counts.sessions} sessions of {options.workers} workers, {counts.grids} grids")
    print(f"sessions that ended                        {counts.ended} of {counts.sessions}")
    print(f"images in flight that were made again      {counts.in_flight}")
    print(f"samples lost beyond the batches in flight  {counts.lost}")
    print(f"cases in work when their worker was killed {counts.in_work}, shown as errors {counts.as_errors}")
    print(f"grids that ended as an undisturbed one     {counts.undisturbed} of {counts.grids}")
    if counts.problems:
        raise SystemExit("\n".join(counts.problems))


if __name__ == "__main__":
    main()
