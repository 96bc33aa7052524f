"""A case from pairs to samples, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift import pairs as pairing
from pytest_seedshift import shifts

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.cases import Case
    from pytest_seedshift.models.base import ShiftFunction, TextToImage
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.scorers.base import Scorer


class CaseError(Exception):
    """A case cannot be judged; the message says why, down to the pair and the step."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a few pairs: images, (len(pairs), 3, height, width) in [0, 1], and each pair's scores."""

    pairs: tuple[Pair, ...]
    images: Tensor
    scores: tuple[dict[str, float], ...]


def generate(
    case: Case, pairs: Sequence[Pair], model: TextToImage, scorers: Sequence[Scorer], batch_size: int
) -> Iterator[Batch]:
    """Generate and score the pairs of a case, batch by batch, in the order given.

    Raises:
        CaseError: NaN or Inf in the model's state, in an image or in a score.
    """
    shift = shift_function(case)
    for start in range(0, len(pairs), batch_size):
        chunk = tuple(pairs[start : start + batch_size])

        def check_state(step: int, state: Tensor, chunk: tuple[Pair, ...] = chunk) -> None:
            _check_finite(state, chunk, case, f"the model's state after step {step + 1}")

        images = model.generate(chunk, shift, check_state)
        _check_finite(images, chunk, case, "the image")
        yield Batch(chunk, images, _score(images, chunk, case, scorers))


def shift_function(case: Case) -> ShiftFunction | None:
    """The case's shift as a model applies it; None for the control.

    What a shift draws is keyed by the pair and the shift, not by the magnitude: along a curve over magnitudes each pair
    moves in one direction.
    """
    if case.is_control:
        return None
    spec = shifts.parse(case.shift)

    def shift(z: Tensor, pairs: Sequence[Pair]) -> Tensor:
        import torch

        try:
            rows = [
                shifts.apply(row, spec, case.magnitude, generator=pairing.generator(pair, f"shift {spec}"))
                for row, pair in zip(z, pairs, strict=True)
            ]
        except ValueError as error:  # a channel that this model's seed vectors do not have
            raise CaseError(f"{case.model}, {case.describe()}: {error}") from error
        return torch.stack(rows)

    return shift


def _score(
    images: Tensor, pairs: tuple[Pair, ...], case: Case, scorers: Sequence[Scorer]
) -> tuple[dict[str, float], ...]:
    columns: dict[str, list[float]] = {}
    for scorer in scorers:
        for name, values in scorer.score(images, [pair.label for pair in pairs]).items():
            _check_finite(values, pairs, case, f"the score {name}")
            columns[name] = values.tolist()
    return tuple({name: column[row] for name, column in columns.items()} for row in range(len(pairs)))


def _check_finite(values: Tensor, pairs: tuple[Pair, ...], case: Case, what: str) -> None:
    finite = values.isfinite().flatten(1).all(1) if values.ndim > 1 else values.isfinite()
    if bool(finite.all()):
        return
    row = int(finite.logical_not().nonzero()[0])
    raise CaseError(
        f"{case.model}, {case.describe()}: NaN or Inf in {what} of {pairs[row]}. "
        "Half precision often does this: try --seedshift-dtype=float32 or bfloat16"
    )
