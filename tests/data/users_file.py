"""A user's conftest and notebook in one, with a use of every public name, for type checkers: it is never run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

import pytest_seedshift as seedshift
from pytest_seedshift import Axes, Label, Pair


class Watched(seedshift.Observation):
    """What a model's sampler has done."""

    def of(self, state: Tensor) -> seedshift.Sampled | None:
        return seedshift.Sampled(start=state, state=state, predicted=None)


class Mine:
    """A model."""

    name = "mine"
    fingerprint = "mine, 1"
    seed_shape = (3, 32, 32)
    seed_axes = Axes(channels=0, height=1, width=2)
    stages: str | None = None

    def __init__(self, device: str, dtype: str) -> None:
        self.device = device

    def generate(
        self,
        pairs: Sequence[Pair],
        shift: seedshift.ShiftFunction | None = None,
        on_step: seedshift.OnStep | None = None,
    ) -> Tensor:
        z = seedshift.seed_vectors(pairs, self.seed_shape)
        later = [torch.randn(self.seed_shape, generator=seedshift.generator(pair, "steps")) for pair in pairs]
        z = z if shift is None else shift(z, pairs)
        if on_step is not None:
            on_step(0, z)
        if not z.isfinite().all():
            raise seedshift.ModelError("the weights are not trained yet")
        return z + torch.stack(later)

    def observed(self) -> AbstractContextManager[seedshift.Observation]:
        raise NotImplementedError

    def pictures(self, pair: Pair, predicted: Tensor) -> Tensor:
        return predicted


class Tilt:
    """A shift."""

    fingerprint = "tilt"

    def __call__(self, z: Tensor, magnitude: float, generator: torch.Generator | None) -> Tensor:
        return z + magnitude


class Contrast:
    """A scorer."""

    kind = seedshift.ScoreKind("contrast", 1.0, binary=False)
    fingerprint = "contrast"

    def __init__(self, device: str) -> None: ...

    def check(self, labels: Sequence[Label]) -> None: ...

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        return {"contrast": images.std((1, 2, 3))}


class Stays:
    """A scorer of an image beside its control's."""

    kind = seedshift.ScoreKind("stays", 1.0, binary=False)
    fingerprint = "stays"
    beside = "control"

    def __init__(self, device: str) -> None: ...

    def check(self, labels: Sequence[Label]) -> None: ...

    def score_pairs(self, images: Tensor, others: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        return {"stays": 1 - (images - others).abs().mean((1, 2, 3))}


def pytest_seedshift_models() -> Mapping[str, Callable[[str, str], seedshift.TextToImage]]:
    return {"mine": Mine}


def pytest_seedshift_shifts() -> Mapping[str, Callable[[], seedshift.Shift]]:
    return {"tilt": Tilt}


def pytest_seedshift_scorers() -> Mapping[str, Callable[[str], seedshift.Scorer | seedshift.PairScorer]]:
    return {"contrast": Contrast, "stays": Stays}


def whose(error: seedshift.SeedshiftError) -> str:
    kinds = (seedshift.SeedshiftUsageError, seedshift.DataError, seedshift.ModelError, seedshift.HarnessError)
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), "")


def observable() -> seedshift.Observable:
    return Mine("cpu", "float32")


def test_case(seedshift_case: seedshift.Case, reliability: seedshift.CaseResult) -> None:
    assert seedshift_case.id
    assert reliability.scores["top1"].low > 0.3


def test_others(
    breaking_point: seedshift.BreakingPoint,
    seedshift_trajectory: seedshift.Trajectory,
    seedshift_position: Callable[..., seedshift.Study],
) -> None:
    assert breaking_point.at is None
    assert seedshift_trajectory.discontinuity < 2
    assert not seedshift_position(magnitude=0.3).null.moves_at_all


def notebook(scheduler: Any) -> list[dict[str, Any]]:
    design: Sequence[Pair] = seedshift.design(seedshift.class_list("toy16"), images=16)
    z = seedshift.seed_vectors(design, (4, 16, 16))
    shifted: Tensor = seedshift.apply_shift(z, "mean", 0.3)
    mended: Tensor = seedshift.repair(shifted, "moments")
    weight: float = seedshift.seed_weight(scheduler).weight
    run: seedshift.Run = seedshift.load_run()
    worst: list[seedshift.CaseRun] = [case for case in run.cases if case.failed]
    vectors = {"shifted": shifted, "mended": mended, "weight": weight}
    return [{**vectors, "worst": worst}, *run.case_rows(), *run.sample_rows()]


def in_a_training_loop(z: Tensor, magnitude: float) -> str:
    try:
        seedshift.apply_shift(z, "mean", magnitude)
        return f"{len(seedshift.load_run('of-yesterday').cases)} cases"
    except seedshift.InvalidValueError as error:
        as_python_does: ValueError = error
        return str(as_python_does)
    except (seedshift.SeedshiftUsageError, seedshift.DataError) as mine:
        return f"mend the call or the folder: {mine}"
    except seedshift.HarnessError:
        return "try again"
    except seedshift.SeedshiftError as error:
        any_of_them: seedshift.DataError = error  # wrong
        return str(any_of_them)


def after_an_epoch(pipeline: Any, seen: seedshift.Evaluation) -> seedshift.Evaluation:
    tables = {"default": {"top1": {"max_regression": 0.05}}}
    found = seedshift.evaluate(
        pipeline, shift="mean", magnitude=[0.3], thresholds=tables, baseline=seen.run.path, steps=20
    )
    return found if found.passed else seen


def mistakes(z: Tensor) -> None:
    seedshift.evaluate("sd21", steps="20")  # wrong
    seedshift.desing([], images=16)  # wrong
    seedshift.apply_shift("mean", 0.3)  # wrong
    seedshift.repair(z, strength=0.3)  # wrong
    seedshift.ScoreKind("contrast", "1", binary=False)  # wrong
    seedshift.Axes(rows=1)  # wrong
    seedshift.load_run(5)  # wrong
    print(seedshift.seed_weight(z).nothing)  # wrong


def mistaken_model() -> seedshift.TextToImage:
    return Tilt()  # wrong
