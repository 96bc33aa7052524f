"""Rows of a model, from pairs to images and scores, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import CaseError, UnusableModelError
from pytest_seedshift.core.errors import HarnessError, SeedshiftError
from pytest_seedshift.models import drawing, rng
from pytest_seedshift.runner import drawn_images, row_likeness
from pytest_seedshift.runner.controls import Controls
from pytest_seedshift.runner.drawn_images import RowsError
from pytest_seedshift.runner.orders import Row
from pytest_seedshift.runner.overlap import overlapped
from pytest_seedshift.scorers import devices, transfers
from pytest_seedshift.scorers.plugin_scorer import CONTROL, OwnScorer

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import ShiftFunction, TextToImage
    from pytest_seedshift.runner.drawn_images import Facts
    from pytest_seedshift.runner.orders import Scores
    from pytest_seedshift.scorers.base import Embedder, Scorer

_ADVICE = {
    "float16": "Half precision often does this: try --seedshift-dtype=float32 or bfloat16",
    "bfloat16": "Half precision sometimes does this: try --seedshift-dtype=float32",
    None: "The seed vector has none, so the model has made it: look at its weights, its scheduler and its guidance",
}
"""What to do about NaN in what a model makes, by its number type; None for those of full precision."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a few rows.

    `images` are float32, (len(rows), 3, height, width), in [0, 1], in steps of 1/255: what is scored is what a saved
    picture shows, so that a kept picture can be scored anew with the same result. `levels` are the same as uint8: on
    the model's device as long as there are `facts` that nobody has looked at, then on the CPU.
    """

    rows: tuple[Row, ...]
    images: Tensor
    scores: tuple[Scores, ...] = ()
    levels: Tensor | None = None
    facts: Facts | None = None
    likeness: tuple[Mapping[str, float], ...] = ()
    """Of each row, to the picture of its reference; empty where it has none."""
    controls: Tensor | None = None
    """The controls' images of the same pairs, in the form of `images`; None where no scorer looks at them."""

    def part(self, places: Sequence[int]) -> Batch:
        """Some of its rows, of images that were seen, without scores."""
        controls = None if self.controls is None else self.controls[list(places)]
        return Batch(tuple(self.rows[place] for place in places), self.images[list(places)], controls=controls)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Those of the rows."""
        return tuple(row.pair for row in self.rows)

    def seen(self) -> Batch:
        """The batch once it is sure that its images are any; the device is waited for, and the levels come along.

        Raises:
            RowsError: NaN or Inf in some rows, in the model's state or in the image.
            CaseError: the images are not in [0, 1].
        """
        if self.facts is None:
            return self
        levels = None if self.levels is None else transfers.fetch(self.levels)
        self.facts.check(self.rows)
        return replace(self, levels=levels, facts=None)


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
        mixes: bool = False,
        device: str = "cpu",
        embedder: Callable[..., Embedder] | None = None,
    ) -> None:
        """With `overlap`, a batch is scored while the next one is generated; `mixes`: it may be of several cases.

        `device` is where the scorers are, `embedder` gives the one that compares pictures by their embeddings.
        `dtype` is what the model runs in, as far as it is known: of NaN, half precision is a usual cause.
        """
        self.model = model
        self.scorers = tuple(scorers)
        self.batch_size = batch_size
        self.overlap = overlap
        self.mixes = mixes
        self.device = device
        self.embedder = embedder
        self._dtype = dtype
        wanted = any(isinstance(each, OwnScorer) and each.beside == CONTROL for each in self.scorers)
        self._controls = Controls(self._control_levels) if wanted else None

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
        return overlapped(
            self.generate(rows), lambda made: score(made, self.scorers, self.embedder), overlap=self.overlap
        )

    def images(self, case: Case, pairs: Sequence[Pair]) -> Iterator[Tensor]:
        """Generate the pairs of a case, batch by batch, in the order given, without scoring them; see `Batch.images`.

        Raises:
            CaseError: see `run`, but for scores.
        """
        for batch in self.generate([Row(case, pair) for pair in pairs]):
            yield batch.seen().images

    def generate(self, rows: Sequence[Row]) -> Iterator[Batch]:
        """Generate rows of one model, batch by batch, in the order given; they may be of several cases.

        A model of the user's own gets those of one case at once: its `generate` may call the shift as it likes. Nobody
        has looked at the images yet: see `Batch.seen`.

        Raises:
            RowsError: a shift that has no meaning for some rows.
            CaseError: memory that does not suffice for one image, or a model that makes no images.
        """
        start = 0
        while start < len(rows):
            chunk = tuple(rows[start : start + self.batch_size])
            batch = self._generate(chunk)
            if batch is None:
                devices.free_memory()
                self.batch_size = max(1, len(chunk) // 2)
                continue
            yield batch
            start += len(chunk)

    def _advice(self, dtype: torch.dtype) -> str:
        """What to do about NaN in numbers of a type: by that, where it is of half precision, else by the model's."""
        theirs = str(dtype).removeprefix("torch.")
        return _ADVICE.get(theirs if theirs in _ADVICE else self._dtype, _ADVICE[None])

    def _generate(self, rows: tuple[Row, ...]) -> Batch | None:
        """A batch of images; None where memory does not suffice for so many."""
        try:
            batch = self._drawn(rows)
            return batch if self._controls is None else self._beside(batch, self._controls)
        except CaseError:
            raise
        except SeedshiftError as error:
            raise CaseError(f"{drawn_images.named(rows)}: {error}") from error
        except Exception as error:  # of whatever a model or a library raises: what is no want of memory passes
            if not devices.is_out_of_memory(error):
                raise
            if len(rows) > 1:
                return None
            raise CaseError(
                f"{drawn_images.named(rows)}: memory does not suffice for one image on this device: "
                f"{str(error).strip().splitlines()[0]}. Try --seedshift-dtype=float16 or bfloat16, or another device"
            ) from error

    def _drawn(self, rows: tuple[Row, ...]) -> Batch:
        magnitudes: list[Tensor] = []
        looked_at: list[tuple[str, str]] = []

        def note(_: int, state: Tensor) -> None:
            magnitudes.append(drawn_images.magnitude(state))
            looked_at.append((f"the model's state after step {len(looked_at) + 1}", self._advice(state.dtype)))

        images = drawing.generate(self.model, [row.pair for row in rows], _shift(rows), note)
        with torch.inference_mode():
            looked_at.append(("the image", self._advice(images.dtype)))
            facts = drawn_images.facts(images, magnitudes, looked_at)
            levels = drawn_images.levels(images)
            return Batch(rows, levels.float().div(255), levels=levels, facts=facts)

    def _control_levels(self, rows: Sequence[Row]) -> Tensor:
        levels = self._drawn(tuple(rows)).seen().levels
        assert levels is not None
        return levels

    def _beside(self, batch: Batch, controls: Controls) -> Batch:
        """A batch with its controls' images: a control's is its own."""
        batch = batch.seen()
        with torch.inference_mode():
            images, shifted = batch.images.clone(), []
            for place, row in enumerate(batch.rows):
                if not row.case.is_control:
                    shifted.append(place)
                elif batch.levels is not None and row.pair.noise is None:
                    controls.know([row.pair], batch.levels[place : place + 1])
            if shifted:
                found = controls.of([batch.rows[place] for place in shifted])
                images[shifted] = transfers.send(found, images.device)
            return replace(batch, controls=images)


