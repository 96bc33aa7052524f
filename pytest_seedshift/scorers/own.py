"""Scorers of the user's own, by a factory: see `hookspecs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pytest_seedshift import extensions, identity

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.pairs import Label
    from pytest_seedshift.scorers.base import Scorer


class OwnScorer:
    """A `Scorer` of the user's own, held to giving its one score."""

    def __init__(self, extension: extensions.Extension, scorer: Scorer) -> None:
        """Wrap what the factory has made."""
        self._owner = str(extension)
        self._score = extension.name
        self._scorer = scorer
        self.given = scorer.fingerprint
        """The fingerprint that it gives itself; it does not depend on any library's version."""
        self.fingerprint = identity.of_own("scorer", scorer.fingerprint, extension.name)

    @classmethod
    def load(cls, score: str, device: str) -> OwnScorer:
        """Make the scorer of a score.

        Raises:
            ExtensionError: there is none, or its factory raises or makes no `Scorer`.
        """
        found = extensions.current().scorers.find(score)
        if found is None:
            raise extensions.ExtensionError(f"there is no scorer of the score {score!r}")
        return cls(found, found.make(device, needs=("fingerprint", "check", "score"), what="Scorer"))

    def check(self, labels: Sequence[Label]) -> None:
        """See `Scorer.check`."""
        self._scorer.check(labels)

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`.

        Raises:
            ValueError: what the scorer gives is not one value an image of its score.
        """
        found = self._scorer.score(images, labels)
        values = found.get(self._score) if isinstance(found, dict) and len(found) == 1 else None
        if not isinstance(values, torch.Tensor) or tuple(values.shape) != (len(labels),):
            raise ValueError(
                f"{self._owner} gave {found!r}: give {{{self._score!r}: a tensor of shape ({len(labels)},)}}"
            )
        return {self._score: values.float()}
