"""Where a GPU would wait for the program, and who asks it for how many operators: on a pretended one, so without a GPU.

python benchmarks/waiting.py [--models small-sd,toy-latent,toy-glide] [--images N] [--batch-size N] [--short]

small-sd is a pipeline of Stable Diffusion's form with small random networks. Each model draws a control and a shifted
case, with both scorers, in float16 where it says so. What is counted: see tests/helpers/pretended_device.py.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.families import FAMILIES
from helpers.pretended_device import PretendedDevices
from pytest_seedshift.core import pairs
from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import catalogue
from pytest_seedshift.models.load import load
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.runner.finishing import finish
from pytest_seedshift.runner.generate import Engine
from pytest_seedshift.scorers.classifier import Classifier
from pytest_seedshift.scorers.clip import ClipScore

SMALL, FAMILY, STEPS = "small-sd", "stable-diffusion-1", 10


def small(dtype: torch.dtype) -> DiffusersPipeline:
    """A small Stable Diffusion, of as many steps as the toys have."""
    family = FAMILIES[FAMILY]
    arguments = {**family.arguments, "num_inference_steps": STEPS}
    return DiffusersPipeline(SMALL, family.build().to(dtype).to("cuda"), "", arguments)


class Encoder:
    """The calls of one text encoder of a model, from now on, and the texts that it was given."""

    def __init__(self, part: torch.nn.Module) -> None:
        self.calls, self.texts = 0, set()
        part.register_forward_pre_hook(self._note)

    def _note(self, _: torch.nn.Module, given: tuple[Any, ...]) -> None:
        self.calls += 1
        self.texts |= {tuple(row) for row in getattr(given[0], "near", given[0]).tolist()}


def encoders(model: DiffusersPipeline) -> list[Encoder]:
    parts = model._pipeline.components.items()
    return [Encoder(part) for name, part in parts if "text_encoder" in name and isinstance(part, torch.nn.Module)]


def ours(waits: Counter[tuple[str, str]]) -> int:
    return sum(count for (asker, _), count in waits.items() if asker == "ours")


def measure(name: str, dtype: str, images: int, batch_size: int) -> dict[str, Any]:
    """Draw two cases of a model on a pretended GPU; what was counted, by its column."""
    entry = catalogue.shipped().find("toy-latent" if name == SMALL else name)
    classes = pairs.class_list(entry.classes)
    design = pairs.design(classes, max(images, len(classes)))[:images]
    with PretendedDevices() as gpus:
        model = small(getattr(torch, dtype)) if name == SMALL else load(entry, "cuda", dtype)
        gpus.reset()
        scorers = (Classifier.load(entry.classifier, "cuda"), ClipScore.load(entry.clip, "cuda"))
        loading = ours(gpus.waits)
        for scorer in scorers:
            scorer.check([pair.label for pair in design])
        read = encoders(model)
        engine = Engine(model, scorers, batch_size, overlap=True)
        gpus.reset()
        list(engine.run(Case(name), design[:batch_size]))  # how the pipeline puts prompts together is learned once
        once = ours(gpus.waits)
        gpus.reset()
        batches = [
            finish(batch) for case in (Case(name), Case(name, "mean", 0.3)) for batch in engine.run(case, design)
        ]
        every = sum(gpus.operators.values())
        waits, beside = ours(gpus.waits), ours(gpus.beside)
        return {
            "waits while generating": (waits - beside) / len(batches),
            "waits while scoring": beside / len(batches),
            "waits of the pipeline": (sum(gpus.waits.values()) - waits) / len(batches),
            "% of the model": 100 * gpus.operators["model"] / every,
            "% text encoder": 100 * gpus.operators["text encoder"] / every,
            "% scorers": 100 * gpus.operators["scorer"] / every,
            "% ours": 100 * gpus.operators["ours"] / every,
            "encoder calls a text": max(each.calls / len(each.texts) for each in read),
            "calls beyond one a text": max(each.calls - len(each.texts) for each in read),
            "float64, ours": ours(gpus.doubles),
            "waits of the first batch": once,
            "waits to load scorers": loading,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=f"{SMALL}:float16,toy-latent:float16,toy-latent:float32,toy-glide:float32")
    parser.add_argument("--images", type=int, default=32, help="of each of two cases")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="small-sd alone, 16 images")
    options = parser.parse_args()
    if options.short:
        options.models, options.images = f"{SMALL}:float16", 16
    torch.set_num_threads(1)
    asked = [each.partition(":")[::2] for each in options.models.split(",")]
    columns = [measure(name, dtype or "float32", options.images, options.batch_size) for name, dtype in asked]
    print(f"two cases of {options.images} images, in batches of {options.batch_size}")
    print("waits are those of one batch, and ours where not the pipeline's own")
    print(f"{'':24}" + "".join(f"{f'{name} {dtype}':>22}" for name, dtype in asked))
    for row in columns[0]:
        print(f"{row:24}" + "".join(f"{column[row]:22.2f}" for column in columns))


if __name__ == "__main__":
    main()
