"""What the engine asks of a scorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.pairs import Label


class Scorer(Protocol):
    """Scores images against the labels that they should show."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that can change a score."""

    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """One value for each image and score.

        Args:
            images: float, (batch, 3, height, width), in [0, 1].
            labels: what each image should show.

        Returns:
            By score (`top1`, `top5`, `clip`), float32 tensors of shape (batch,).
        """
