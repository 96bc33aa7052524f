"""How long a scored image of a model takes, by batch size.

python benchmarks/images.py [--model NAME] [--batch-sizes 1,8,16,32] [--threads N] [--images N] [--short]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.runner.workbench import Workbench
from pytest_seedshift.scorers import devices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="toy-latent")
    parser.add_argument("--batch-sizes", default="1,8,16,32,64")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--images", type=int, default=64, help="images for each batch size")
    parser.add_argument("--short", action="store_true", help="16 images, batches of 1 and 16")
    options = parser.parse_args()
    if options.short:
        options.images, options.batch_sizes = 16, "1,16"
    torch.set_num_threads(options.threads)
    device, dtype = devices.resolve(None, None)
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(RunFolder(Path(folder)), device, dtype)
        model, scorers = bench.model(options.model), bench.scorers(options.model)
    pairs = catalogue.shipped().design(options.model, None)[: options.images]
    control = Case(options.model)

    def seconds(size: int, used: tuple) -> float:
        start = time.perf_counter()
        list(Engine(model, used, size, overlap=device.startswith("cuda")).run(control, pairs))
        return time.perf_counter() - start

    list(Engine(model, scorers, 2, overlap=False).run(control, pairs[:2]))  # warms up
    sizes = list(map(int, options.batch_sizes.split(",")))
    each = {}
    print(f"{options.model} on {device} ({dtype}), {options.threads} threads, {len(pairs)} images a row")
    print(f"{'batch size':>10}{'ms an image, scored':>22}{'of it scoring':>16}")
    for size in sizes:
        whole, alone = seconds(size, scorers), seconds(size, ())
        each[size] = 1000 * whole / len(pairs)
        print(f"{size:10}{each[size]:22.1f}{1000 * max(whole - alone, 0) / len(pairs):16.1f}")
    best = min(each, key=each.get)
    print(f"batches of {sizes[0]} / batches of {best}, the fastest: {each[sizes[0]] / each[best]:.2f}")


if __name__ == "__main__":
    main()