@torch.inference_mode()
def score(batch: Batch, scorers: Sequence[Scorer], embedder: Callable[..., Embedder] | None = None) -> Batch:
    """Look at a batch of images, (len(rows), 3, height, width) in [0, 1] in steps of 1/255, and score them.

    Those that have a reference are compared with it, by the embeddings of `embedder` where these are asked for.

    Raises:
        RowsError: NaN or Inf in some rows, or in their scores; or a reference of another size.
        CaseError: images that are not in [0, 1], or a scorer that can score no picture.
    """
    batch = batch.seen()
    scores, likeness = _halved(batch, scorers, embedder)
    return replace(batch, scores=scores, likeness=likeness)


def _halved(
    batch: Batch, scorers: Sequence[Scorer], embedder: Callable[..., Embedder] | None
) -> tuple[tuple[Scores, ...], tuple[Mapping[str, float], ...]]:
    """The scores and the likeness of each row; where memory does not suffice for all, one half after the other."""
    rows, images = batch.rows, batch.images
    try:
        scores = _scores(batch, scorers)
        if not any(row.reference and row.reference.alike for row in rows):
            return scores, ({},) * len(rows)
        return scores, row_likeness.measured(rows, images, embedder)
    except Exception as error:
        if len(rows) == 1 or not devices.is_out_of_memory(error):
            raise
    devices.free_memory()  # outside of the handler, which holds on to the memory of what failed
    half = len(rows) // 2
    first = _halved(batch.part(range(half)), scorers, embedder)
    second = _halved(batch.part(range(half, len(rows))), scorers, embedder)
    return first[0] + second[0], first[1] + second[1]


