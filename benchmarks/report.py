"""What the robustness report costs: a large one as a process of its own, and what it adds to a session.

    python benchmarks/report.py [--only large|session] [--short]

Large: a run folder of 2 models × 51 cases × 400 samples of 100 classes, with 24 pictures of 512 × 512 pixels a case, is
written by the store's own writer; then `seedshift report` makes its page. Session: the default run of
the toy model, whose samples a first run has left in the store, and how much of its time the report takes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
from pathlib import Path

import processes

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers import synthetic

# A plugin that times the report's hook.
WATCH = """
import time
from pytest_seedshift.plugin import activation

class Timed(activation.SessionReport):
    def pytest_sessionfinish(self, session):
        start = time.perf_counter()
        super().pytest_sessionfinish(session)
        open("seconds.txt", "w").write(str(time.perf_counter() - start))

activation.SessionReport = Timed
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("large", "session"), help="(default: both)")
    parser.add_argument("--short", action="store_true", help="a small folder, a session of two cases")
    options = parser.parse_args()
    if options.only != "session":
        large(short=options.short)
    if options.only != "large":
        session(short=options.short)


def large(*, short: bool) -> None:
    magnitudes = tuple(step / 10 for step in range(-5, 6) if step)
    plan = synthetic.Plan(
        shifts=synthetic.SHIFTS,
        magnitudes=magnitudes[-2:] if short else magnitudes,
        labels=tuple(f"label {number}" for number in range(16 if short else 100)),
        images=32 if short else 400,
        side=64 if short else 512,
        pictures=8 if short else 24,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = synthetic.write(Path(folder, "run"), plan)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = processes.seconds_of(["-m", "pytest_seedshift", "report", str(run.path)], folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = (run.path / "report.html").stat().st_size
    cases = len(plan.models) * (1 + len(plan.shifts) * len(plan.magnitudes))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"report of {cases} cases of {plan.images} samples: {seconds:.1f} s ({cpu:.1f} s of a core)")
    print(f"{'peak memory, MiB':42}{after.ru_maxrss / 1024:8.0f}")  # of the largest process so far: this one alone
    print(f"{'the page, MB':42}{size / 1e6:8.1f}")


def session(*, short: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "watch_report.py").write_text(WATCH)
        arguments = ["-p", "watch_report", *(processes.SHORT if short else ())]
        processes.run_seedshift(folder, *arguments)  # the first one makes the samples
        taken = []
        for _ in range(1 if short else 3):
            whole = processes.run_seedshift(folder, *arguments)
            taken.append(float(Path(folder, "seconds.txt").read_text()))
        cases = processes.cases(folder)
    print(f"report at a session's end, {cases} cases: {statistics.median(taken):.2f} s of {whole:.1f} s")


if __name__ == "__main__":
    main()
