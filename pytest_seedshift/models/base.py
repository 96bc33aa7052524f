"""What is known of a text-to-image model before it is loaded, and what the engine asks of it then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pytest_seedshift import scorers

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.pairs import Pair

ShiftFunction: TypeAlias = "Callable[[Tensor, Sequence[Pair]], Tensor]"
"""Shifts the seed vectors of some pairs, (batch, channels, height, width): the same shape, dtype and device."""

OnStep: TypeAlias = "Callable[[int, Tensor], None]"
"""Called after every denoising step with its index (0, 1, …) and the state, one row a pair."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a model before it is loaded.

    `steps` and `guidance` are None where the pipeline's own defaults hold. `classes` names the class list whose labels
    it is asked for, `classifier` and `clip` are the sources of the scorers' weights.
    """

    name: str
    source: str
    steps: int | None = None
    guidance: float | None = None
    classes: str = "imagenet100"
    classifier: str = scorers.DEFAULT_CLASSIFIER
    clip: str = scorers.DEFAULT_CLIP


class TextToImage(Protocol):
    """A text-to-image model, ready to generate."""

    @property
    def name(self) -> str:
        """The model as the user wrote it."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that can change an image: weights, scheduler, steps, guidance, number type."""

    @property
    def seed_shape(self) -> tuple[int, int, int]:
        """The shape of one seed vector: channels, height, width."""

    def generate(
        self, pairs: Sequence[Pair], shift: ShiftFunction | None = None, on_step: OnStep | None = None
    ) -> Tensor:
        """One image for each pair.

        The seed vectors and every later draw of the sampler are keyed by the pair alone, so an image depends neither
        on the batch that it is in nor on what was generated before.

        Args:
            pairs: prompts and seed indices, at least one.
            shift: applied to the seed vectors, in float32 on the CPU, before the scheduler's own scaling.
            on_step: see `OnStep`.

        Returns:
            Float, (len(pairs), 3, height, width), in [0, 1], on the model's device.
        """
