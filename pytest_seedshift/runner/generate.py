"""Rows of a model, from pairs to images and scores, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import HarnessError, SeedshiftError
from pytest_seedshift.models import drawing, rng
from pytest_seedshift.runner.orders import Row
from pytest_seedshift.runner.overlap import overlapped
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import ShiftFunction, TextToImage
    from pytest_seedshift.runner.orders import Scores
    from pytest_seedshift.scorers.base import Scorer

_ADVICE = {
    "float16": "Half precision often does this: try --seedshift-dtype=float32 or bfloat16",
    "bfloat16": "Half precision sometimes does this: try --seedshift-dtype=float32",
    None: "The seed vector has none, so the model has made it: look at its weights, its scheduler and its guidance",
}
"""What to do about NaN in what a model makes, by its number type; None for those of full precision."""

_SLACK = 1e-3
"""How far values of an image may lie outside of [0, 1], as rounding makes them."""


class RowsError(CaseError):
    """Some rows of a batch cannot be made; the message is that of the first of them.

    Attributes:
        failed: by row, what is wrong with it, as an error of its case says it.
    """

    def __init__(self, failed: Mapping[Row, str]) -> None:
        super().__init__(next(iter(failed.values())))
        self.failed = dict(failed)


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a few rows.

    `images` are float32, (len(rows), 3, height, width), in [0, 1], in steps of 1/255: what is scored is what a saved
    picture shows, so that a kept picture can be scored anew with the same result.
    """

    rows: tuple[Row, ...]
    images: Tensor
    scores: tuple[Scores, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Those of the rows."""
        return tuple(row.pair for row in self.rows)


class Engine:
    """A loaded model with its scorers: makes images in this process.

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
        return self.run_rows([Row(case, pair) for pair in pairs])

    def run_rows(self, rows: Sequence[Row]) -> Iterator[Batch]:
        """Generate and score rows of one model; see `generate`.

        Raises:
            CaseError: see `run` and `generate`.
        """
        return overlapped(self.generate(rows), lambda made: score(made, self.scorers), overlap=self.overlap)

    def images(self, case: Case, pairs: Sequence[Pair]) -> Iterator[Tensor]:
        """Generate the pairs of a case, batch by batch, in the order given, without scoring them; see `Batch.images`.

        Raises:
            CaseError: see `run`, but for scores.
        """
        for batch in self.generate([Row(case, pair) for pair in pairs]):
            yield batch.images

    def generate(self, rows: Sequence[Row]) -> Iterator[Batch]:
        """Generate rows of one model, batch by batch, in the order given; they may be of several cases.

        A model of the user's own gets those of one case at once: its `generate` may call the shift as it likes.

        Raises:
            RowsError: NaN or Inf in some rows, or a shift that has no meaning for them.
            CaseError: see `run`, but for scores.
        """
        start = 0
        while start < len(rows):
            chunk = tuple(rows[start : start + self.batch_size])
            images = self._generate(chunk)
            if images is None:
                devices.free_memory()
                self.batch_size = max(1, len(chunk) // 2)
                continue
            yield Batch(chunk, images)
            start += len(chunk)

    def _advice(self, dtype: torch.dtype) -> str:
        """What to do about NaN in numbers of a type: by that, where it is of half precision, else by the model's."""
        theirs = str(dtype).removeprefix("torch.")
        return _ADVICE.get(theirs if theirs in _ADVICE else self._dtype, _ADVICE[None])

    def _generate(self, rows: tuple[Row, ...]) -> Tensor | None:
        """A batch of images; None where memory does not suffice for so many."""
        finite: list[tuple[Tensor, torch.dtype]] = []

        def note(_: int, state: Tensor) -> None:
            finite.append(
                (state.isfinite().flatten(1).all(1), state.dtype)
            )  # looked at later: a GPU should not wait for it

        try:
            images = drawing.generate(self.model, [row.pair for row in rows], _shift(rows), note)
        except CaseError:
            raise
        except SeedshiftError as error:
            raise CaseError(f"{_named(rows)}: {error}") from error
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise
            if len(rows) > 1:
                return None
            raise CaseError(
                f"{_named(rows)}: memory does not suffice for one image on this device: "
                f"{str(error).strip().splitlines()[0]}. Try --seedshift-dtype=float16 or bfloat16, or another device"
            ) from error
        for step, (of_rows, dtype) in enumerate(finite):
            _check(of_rows, rows, f"the model's state after step {step + 1}", self._advice(dtype))
        _check_finite(images, rows, "the image", self._advice(images.dtype))
        _check_range(images, rows)
        return images.float().clamp(0, 1).mul(255).round().div(255)


@torch.inference_mode()
def score(batch: Batch, scorers: Sequence[Scorer]) -> Batch:
    """Score a batch of images, (len(rows), 3, height, width) in [0, 1] in steps of 1/255.

    Raises:
        RowsError: NaN or Inf in a score.
        CaseError: a scorer that can score no picture.
    """
    rows, images = batch.rows, batch.images
    try:
        columns = [_column(scorer, rows, images) for scorer in scorers]
    except Exception as error:
        if len(rows) == 1 or not devices.is_out_of_memory(error):
            raise
        columns = None
    if columns is None:  # outside of the handler, which holds on to the memory of what failed
        devices.free_memory()
        half = len(rows) // 2
        halves = (Batch(rows[part], images[part]) for part in (slice(0, half), slice(half, None)))
        return Batch(rows, images, tuple(row for part in halves for row in score(part, scorers).scores))
    return Batch(rows, images, tuple(zip(*columns, strict=True)))


def _column(scorer: Scorer, rows: tuple[Row, ...], images: Tensor) -> list[dict[str, float]]:
    columns = {}
    try:
        scored = scorer.score(images, [row.pair.label for row in rows])
    except Exception as error:  # of a folder whose settings fit together with no picture: whatever its library raises
        source = getattr(scorer, "name", None)  # those of the user's own speak for themselves
        if source is None or isinstance(error, CaseError) or devices.is_of_the_machine(error):
            raise
        raise UnusableModelError(
            f"the scorer {source} of {rows[0].case.model} cannot score a picture: {type(error).__name__}: "
            f"{' '.join(str(error).split())}"
        ) from error
    for name, values in scored.items():
        _check_finite(values, rows, f"the score {name}", "The image has none, so the scorer has made it")
        columns[name] = values.tolist()
    return [{name: column[row] for name, column in columns.items()} for row in range(len(rows))]


def _shift(rows: Sequence[Row]) -> ShiftFunction | None:
    """The shift of a batch: each row by its own case; None where none is shifted."""
    functions = {case: shift_function(case) for case in dict.fromkeys(row.case for row in rows)}
    if len(functions) == 1:
        return next(iter(functions.values()))

    def shift(z: Tensor, pairs: Sequence[Pair]) -> Tensor:
        if list(pairs) != [row.pair for row in rows]:
            raise HarnessError("the seed vectors of several cases have come to their shifts in another order")
        shifted = []
        failed: dict[Row, str] = {}
        for row, each in zip(rows, z, strict=True):
            function = functions[row.case]
            try:
                shifted.append(each if function is None else function(each.unsqueeze(0), [row.pair])[0])
            except CaseError as error:
                failed[row] = str(error)
        if failed:
            raise RowsError(failed)
        return torch.stack(shifted)

    return shift


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
            made = [
                shifts.apply(row, spec, case.magnitude, generator=rng.generator(pair, f"shift {spec}"))
                for row, pair in zip(z, pairs, strict=True)
            ]
        except SeedshiftError as error:  # a channel that this model's seed vectors do not have
            raise CaseError(f"{case.model}, {case.describe()}: {error}") from error
        shifted = torch.stack(made)
        if not bool(shifted.isfinite().all()):
            rows = [Row(case, pair) for pair in pairs]
            _check_finite(z, rows, "the seed vector", "The model has drawn it so, before any shift")
            _check_finite(shifted, rows, "the shifted seed vector", "Before the shift it has none")
        return shifted

    return shift


def _named(rows: Sequence[Row]) -> str:
    """What stands before the message of an error that is not of single rows."""
    cases = dict.fromkeys(row.case for row in rows)
    return f"{rows[0].case.model}, {' and '.join(case.describe() for case in cases)}"


def _check_range(images: Tensor, rows: Sequence[Row]) -> None:
    """Make sure that finite images are in [0, 1].

    Raises:
        CaseError: they are not.
    """
    low, high = (float(end) for end in images.aminmax())
    if low < -_SLACK or high > 1 + _SLACK:
        raise CaseError(f"{_named(rows)}: the model's images go from {low:.3g} to {high:.3g}: give them in [0, 1]")


def _check_finite(values: Tensor, rows: Sequence[Row], what: str, advice: str) -> None:
    _check(values.isfinite().flatten(1).all(1) if values.ndim > 1 else values.isfinite(), rows, what, advice)


def _check(finite: Tensor, rows: Sequence[Row], what: str, advice: str) -> None:
    if bool(finite.all()):
        return
    wrong = [rows[place] for place in finite.logical_not().nonzero().flatten().tolist()]
    raise RowsError(
        {row: f"{row.case.model}, {row.case.describe()}: NaN or Inf in {what} of {row.pair}. {advice}" for row in wrong}
    )
