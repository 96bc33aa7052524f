"""How long a scored image of a model takes, by batch size.

python benchmarks/images.py [--model NAME] [--batch-sizes 1,8,16,32] [--threads N] [--images N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from pytest_seedshift import devices, engine
from pytest_seedshift.cases import Case
from pytest_seedshift.store import RunFolder
from pytest_seedshift.workbench import Workbench, design_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="toy-latent")
    parser.add_argument("--batch-sizes", default="1,8,16,32,64")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--images", type=int, default=64, help="images for each batch size")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device, dtype = devices.resolve(None, None)
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(RunFolder(Path(folder)), device, dtype, 1)
        model, scorers = bench.model(options.model), bench.scorers(options.model)
    pairs = design_of(options.model, None)[: options.images]
    control = Case(options.model)
    list(engine.generate(control, pairs[:2], model, scorers, 2))  # warms up
    print(f"{options.model} on {device} ({dtype}), {options.threads} threads, {len(pairs)} images a row")
    print(f"{'batch size':>10}{'ms an image, scored':>22}{'of it scoring':>16}")
    for size in map(int, options.batch_sizes.split(",")):
        whole = seconds(lambda: list(engine.generate(control, pairs, model, scorers, size)))  # noqa: B023
        alone = seconds(lambda: list(engine.generate(control, pairs, model, [], size)))  # noqa: B023
        print(f"{size:10}{1000 * whole / len(pairs):22.1f}{1000 * max(whole - alone, 0) / len(pairs):16.1f}")


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
