"""Top-1 and top-5 accuracy by an image classifier of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForImageClassification

from pytest_seedshift.core.checkpoints import contents, repository
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.scorers import class_mapping, fingerprint, loading, transfers
from pytest_seedshift.scorers.base import check_finite, readable
from pytest_seedshift.scorers.preparation import Preparation

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label


class Classifier:
    """A `Scorer` of `top1` and `top5`, each 0 or 1 an image."""

    def __init__(self, name: str, model: Any, processor: Any, fingerprint: str) -> None:
        """Wrap a classifier of transformers, on its device, and the image processor that belongs to it."""
        self.name = name
        self.fingerprint = fingerprint
        self._model = model
        self._processor = Preparation(name, processor)
        self._outputs: dict[Label, int] = {}

    @classmethod
    def load(cls, source: str, device: str) -> Classifier:
        """Load from a folder, the cache or the hub; safetensors only, in float32 whatever the model's number type.

        Raises:
            WeightsNotFoundError: the weights are nowhere.
            OSError: they cannot be loaded as a classifier.
            ModelError: files of it lack or are damaged, or its weights are not finite.
        """
        folder = repository.fetch(source, repository.CLASSIFIER_FILES)
        variant = contents.classifier(contents.OnDisk(folder)).variants.get("")
        with readable(source, "an image classifier of transformers"), loading.complete(source), loading.sealed(source):
            model = loading.network(AutoModelForImageClassification, folder, variant, torch.float32)
            processor = loading.image_processor(folder)
        transfers.place(model, device)
        check_finite(model, source)
        return cls(source, model.eval(), processor, fingerprint.of_classifier(source))

    def check(self, labels: Sequence[Label]) -> None:
        """See `Scorer.check`: every label has to be one of the classifier's classes."""
        without = next((label for label in labels if label.as_class is None), None)
        if without is not None:
            raise ModelError(f"{self.name}: the prompt {without.prompt!r} has no label, of which top-1 and top-5 are")
        self._outputs |= class_mapping.match(class_mapping.classes_of(labels), self._classes, self.name)

    @property
    def _classes(self) -> dict[int, str]:
        classes: dict[int, str] = self._model.config.id2label
        return classes

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Sequence[Label]) -> dict[str, Tensor]:
        """See `Scorer.score`."""
        outputs = self._outputs_of(labels)
        logits = self._model(self.see(images)).logits
        ranking = logits.topk(min(5, logits.shape[-1]), dim=-1).indices
        hits = ranking == transfers.send(outputs, ranking.device).unsqueeze(-1)
        unknown = logits.isfinite().all(-1).logical_not()  # NaN has a rank like any number
        scores = {"top1": hits[:, 0].float(), "top5": hits.any(-1).float()}
        return {name: values.masked_fill(unknown, torch.nan) for name, values in scores.items()}

    def gradients(self, seen: Tensor, labels: Sequence[Label]) -> Tensor:
        """How each label's logit depends on what the network sees.

        Args:
            seen: what `see` gives.
            labels: one an image.

        Returns:
            The gradients of the logits, of the shape of `seen`.

        Raises:
            ModelError: a label that it does not know, or a network that has no gradients, such as a quantised one.
        """
        with torch.inference_mode(False), torch.enable_grad():
            outputs = self._outputs_of(labels)
            seen = seen.detach().clone().requires_grad_()
            asked = self._model(seen).logits.gather(1, transfers.send(outputs, seen.device).unsqueeze(-1))
            if not asked.requires_grad:
                raise ModelError(
                    f"{self.name}: its logits have no gradient by the picture, so where in a picture it sees the label "
                    "cannot be computed. Use a classifier that is not quantised or frozen into another format"
                )
            (gradients,) = torch.autograd.grad(asked.sum(), seen)
        return gradients

    def see(self, images: Tensor) -> Tensor:
        """What the network sees of images: as its processor makes it of saved pictures."""
        return self._processor(images)["pixel_values"]

    def _outputs_of(self, labels: Sequence[Label]) -> Tensor:
        """The index of each label's output, (len(labels),)."""
        unchecked = tuple(dict.fromkeys(label for label in labels if label.as_class not in self._outputs))
        if unchecked:
            self.check(unchecked)
        return torch.tensor([self._outputs[of] for label in labels if (of := label.as_class) is not None])
