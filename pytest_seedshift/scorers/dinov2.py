"""Embeddings of pictures by DINOv2, or another network of transformers that pools a picture into one vector."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

from pytest_seedshift.core.checkpoints import contents, repository
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.messages import first_line
from pytest_seedshift.scorers import devices, fingerprint, loading, transfers
from pytest_seedshift.scorers.base import check_finite, readable
from pytest_seedshift.scorers.preparation import Preparation

_WHAT = "a network of transformers that embeds pictures"


class Dinov2:
    """An `Embedder`: the network's `pooler_output`, of DINOv2 the class token behind its last norm."""

    def __init__(self, name: str, model: Any, processor: Any, fingerprint: str) -> None:
        """Wrap a model of transformers, on its device, and the image processor that belongs to it."""
        self.name = name
        self.fingerprint = fingerprint
        self._model = model
        self._prepare = Preparation(name, processor)

    @classmethod
    def load(cls, source: str, device: str) -> Dinov2:
        """Load from a folder, the cache or the hub; safetensors only, in float32 whatever the model's number type.

        Raises:
            WeightsNotFoundError: the weights are nowhere.
            ModelError: they cannot be loaded, are not all there, or not finite.
        """
        folder = repository.fetch(source, repository.CLASSIFIER_FILES)
        variant = contents.classifier(contents.OnDisk(folder)).variants.get("")
        with readable(source, _WHAT), loading.complete(source), loading.sealed(source):
            model = loading.network(AutoModel, folder, variant, torch.float32)
            processor = loading.image_processor(folder)
        transfers.place(model, device)
        check_finite(model, source)
        return cls(source, model.eval(), processor, fingerprint.of_dinov2(source))

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """See `Embedder.embed`.

        Raises:
            ModelError: the network has no vector of a whole picture.
        """
        try:
            found = self._model(pixel_values=self._prepare(images)["pixel_values"])
        except Exception as error:  # of whatever network that was named
            if devices.is_of_the_machine(error):
                raise
            raise ModelError(
                f"{self.name} does not embed pictures alone ({first_line(error)}): give {_WHAT}"
            ) from error
        pooled = getattr(found, "pooler_output", None)
        if not isinstance(pooled, Tensor):
            raise ModelError(f"{self.name}: a {type(self._model).__name__} has no `pooler_output`: give {_WHAT}")
        return functional.normalize(pooled.flatten(1).float(), dim=-1)
