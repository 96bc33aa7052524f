"""Top-1 and top-5 accuracy by an image classifier of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from pytest_seedshift import identity, loading, weights

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.pairs import Label


class Classifier:
    """A `Scorer` of `top1` and `top5`, each 0 or 1 an image."""

    def __init__(self, model: Any, processor: Any, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._model = model
        self._processor = processor

    @classmethod
    def load(cls, source: str, device: str) -> Classifier:
        """Load from a folder, the cache or the hub; safetensors only, in float32 whatever the model's number type."""
        folder = weights.fetch(source, weights.CLASSIFIER_FILES)
        with loading.complete(source):
            model = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
        processor = AutoImageProcessor.from_pretrained(folder, backend="torchvision")
        return cls(model.to(device).eval(), processor, identity.of_classifier(source))

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`."""
        pixels = self._processor(images=images.float().clamp(0, 1), do_rescale=False, return_tensors="pt")
        ranking = self._model(pixels["pixel_values"]).logits.topk(5, dim=-1).indices
        hits = ranking == torch.tensor([label.index for label in labels], device=ranking.device).unsqueeze(-1)
        return {"top1": hits[:, 0].float(), "top5": hits.any(-1).float()}
