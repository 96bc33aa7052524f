"""Memory over a long run, and what a run costs when its grid doubles.

    python benchmarks/scaling.py [--images N] [--rounds N] [--only memory|grid] [--short]

Memory: the resident memory of a process after each of 25 cases of 400 images, all generated, 10 000 samples in one run.
Grid: whole early runs of the default grid and of one with twice its cases. The added magnitudes differ from the default
ones by a thousandth, so that a case that is added takes as many images as the one that it doubles. The runs take turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import processes

from pytest_seedshift.core.limits import DEFAULT_MAGNITUDES, DEFAULT_SHIFTS

# After each test, a line: the resident memory, in bytes. And at the end the peak. It is a plugin, as pytest asks a
# folder's conftest.py about that folder's tests only, and the built-in suite is not among them.
WATCH = """
import os, resource

def pytest_runtest_logreport(report):
    if report.when == "teardown":
        pages = int(open("/proc/self/statm").read().split()[1])
        with open("memory.txt", "a") as file:
            print(pages * os.sysconf("SC_PAGE_SIZE"), file=file)

def pytest_sessionfinish():
    with open("peak.txt", "w") as file:
        print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=file)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="images of a case")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each grid")
    parser.add_argument("--only", choices=("memory", "grid"), help="(default: both)")
    parser.add_argument("--short", action="store_true", help="1000 samples, grids of three and five cases of 16 images")
    options = parser.parse_args()
    if options.only != "grid":
        memory(options.images, short=options.short)
    if options.only != "memory":
        doubling(options.images, options.rounds, short=options.short)


def memory(images: int, *, short: bool) -> None:
    # The control and 24 more, or four more.
    grid = ["--seedshift-shift=random,mean,std,mixed"]
    if short:
        grid, images = ["--seedshift-shift=mean,std", "--seedshift-magnitude=0.1,0.3"], 200
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "watch_memory.py").write_text(WATCH)
        seconds = processes.run_seedshift(
            folder, "-p", "watch_memory", *grid, f"--seedshift-images={images}", "--seedshift-exact"
        )
        made = len(processes.samples(folder))
        after = [int(line) / 2**20 for line in Path(folder, "memory.txt").read_text().split()]
        peak = int(Path(folder, "peak.txt").read_text()) / 2**20
    print(f"memory: {len(after)} cases, {made} samples in {seconds:.0f} s")
    print(f"{'samples':>12}{'resident, MiB':>16}")
    for row in sorted({round(part * (len(after) - 1) / 8) for part in range(9)}):
        print(f"{(row + 1) * images:12}{after[row]:16.1f}")
    print(f"{'peak':>12}{peak:16.1f}")
    growth = after[-1] - after[0]
    print(f"growth from the first case to the end {growth:+.1f} MiB, last / first {after[-1] / after[0]:.3f}")
    half = after[len(after) // 2]
    print(f"of it in the second half              {after[-1] - half:+.1f} MiB")


def doubling(images: int, rounds: int, *, short: bool) -> None:
    magnitudes = [-0.3, 0.3] if short else list(DEFAULT_MAGNITUDES)
    shifts = ["mean"] if short else list(DEFAULT_SHIFTS)
    images = 16 if short else images
    doubled = [*magnitudes, *(magnitude + 0.001 for magnitude in magnitudes)]
    sizes = {"G": magnitudes, "2G": doubled}
    seconds: dict[str, list[float]] = {name: [] for name in sizes}
    batches: dict[str, list[int]] = {name: [] for name in sizes}
    starts, counts = [], {}
    for _ in range(1 if short else rounds):
        starts.append(alone())
        for name, sized in sizes.items():
            with tempfile.TemporaryDirectory() as folder:
                listed = ",".join(f"{magnitude:g}" for magnitude in sized)
                arguments = [f"--seedshift-shift={','.join(shifts)}", f"--seedshift-magnitude={listed}"]
                taken = processes.run_seedshift(folder, *arguments, f"--seedshift-images={images}")
                seconds[name].append(taken)
                batches[name].append(processes.batch_size(folder))
                counts[name] = processes.cases(folder), len(processes.samples(folder))
    start = statistics.median(starts)
    print(f"grid: {'one run' if len(starts) == 1 else f'medians of {len(starts)} runs'} of each")
    print(f"{'':6}{'cases':>8}{'images':>10}{'seconds':>12}{'without start':>16}   batches found")
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, (cases, made) in counts.items():
        print(f"{name:6}{cases:8}{made:10}{middle[name]:12.2f}{middle[name] - start:16.2f}   {batches[name]}")
    print(f"start, a run of the control alone on 16 images: {processes.spread(starts)} s")
    more = [big / small for small, big in zip(*counts.values(), strict=True)]
    ratios = middle["2G"] / middle["G"], processes.ratio(middle["2G"] - start, middle["G"] - start)
    print(f"2G / G{more[0]:8.3f}{more[1]:10.3f}{ratios[0]:12.3f}{ratios[1]:16.3f}")
    print(f"per case{'':16}{ratios[0] / more[0]:12.3f}{ratios[1] / more[0]:16.3f}")


def alone() -> float:
    """The wall time of a run of one small case."""
    with tempfile.TemporaryDirectory() as folder:
        case = f"seedshift::test_reliability[{processes.MODEL}-none-+0.00]"
        return processes.run_seedshift(folder, "--seedshift-images=16", case)


if __name__ == "__main__":
    main()
