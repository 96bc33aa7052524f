"""Models of which it is planted what makes a picture bad: a direction of the seed vector, later noise, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from helpers.double_bench import Bench, Double, DoublePool, DoubleScorers
from pytest_seedshift.core import pairs as designs
from pytest_seedshift.models import rng
from pytest_seedshift.models.base import Axes
from pytest_seedshift.results.run_folder import RunFolder
from pytest_seedshift.runner.local_executor import LocalExecutor
from pytest_seedshift.runner.sample_service import SampleService
from pytest_seedshift.runner.scheduler import Scheduler
from pytest_seedshift.studies.worst import experiment

if TYPE_CHECKING:
    from pytest_seedshift.studies.worst.findings import Worst

LABELS = designs.class_list("toy16")


class Planted(Double):
    """A model whose pictures darken along one direction of the seed vector, by later noise, or as good as at random."""

    seed_axes = Axes()

    def __init__(self, direction: float, later: float, seed: int = 0, rough: float = 0.0) -> None:
        """The strengths of each; `seed` draws the direction, which no statistic knows.

        What is rough is of the vector alone, and so steep that even a short step leads to a picture like any other.
        """
        super().__init__()
        self.fingerprint = f"planted {direction} {later} {seed} {rough}"
        unit = torch.randn(self.seed_shape, generator=torch.Generator().manual_seed(seed))
        self._unit, self._later, self._seed = unit / unit.norm(), later, seed
        self._direction, self._rough = direction * self._unit, rough

    def generate(self, pairs, shift=None, on_step=None):
        z = rng.seed_vectors(pairs, self.seed_shape)
        if shift is not None:
            z = shift(z, pairs)
        self.made.update((shift is None, pair) for pair in pairs)
        noise = torch.stack(
            [torch.randn((), generator=rng.generator(each, "steps", seed=self._seed)) for each in pairs]
        )
        along = (z.double() * self._unit).sum((1, 2, 3))
        bad = (z * self._direction).sum((1, 2, 3)) + self._later * noise + self._rough * (1e5 * along % 1).float()
        return (0.5 - 0.08 * bad)[:, None, None, None].expand(-1, 3, 8, 8).clamp(0, 1)


class Light:
    """A scorer that gives how bright a picture is as CLIP's score, and sees the label in all that are not dark."""

    fingerprint = "light"

    def score(self, images, labels):
        mean = images.mean((1, 2, 3))
        return {"top1": (mean > 0.2).float(), "top5": (mean > 0.1).float(), "clip": 30 * mean}


class _Scorers(DoubleScorers):
    def of_model(self, model):
        return (Light(),)


def search(folder, model: Planted, pairs: int, budget: int, confirm: int, certainty: float = 0.99) -> Worst:
    """The experiment on a planted model."""
    run = RunFolder(folder)
    run.prepare()
    bench = Bench(run, keep="none", double=model)
    bench.pool = DoublePool(model)
    bench.pool.scorers = _Scorers(bench.catalogue, bench.device)
    bench.service = SampleService(bench.pool, run, batch_size=pairs, keep="none")
    bench.scheduler = Scheduler(bench.service, LocalExecutor(bench.pool, bench.service.engine))
    design = designs.design(LABELS, max(pairs, len(LABELS)))[:pairs]
    return experiment.run(bench, model.name, design, budget=budget, confirm=confirm, certainty=certainty)
