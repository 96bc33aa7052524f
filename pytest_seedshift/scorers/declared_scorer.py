"""What a declared scorer computes with, loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core import fingerprint
from pytest_seedshift.core.checkpoints import hashing
from pytest_seedshift.scorers import clip_sources, prompt_checks

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.scorers.clip import ClipScore
    from pytest_seedshift.scorers.declaration import Declared
    from pytest_seedshift.scorers.dual_encoder import DualEncoder
    from pytest_seedshift.scorers.vqa import Answers


class DeclaredScorer:
    """A `Scorer` of one score."""

    def __init__(self, declared: Declared, device: str) -> None:
        """Know what it is; nothing is loaded."""
        self.name = declared.source
        self._declared = declared
        self._device = device

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that can change a score; the weights are not loaded for it.

        Raises:
            WeightsNotFoundError: they are nowhere.
        """
        if self._declared.how == "clip":
            print_ = clip_sources.find(self._declared.source).fingerprint()
            return fingerprint.of_own("scorer", print_, self._declared.name, *self._settings)
        libraries = fingerprint.versions("torch", "torchvision", "transformers")
        return self._hashed(fingerprint.MAKING, *libraries)

    @cached_property
    def given(self) -> str:
        """A hash of the weights and of the settings alone, of whatever version the libraries are."""
        return self._hashed()

    def _hashed(self, *more: object) -> str:
        folder = self._declared.fetch()
        is_open_clip = self._declared.how == "clip" and not clip_sources.find(self._declared.source).of_transformers
        also = [] if is_open_clip else clip_sources.texts(folder)
        return hashing.fingerprint(folder, self._declared.name, *self._settings, *more, also=also)

    @property
    def _settings(self) -> tuple[object, ...]:
        declared = self._declared
        if declared.how == "clip":
            return declared.how, declared.low
        return declared.how, declared.question if declared.how == "vqa" else declared.every, declared.dtype

    def load(self) -> None:
        """Load the weights, if they are not.

        Raises:
            ModelError: they cannot be.
        """
        _ = self._encoder if self._declared.how == "clip" else self._answers

    def check(self, labels: Sequence[Label]) -> None:
        """See `Scorer.check`."""
        prompt_checks.of_declared(self._declared, labels)

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`.

        Raises:
            ModelError: a prompt that it does not read to its end, or that has no questions.
        """
        declared = self._declared
        if declared.how == "clip":
            values = 100 * self._encoder.cosines(images, labels).clamp(min=declared.low / 100)
        elif declared.how == "vqa":
            values = self._answers.probabilities(
                images, [declared.question.format(prompt=each.prompt) for each in labels]
            )
        else:
            values = self._answers.shares(images, labels, every=declared.every)
        return {declared.name: values.float()}

    @cached_property
    def _encoder(self) -> ClipScore | DualEncoder:
        from pytest_seedshift.scorers import clip

        return clip.load(self._declared.source, self._device)

    @cached_property
    def _answers(self) -> Answers:
        from pytest_seedshift.scorers import vqa

        return vqa.load(self._declared.source, self._device, self._declared.dtype)
