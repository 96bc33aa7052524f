"""Pictures of given seed vectors, with their scores, and how many were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import Case
from pytest_seedshift.models import drawing
from pytest_seedshift.runner.generate import Engine

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import Axes, OnStep, ShiftFunction, TextToImage

_RIGHT = "top1"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what scorers say of it.

    Attributes:
        score: the one that is searched by.
        right: whether the classifier sees the label; None where none was asked.
        levels: uint8, (3, height, width), on the CPU.
    """

    score: float
    right: bool | None
    levels: Tensor


class Painter:
    """Makes pictures of seed vectors.

    Attributes:
        made: how many pictures so far.
    """

    def __init__(self, engine: Engine, score: str) -> None:
        """Make them with a model and its scorers, of which one gives the score that is searched by."""
        self.made = 0
        self._score = score
        self._model = _Given(engine.model)
        self._engine = Engine(self._model, engine.scorers, engine.batch_size, overlap=False, device=engine.device)

    def own(self, pairs: Sequence[Pair]) -> tuple[list[Picture], list[Tensor]]:
        """The pictures of pairs as they are, and their seed vectors, each (channels, height, width).

        Raises:
            CaseError: they cannot be made or scored.
        """
        self._model.vectors, self._model.seen = None, {}
        pictures = self._pictures(pairs)
        return pictures, [self._model.seen[pair].clone() for pair in pairs]

    def paint(self, pairs: Sequence[Pair], vectors: Sequence[Tensor]) -> list[Picture]:
        """The pictures of pairs, all different, with other seed vectors.

        Raises:
            CaseError: they cannot be made or scored.
        """
        self._model.vectors = dict(zip(pairs, vectors, strict=True))
        return self._pictures(pairs)

    def _pictures(self, pairs: Sequence[Pair]) -> list[Picture]:
        found: list[Picture] = []
        for batch in self._engine.run(Case(self._model.name), pairs):
            assert batch.levels is not None
            for levels, scores in zip(batch.levels, batch.scores, strict=True):
                merged = {name: value for each in scores for name, value in each.items()}
                right = bool(merged[_RIGHT]) if _RIGHT in merged else None
                found.append(Picture(merged[self._score], right, levels.clone()))
        self.made += len(found)
        return found


class _Given:
    """A model that draws given seed vectors in place of its own; see `TextToImage`.

    Attributes:
        vectors: of pairs; None where each is to have its own.
        seen: of pairs, the seed vectors that were drawn.
    """

    def __init__(self, model: TextToImage) -> None:
        self._model = model
        self.vectors: Mapping[Pair, Tensor] | None = None
        self.seen: dict[Pair, Tensor] = {}

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    @property
    def seed_shape(self) -> tuple[int, ...]:
        return self._model.seed_shape

    @property
    def seed_axes(self) -> Axes:
        return self._model.seed_axes

    def generate(self, pairs: Sequence[Pair], _: ShiftFunction | None = None, on_step: OnStep | None = None) -> Tensor:
        return drawing.generate(self._model, pairs, self._replaced, on_step)

    def _replaced(self, z: Tensor, pairs: Sequence[Pair]) -> Tensor:
        made = z.clone()
        for row, pair in enumerate(pairs):
            given = self.seen.setdefault(pair, z[row].clone()) if self.vectors is None else self.vectors[pair]
            if given.shape == z.shape[1:]:  # the noise of a second stage, which comes after z, stays as it is
                made[row] = given
        return made
