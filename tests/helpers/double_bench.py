"""A workbench whose model and scorers are test doubles: quick, and what they make is exact in every batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.models import rng
from pytest_seedshift.runner.local_executor import LocalExecutor
from pytest_seedshift.runner.model_pool import ModelPool
from pytest_seedshift.runner.sample_service import SampleService
from pytest_seedshift.runner.scheduler import Scheduler
from pytest_seedshift.runner.scorer_pool import ScorerPool
from pytest_seedshift.runner.workbench import Workbench

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label, Pair
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.runner.kept_pictures import Keep


class Double:
    """A test double of a model: each pair's noise as an image. It counts what it makes."""

    name = "toy-latent"
    fingerprint = "double"
    seed_shape = (3, 8, 8)

    def __init__(self) -> None:
        self.made: Counter[tuple[bool, Pair]] = Counter()

    def generate(self, pairs: Sequence[Pair], shift=None, on_step=None) -> Tensor:
        state = rng.seed_vectors(pairs, self.seed_shape)
        if on_step is not None:  # whoever only wants to see a first step ends the generation here
            on_step(0, state)
        self.made.update((shift is None, pair) for pair in pairs)
        return ((state if shift is None else shift(state, pairs)) / 8 + 0.5).clamp(0, 1)


class Dark:
    """A test double of a classifier: it takes every dark image for what it should show."""

    fingerprint = "dark"

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        right = (images.mean((1, 2, 3)) < 0.51).float()
        return {"top1": right, "top5": right}


class Bright:
    """A test double of CLIP."""

    fingerprint = "bright"

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        return {"clip": 30 * images.mean((1, 2, 3))}


class DoubleScorers(ScorerPool):
    """Test doubles under the fingerprints of toy-latent's scorers."""

    def of_model(self, model: str) -> tuple[Dark, Bright]:
        return Dark(), Bright()


class DoublePool(ModelPool):
    """Holds a test double under the fingerprint of toy-latent's."""

    def __init__(self, double: Double) -> None:
        super().__init__("cpu", "float32")
        self.scorers = DoubleScorers(self.catalogue, self.device)
        self.double = double

    def model(self, name: str) -> Double:
        return self.double


class Bench(Workbench):
    """A workbench whose model and scorers are test doubles."""

    def __init__(
        self,
        folder: RunFolder,
        keep: Keep = "report",
        batch_size: int | None = 4,
        double: Double | None = None,
    ) -> None:
        super().__init__(folder, "cpu", "float32")
        self.double = double or Double()
        self.pool = DoublePool(self.double)
        self.service = SampleService(self.pool, folder, batch_size=batch_size, keep=keep)
        self.scheduler = Scheduler(self.service, LocalExecutor(self.pool, self.service.engine))
