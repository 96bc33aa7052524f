"""A case from pairs to images and scores, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.models import drawing, rng
from pytest_seedshift.runner.overlap import overlapped
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import ShiftFunction, TextToImage
    from pytest_seedshift.scorers.base import Scorer

_ADVICE = {
    "float16": "Half precision often does this: try --seedshift-dtype=float32 or bfloat16",
    "bfloat16": "Half precision sometimes does this: try --seedshift-dtype=float32",
    None: "The seed vector has none, so the model has made it: look at its weights, its scheduler and its guidance",
}
"""What to do about NaN in what a model makes, by its number type; None for those of full precision."""

_SLACK = 1e-3
"""How far values of an image may lie outside of [0, 1], as rounding makes them."""

Scores = tuple[dict[str, float], ...]
"""The scores of one image: for each scorer, in the scorers' order, its values by their names."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a few pairs.

    `images` are float32, (len(pairs), 3, height, width), in [0, 1], in steps of 1/255: what is scored is what a saved
    picture shows, so that a kept picture can be scored anew with the same result.
    """

    pairs: tuple[Pair, ...]
    images: Tensor
    scores: tuple[Scores, ...]


class Maker(Protocol):
    """Where batches of one model go and samples come back: the seam for other places than this process.

    An implementation may spread the pairs over as many devices or machines as it likes. What it has to keep is their
    order, and the batches: a sample's last digits depend on what it shares a batch with.
    """

    @property
    def batch_size(self) -> int:
        """How many pairs are made at once."""

    def run(self, case: Case, pairs: Sequence[Pair]) -> Iterator[Batch]:
        """Make the pairs of a case, in batches of `batch_size` from the first on.

        Every batch is yielded whole and in order as soon as it is there, also where the next one breaks. The caller
        stores it in this process before it asks for the next, so that whatever breaks later loses nothing.

        Raises:
            CaseError: a sample cannot be made.
        """


class Engine:
    """A loaded model with its scorers: the `Maker` in this process.

    `batch_size` is the most images that are generated at once; an out-of-memory error halves it.
    """

    def __init__(
        self,
        model: TextToImage,
        scorers: Sequence[Scorer],
        batch_size: int,
        *,
        overlap: bool,
        dtype: str | None = None,
    ) -> None:
        """With `overlap`, a batch is scored while the next one is generated.

        `dtype` is what the model runs in, as far as it is known: of NaN, half precision is a usual cause.
        """
        self.model = model
        self.scorers = tuple(scorers)
        self.batch_size = batch_size
        self.overlap = overlap
        self._dtype = dtype

    def run(self, case: Case, pairs: Sequence[Pair]) -> Iterator[Batch]:
        """Generate and score the pairs of a case, batch by batch, in the order given.

        Raises:
            CaseError: NaN or Inf in the model's state, in an image or in a score; memory that does not suffice for one
                image.
        """
        batches = self._images(case, pairs, shift_function(case))
        return overlapped(batches, lambda made: score(case, *made, self.scorers), overlap=self.overlap)

    def images(self, case: Case, pairs: Sequence[Pair]) -> Iterator[Tensor]:
        """Generate the pairs of a case, batch by batch, in the order given, without scoring them; see `Batch.images`.

        Raises:
            CaseError: see `run`, but for scores.
        """
        for _, images in self._images(case, pairs, shift_function(case)):
            yield images

    def _advice(self, dtype: torch.dtype) -> str:
        """What to do about NaN in numbers of a type: by that, where it is of half precision, else by the model's."""
        theirs = str(dtype).removeprefix("torch.")
        return _ADVICE.get(theirs if theirs in _ADVICE else self._dtype, _ADVICE[None])

    def _images(
        self, case: Case, pairs: Sequence[Pair], shift: ShiftFunction | None
    ) -> Iterator[tuple[tuple[Pair, ...], Tensor]]:
        start = 0
        while start < len(pairs):
            chunk = tuple(pairs[start : start + self.batch_size])
            images = self._generate(case, chunk, shift)
            if images is None:
                devices.free_memory()
                self.batch_size = max(1, len(chunk) // 2)
                continue
            yield chunk, images
            start += len(chunk)

    def _generate(self, case: Case, pairs: tuple[Pair, ...], shift: ShiftFunction | None) -> Tensor | None:
        """A batch of images; None where memory does not suffice for so many."""
        finite: list[tuple[Tensor, torch.dtype]] = []

        def note(_: int, state: Tensor) -> None:
            finite.append(
                (state.isfinite().flatten(1).all(1), state.dtype)
            )  # looked at later: a GPU should not wait for it

        try:
            images = drawing.generate(self.model, pairs, shift, note)
        except CaseError:
            raise
        except SeedshiftError as error:
            raise CaseError(f"{case.model}, {case.describe()}: {error}") from error
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise
            if len(pairs) > 1:
                return None
            raise CaseError(
                f"{case.model}, {case.describe()}: memory does not suffice for one image on this device: "
                f"{str(error).strip().splitlines()[0]}. Try --seedshift-dtype=float16 or bfloat16, or another device"
            ) from error
        for step, (rows, dtype) in enumerate(finite):
            _check(rows, pairs, case, f"the model's state after step {step + 1}", self._advice(dtype))
        _check_finite(images, pairs, case, "the image", self._advice(images.dtype))
        _check_range(images, case)
        return images.float().clamp(0, 1).mul(255).round().div(255)


@torch.inference_mode()
def score(case: Case, pairs: tuple[Pair, ...], images: Tensor, scorers: Sequence[Scorer]) -> Batch:
    """Score images of a case, (len(pairs), 3, height, width) in [0, 1] in steps of 1/255.

    Raises:
        CaseError: NaN or Inf in a score, or a scorer that can score no picture.
    """
    try:
        columns = [_column(scorer, case, pairs, images) for scorer in scorers]
    except Exception as error:
        if len(pairs) == 1 or not devices.is_out_of_memory(error):
            raise
        columns = None
    if columns is None:  # outside of the handler, which holds on to the memory of what failed
        devices.free_memory()
        half = len(pairs) // 2
        parts = [score(case, pairs[part], images[part], scorers) for part in (slice(0, half), slice(half, None))]
        return Batch(pairs, images, parts[0].scores + parts[1].scores)
    return Batch(pairs, images, tuple(zip(*columns, strict=True)))


def _column(scorer: Scorer, case: Case, pairs: tuple[Pair, ...], images: Tensor) -> list[dict[str, float]]:
    columns = {}
    try:
        scored = scorer.score(images, [pair.label for pair in pairs])
    except Exception as error:  # of a folder whose settings fit together with no picture: whatever its library raises
        source = getattr(scorer, "name", None)  # those of the user's own speak for themselves
        if source is None or isinstance(error, CaseError) or devices.is_of_the_machine(error):
            raise
        raise UnusableModelError(
            f"the scorer {source} of {case.model} cannot score a picture: {type(error).__name__}: "
            f"{' '.join(str(error).split())}"
        ) from error
    for name, values in scored.items():
        _check_finite(values, pairs, case, f"the score {name}", "The image has none, so the scorer has made it")
        columns[name] = values.tolist()
    return [{name: column[row] for name, column in columns.items()} for row in range(len(pairs))]


def shift_function(case: Case) -> ShiftFunction | None:
    """The case's shift as a model applies it; None for the control.

    What a shift draws is keyed by the pair and the shift, not by the magnitude: along a curve over magnitudes each pair
    moves in one direction. The function raises `CaseError` where the shift has no meaning on the model's seed vectors,
    or makes NaN or Inf of them.
    """
    if case.is_control:
        return None
    spec = shifts.parse(case.shift)

    def shift(z: Tensor, pairs: Sequence[Pair]) -> Tensor:
        try:
            rows = [
                shifts.apply(row, spec, case.magnitude, generator=rng.generator(pair, f"shift {spec}"))
                for row, pair in zip(z, pairs, strict=True)
            ]
        except SeedshiftError as error:  # a channel that this model's seed vectors do not have
            raise CaseError(f"{case.model}, {case.describe()}: {error}") from error
        shifted = torch.stack(rows)
        if not bool(shifted.isfinite().all()):
            _check_finite(z, pairs, case, "the seed vector", "The model has drawn it so, before any shift")
            _check_finite(shifted, pairs, case, "the shifted seed vector", "Before the shift it has none")
        return shifted

    return shift


def _check_range(images: Tensor, case: Case) -> None:
    """Make sure that finite images are in [0, 1].

    Raises:
        CaseError: they are not.
    """
    low, high = (float(end) for end in images.aminmax())
    if low < -_SLACK or high > 1 + _SLACK:
        raise CaseError(
            f"{case.model}, {case.describe()}: the model's images go from {low:.3g} to {high:.3g}: give them in [0, 1]"
        )


def _check_finite(values: Tensor, pairs: Sequence[Pair], case: Case, what: str, advice: str) -> None:
    _check(values.isfinite().flatten(1).all(1) if values.ndim > 1 else values.isfinite(), pairs, case, what, advice)


def _check(finite: Tensor, pairs: Sequence[Pair], case: Case, what: str, advice: str) -> None:
    if bool(finite.all()):
        return
    row = int(finite.logical_not().nonzero()[0])
    raise CaseError(f"{case.model}, {case.describe()}: NaN or Inf in {what} of {pairs[row]}. {advice}")
