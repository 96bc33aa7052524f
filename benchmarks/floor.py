"""How much a run takes beyond the bare forwards of its four networks.

    python benchmarks/floor.py [--images N] [--rounds N] [--batch-size N] [--processor] [--short]

The floor: the denoiser at every step, the decoder, the classifier and CLIP's image tower, called again and again with
the very tensors that one batch of a case has given them. The run: the same number of images of a case by
`sequential.run`, exact, with all that comes with it: noise, shift, scheduler, preparation of the images, checks, store,
pictures, verdict. They take turns, so that a machine that gets slower or faster meets both alike.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import processes
import torch

from pytest_seedshift.core import thresholds_parser
from pytest_seedshift.core.cases import Case, grid
from pytest_seedshift.core.limits import DEFAULT_MAGNITUDES, DEFAULT_SHIFTS
from pytest_seedshift.core.stats.sequential import SequentialTest
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner import sequential
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from pytest_seedshift.runner.generate import Engine

Call = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400, help="of a round, rounded down to whole batches")
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds, after one to warm up")
    parser.add_argument("--batch-size", type=int, help="(default: the one that a run finds)")
    parser.add_argument("--processor", action="store_true", help=processes.PROCESSOR)
    parser.add_argument("--short", action="store_true", help="two rounds of 16 images")
    options = parser.parse_args()
    if options.processor:
        torch.set_num_threads(1)
    clock = time.process_time if options.processor else time.perf_counter
    if options.short:
        options.images, options.rounds = 16, 2
    cases = [case for case in grid([processes.MODEL], DEFAULT_SHIFTS, DEFAULT_MAGNITUDES) if not case.is_control]
    if options.rounds > len(cases):
        parser.error(f"at most {len(cases)} rounds: each of them takes a case of its own")
    device, dtype = devices.resolve(None, None)
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        folder.prepare()
        bench = Workbench(folder, device, dtype, batch_size=options.batch_size)
        engine = bench.service.engine(processes.MODEL)
        batch = min(engine.batch_size, options.images)
        images = options.images // batch * batch
        design = catalogue.shipped().design(processes.MODEL, images)
        asked = thresholds_parser.load(None, Path(name), catalogue.shipped().find)

        def run(case: Case) -> None:
            sequential.run(bench, case, SequentialTest(asked.constraints(case), images, exact=True), design)

        parts = forwards(engine, cases[0], design[:batch])
        run(cases[0].control)  # warms up, and makes the pictures that stand beside those of every case
        floors: dict[str, list[float]] = {part: [] for part in parts}
        runs = []
        for turn in range(options.rounds):
            for part, calls in parts.items():
                floors[part].append(seconds(lambda: replay(calls, images // batch), clock))  # noqa: B023
            runs.append(seconds(lambda: run(cases[turn]), clock))  # noqa: B023
        bench.close()

    whole = [sum(values) for values in zip(*floors.values(), strict=True)]
    print(
        f"{processes.MODEL} on {device} ({dtype}), {torch.get_num_threads()} threads, batches of {batch}, "
        f"{options.rounds} rounds of {images} images"
    )
    print(f"{'ms an image':24}{'median':>10}{'min':>10}{'max':>10}")
    for part, values in (*floors.items(), ("floor, all of these", whole), ("run", runs)):
        print(f"{part:24}" + "".join(f"{1000 * of(values) / images:10.3f}" for of in (statistics.median, min, max)))
    pairs = [run / floor for run, floor in zip(runs, whole, strict=True)]
    print(f"run / floor {statistics.median(runs) / statistics.median(whole):12.3f} of the medians")
    print(f"{'':12}{statistics.median(pairs):12.3f} median of the rounds ({min(pairs):.3f}–{max(pairs):.3f})")


def forwards(engine: Engine, case: Case, pairs: tuple) -> dict[str, list[Call]]:
    """The networks' calls, with their tensors, that one batch of a case is made of."""
    classifier, clip = engine.scorers
    pipeline = engine.model._pipeline
    watched = {
        "denoiser": (pipeline.unet, "forward"),
        "decoder": (pipeline.vae, "decode"),
        "classifier": (classifier._model, "forward"),
        "CLIP, image": (clip._model, "encode_image"),
    }
    list(engine.run(case, pairs))  # what is done once, such as reading prompts, is done
    calls: dict[str, list[Call]] = {part: [] for part in watched}
    for part, (owner, name) in watched.items():
        setattr(owner, name, recorded(getattr(owner, name), calls[part]))
    list(engine.run(case, pairs))
    for owner, name in watched.values():
        delattr(owner, name)  # the class's own is there again
    return calls


def recorded(method: Callable[..., object], calls: list[Call]) -> Callable[..., object]:
    def record(*args: object, **kwargs: object) -> object:
        calls.append(lambda: method(*args, **kwargs))
        return method(*args, **kwargs)

    return record


@torch.inference_mode()
def replay(calls: list[Call], times: int) -> None:
    for _ in range(times):
        for call in calls:
            call()


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    with synchronised():
        start = clock()
        work()
    return clock() - start


@contextmanager
def synchronised():
    """A GPU works behind: what was asked before is not to be timed, and what is asked is."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    yield
    wait()


if __name__ == "__main__":
    main()
