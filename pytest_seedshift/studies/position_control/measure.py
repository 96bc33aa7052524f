"""Where the evidence for the label is in the pictures of a case: looked up before it is measured, and before that made.

A position is kept in the store like a score, under a fingerprint of its own. Pictures that were kept are measured as
they are; the others are made as every sample is, so that a run that judges the case finds its samples there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.cases import CaseError, judging, judging_case
from pytest_seedshift.models.needed_scorers import CLASSIFIER
from pytest_seedshift.results.sample_rows import ScoreKey
from pytest_seedshift.runner.batch_choice import in_whole_batches
from pytest_seedshift.runner.finishing import finish
from pytest_seedshift.runner.kept_pictures import strip
from pytest_seedshift.runner.overlap import overlapped
from pytest_seedshift.runner.samples import Samples
from pytest_seedshift.runner.work import NONE, Work
from pytest_seedshift.scorers import fingerprint
from pytest_seedshift.scorers.evidence_position import Position

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import Axes
    from pytest_seedshift.runner.generate import Batch
    from pytest_seedshift.runner.workbench import Workbench

_AT_ONCE = 64
"""How many kept pictures are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a pair's picture shows its label; without evidence `x` and `y` are NaN. See `scorers.evidence_position`."""

    pair: Pair
    x: float
    y: float
    right: bool
    """Whether top-1 is the label."""
    picture: Path | None = None

    @property
    def is_somewhere(self) -> bool:
        """Whether there is any evidence."""
        return math.isfinite(self.x)


class Locator:
    """Finds positions in the pictures of one model."""

    def __init__(self, bench: Workbench, model: str, scorer: Callable[[], Position] | None = None) -> None:
        """Use a model's own classifier, or what `scorer` makes, which must have its fingerprint.

        Raises:
            CaseError: the weights or the store cannot be read.
        """
        self._bench = bench
        self._model = model
        self._made: Position | None = None
        self._scorer = scorer or self._load
        self._samples = bench.samples(model)
        with judging(f"{model}: where its pictures show a label cannot be measured"):
            self._fingerprint = fingerprint.of_position(bench.catalogue.find(model).classifier)
        self._positions = Samples(bench.service.store, bench.folder, self._samples.model, [self._fingerprint])

    def locate(self, case: Case, design: Sequence[Pair]) -> tuple[list[Placed], Work]:
        """The positions in a case's pictures of all pairs of a design, in their order; and what was generated for them.

        Raises:
            CaseError: a sample cannot be made, or the classifier has no gradients.
        """
        shown = frozenset(strip(design))
        work = NONE
        with judging_case(case):
            missing = self._missing(case, design, shown)
            if missing:
                self._measure_kept(case, missing)
                missing = self._missing(case, design, shown)
            if missing:
                model = self._bench.model(case.model)
                check_axes(case.model, model.seed_shape, model.seed_axes)
                position = self.scorer  # before the samples, which take longer
                work = self._make(case, self._batches(case, design, missing), shown, position)
            return self._read(case, design, shown), work

    @property
    def scorer(self) -> Position:
        """What measures.

        Raises:
            CaseError: it cannot be loaded, or has no gradients.
        """
        if self._made is None:
            with judging(self._model):
                self._made = self._scorer()
        return self._made

    def _load(self) -> Position:
        return Position(self._bench.pool.scorers.shipped(self._model, CLASSIFIER), self._fingerprint)

    def _missing(self, case: Case, design: Sequence[Pair], shown: frozenset[Pair]) -> list[Pair]:
        """Pairs without a position, without scores, or without a picture that is to be shown."""
        placed = self._positions.find(case, design, shown)
        scored = self._samples.find(case, design)
        return [pair for pair in design if pair not in placed or pair not in scored]

    def _batches(self, case: Case, design: Sequence[Pair], missing: Sequence[Pair]) -> list[Pair]:
        """What to make: the control in whole batches of its design, as everybody makes it; see `Scheduler`."""
        if not case.is_control:
            return list(missing)
        return in_whole_batches(design, self._bench.service.engine(case.model).batch_size, missing)

    def _measure_kept(self, case: Case, pairs: Sequence[Pair]) -> None:
        kept = self._positions.pictures(case, pairs)
        scored = self._samples.find(case, kept)
        loaded = {pair: self._bench.folder.load_picture(kept[pair]) for pair in scored}
        whole = {pair: torch.from_numpy(image) for pair, image in loaded.items() if image is not None}
        for start in range(0, len(whole), _AT_ONCE):
            chunk = list(whole)[start : start + _AT_ONCE]
            self._write(case, chunk, torch.stack([whole[pair] for pair in chunk]).to(self._bench.device), self.scorer)

    def _make(self, case: Case, pairs: Sequence[Pair], shown: frozenset[Pair], position: Position) -> Work:
        """Make samples whether they exist or not, as every sample is made, and measure their pictures.

        Scores that exist stay as they are.
        """
        service = self._bench.service
        engine = service.engine(case.model)

        def keep(batch: Batch) -> int:
            service.keep(finish(batch), shown)
            self._write(case, batch.pairs, batch.images, position)
            return len(batch.pairs)

        with service.folder.lock(case.id):
            start = time.perf_counter()
            batches = engine.run_rows(service.rows(case, pairs, shown))
            return Work(sum(overlapped(batches, keep, overlap=service.pool.overlaps)), time.perf_counter() - start)

    def _write(self, case: Case, pairs: Sequence[Pair], images: Tensor, position: Position) -> None:
        """Measure and keep, beside the other scores; what there is no value for is left out: JSON knows no NaN."""
        columns = position.score(images, [pair.label for pair in pairs])
        rows = [
            {name: float(values[row]) for name, values in columns.items() if bool(values[row].isfinite())}
            for row in range(len(pairs))
        ]
        names = [self._samples.picture_name(case, pair) for pair in pairs]
        keys = [ScoreKey(name, self._fingerprint, pair.label.answer) for name, pair in zip(names, pairs, strict=True)]
        self._bench.service.store.add([], {key: row for key, row in zip(keys, rows, strict=True) if row})

    def _read(self, case: Case, design: Sequence[Pair], shown: frozenset[Pair]) -> list[Placed]:
        placed, scored = self._positions.find(case, design, shown), self._samples.find(case, design)
        lacking = [pair for pair in design if pair not in placed or pair not in scored]
        if lacking:
            raise CaseError(
                f"{case.model}, {case.describe()}: the classifier gives no finite evidence for {lacking[0]}: there is "
                "NaN or Inf in its gradients. Take another classifier"
            )
        found = []
        for pair in design:
            values = placed[pair].scores
            x, y = values.get("position_x", math.nan), values.get("position_y", math.nan)
            found.append(Placed(pair, x, y, scored[pair].scores["top1"] == 1, placed[pair].picture))
        return found


def check_axes(model: str, shape: Sequence[int], axes: Axes) -> None:
    """Make sure that a seed vector has rows and columns of a picture.

    Args:
        model: its name, for the error.
        shape: of one seed vector.
        axes: which of them are what.

    Raises:
        CaseError: it has none.
    """
    sides = [shape[axis] if axis < len(shape) else 1 for axis in (axes.height, axes.width)]
    if len(shape) < 3 or min(sides) < 2:
        raise CaseError(
            f"{model}: its seed vector, {'×'.join(map(str, shape))}, has no rows and columns of a picture, so no shift "
            "of it has a direction. Take a model whose seed vector is laid out as its picture is"
        )