def _scores(batch: Batch, scorers: Sequence[Scorer]) -> tuple[Scores, ...]:
    found: list[dict[str, Tensor]] = []
    rows = batch.rows
    try:
        found.extend(_of_scorer(scorer, batch) for scorer in scorers)
    except Exception as error:
        if not devices.is_of_the_machine(error):
            _checked(found, rows)  # what is wrong with an earlier scorer's comes first
        raise
    columns = _checked(found, rows)
    return tuple(
        tuple({name: column[place] for name, column in of_scorer.items()} for of_scorer in columns)
        for place in range(len(rows))
    )


def _of_scorer(scorer: Scorer, batch: Batch) -> dict[str, Tensor]:
    rows, images = batch.rows, batch.images
    if isinstance(scorer, OwnScorer) and scorer.beside:
        others = batch.controls if scorer.beside == CONTROL else row_likeness.references(rows, images)
        if others is None:
            raise HarnessError("images are to be scored beside their controls, and these are not there")
        return scorer.score_pairs(images, others, [row.pair.label for row in rows])
    try:
        return scorer.score(images, [row.pair.label for row in rows])
    except Exception as error:  # of a folder whose settings fit together with no picture: whatever its library raises
        source = getattr(scorer, "name", None)  # those of the user's own speak for themselves
        if source is None or isinstance(error, CaseError) or devices.is_of_the_machine(error):
            raise
        raise UnusableModelError(
            f"the scorer {source} of {rows[0].case.model} cannot score a picture: {type(error).__name__}: "
            f"{' '.join(str(error).split())}"
        ) from error


def _checked(found: Sequence[dict[str, Tensor]], rows: Sequence[Row]) -> list[dict[str, list[float]]]:
    """What scorers gave, as numbers; the device is waited for once.

    Raises:
        RowsError: some are NaN or infinite.
    """
    values = iter(transfers.as_lists([each for scores in found for each in scores.values()]))
    columns = [{name: next(values) for name in scores} for scores in found]
    for scores in columns:
        for name, column in scores.items():
            advice = "The image has none, so the scorer has made it"
            if failed := drawn_images.not_finite(column, rows, f"the score {name}", advice):
                raise RowsError(failed)
    return columns


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
            for vectors, what, advice in (
                (z, "the seed vector", "The model has drawn it so, before any shift"),
                (shifted, "the shifted seed vector", "Before the shift it has none"),
            ):
                magnitudes = drawn_images.magnitude(vectors).tolist()
                if failed := drawn_images.not_finite(magnitudes, rows, what, advice):
                    raise RowsError(failed)
        return shifted

    return shift
