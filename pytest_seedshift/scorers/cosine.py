"""What every CLIP score has in common, whichever library has the network: cosines of pictures and their prompts."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from pytest_seedshift.core.pairs import Label


class CosineScore(ABC):
    """A `Scorer` of `clip`, and an `Embedder`: 100·max(cos(image, prompt), 0) (Hessel et al. 2021, arXiv 2104.08718).

    The factor is 100, as torchmetrics has it, not the article's 2.5. A prompt is embedded once.
    """

    def __init__(self, name: str, fingerprint: str) -> None:
        """`name` and `fingerprint` are those of a `Scorer`."""
        self.name = name
        self.fingerprint = fingerprint
        self._prompts: dict[str, Tensor] = {}
        self._last: tuple[weakref.ref[Tensor], Tensor] | None = None
        """The images that were scored last, and their embeddings."""

    @abstractmethod
    def _embed_images(self, images: Tensor) -> Tensor:
        """Embeddings of length 1, (batch, width), of images, (batch, 3, height, width) in [0, 1]."""

    @abstractmethod
    def _embed_prompt(self, prompt: str, device: torch.device) -> Tensor:
        """The embedding of length 1, (width,), of a prompt.

        Raises:
            ModelError: the prompt does not fit into the model's context.
        """

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`."""
        return {"clip": 100 * self.cosines(images, labels).clamp(min=0).float()}

    @torch.inference_mode()
    def cosines(self, images: Tensor, labels: Sequence[Label]) -> Tensor:
        """The cosine of each image and its label's prompt: float, (batch,), in [-1, 1]."""
        seen = self.embed(images)
        self._last = weakref.ref(images), seen
        asked = torch.stack([self._encode(label.prompt, images.device) for label in labels])
        return (seen * asked).sum(-1)

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """See `Embedder.embed`; images that were scored last are not seen again."""
        if self._last is not None and self._last[0]() is images:
            return self._last[1]
        return self._embed_images(images)

    def _encode(self, prompt: str, device: torch.device) -> Tensor:
        if prompt not in self._prompts:
            self._prompts[prompt] = self._embed_prompt(prompt, device)
        return self._prompts[prompt]
