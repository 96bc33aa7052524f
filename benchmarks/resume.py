"""What a run takes whose samples all exist already.

    python benchmarks/resume.py [--images N] [--runs N] [--processor] [--short]

The same command twice in a new folder: cold, and warm. What any such process takes before it can begin (an empty pytest
run with the plugin, and the import of torch) is measured by itself, before, between and after, and taken off both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile

import processes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="images of a case, at most")
    parser.add_argument("--exact", action="store_true", help="generate all of them")
    parser.add_argument("--runs", type=int, default=5, help="warm runs; the median counts")
    parser.add_argument("--processor", action="store_true", help=processes.PROCESSOR)
    parser.add_argument("--short", action="store_true", help="two cases of 16 images, one warm run")
    options = parser.parse_args()
    arguments = [f"--seedshift-images={options.images}"]
    if options.short:
        arguments, options.runs = list(processes.SHORT), 1
    if options.exact:
        arguments.append("--seedshift-exact")
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as folder:
        starts = []
        if not options.short:
            processes.bare_start(empty, processor=options.processor)  # warms up
            starts.append(processes.bare_start(empty, processor=options.processor))
        cold = processes.run_seedshift(folder, *arguments, processor=options.processor)
        images = len(processes.samples(folder))
        starts.append(processes.bare_start(empty, processor=options.processor))
        warm = []
        for _ in range(options.runs):
            warm.append(processes.run_seedshift(folder, *arguments, processor=options.processor))
            if not options.short:
                starts.append(processes.bare_start(empty, processor=options.processor))
        again, cases = len(processes.samples(folder)) - images, processes.cases(folder)
    start = statistics.median(starts)
    print(f"{cases} cases, {images} images, {options.runs} warm runs, in which {again} images were made")
    print(f"{'seconds':28}{'whole':>10}{'without start':>16}")
    rows = ("cold", cold), ("warm, median", statistics.median(warm)), ("warm, best", min(warm))
    for name, seconds in (*rows, ("start: pytest and torch", start)):
        print(f"{name:28}{seconds:10.2f}" + (f"{seconds - start:16.2f}" if name[0] != "s" else ""))
    print(f"{'start, all measurements':28}{processes.spread(starts):>26}")
    middle = statistics.median(warm)
    print(f"{'warm / cold':28}{middle / cold:10.3f}{processes.ratio(middle - start, cold - start):16.3f}")


if __name__ == "__main__":
    main()
