"""The CLIP score by a dual encoder of transformers: CLIP, SigLIP 2, MetaCLIP 2, and whatever is tuned of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoTokenizer

from pytest_seedshift.core.checkpoints import contents, prompt_length
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.scorers import clip_sources, loading, transfers
from pytest_seedshift.scorers.base import LONGER, check_finite, readable
from pytest_seedshift.scorers.cosine import CosineScore
from pytest_seedshift.scorers.preparation import Preparation

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label

_WHAT = "a dual encoder of transformers"
_ROOM = 77


class DualEncoder(CosineScore):
    """The CLIP score by a network of transformers."""

    def __init__(self, name: str, model: Any, processor: Any, tokenizer: Any, fingerprint: str) -> None:
        """Wrap a model of transformers, on its device, with the image processor and the tokenizer that belong to it.

        Raises:
            ModelError: it does not embed pictures and texts, or wants pictures that cannot be made.
        """
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise ModelError(
                f"{name}: a {type(model).__name__} does not embed pictures and texts in one space, as CLIP, SigLIP and "
                "MetaCLIP do. Give one of these"
            )
        super().__init__(name, fingerprint)
        self._model = model
        self._prepare = Preparation(name, processor)
        self._tokenizer = tokenizer
        self._room = _room(model.config)

    @classmethod
    def load(cls, source: str, device: str) -> DualEncoder:
        """Load from a folder, the cache or the hub; safetensors only, in float32.

        Raises:
            WeightsNotFoundError: the weights are nowhere.
            ModelError: they cannot be loaded as a dual encoder, are not all there, or not finite.
        """
        found = clip_sources.find(source)
        folder = found.fetch()
        variant = contents.reader(contents.OnDisk(folder)).variants.get("")
        with readable(source, _WHAT), loading.complete(source), loading.sealed(source):
            model = loading.network(AutoModel, folder, variant, torch.float32)
            processor = loading.image_processor(folder)
            tokenizer = _tokenizer(folder)
        transfers.place(model, device)
        check_finite(model, source)
        return cls(source, model.eval(), processor, tokenizer, found.fingerprint())

    def check(self, labels: Sequence[Label]) -> None:
        """See `Scorer.check`: every prompt has to fit into the model's context."""
        for label in labels:
            check_read(self._tokenizer, label.prompt, self._room, self.name)

    def _embed_images(self, images: Tensor) -> Tensor:
        return _normalised(self._model.get_image_features(**self._prepare(images)))

    def _embed_prompt(self, prompt: str, device: torch.device) -> Tensor:
        check_read(self._tokenizer, prompt, self._room, self.name)
        # SigLIP was trained on texts that are filled up, and reads its answer off the last place; to those of the
        # others, which have a mask, the filling makes no difference.
        tokens = self._tokenizer([prompt], padding="max_length", max_length=self._room, return_tensors="pt")
        sent = {name: transfers.send(each, device) for name, each in tokens.items() if name != "token_type_ids"}
        return _normalised(self._model.get_text_features(**sent))[0]


def check_read(tokenizer: Any, prompt: str, room: int, name: str) -> None:
    """Make sure that a model reads a prompt to its end.

    Raises:
        ModelError: it has more tokens than are read.
    """
    used = len(tokenizer([prompt], truncation=False, verbose=False)["input_ids"][0])
    if used > room:
        raise ModelError(
            f"the prompt {prompt_length.shown(prompt)!r} has {used} tokens, more than the {room} that CLIP ({name}) "
            f"reads: it would be judged by its beginning alone. {LONGER}"
        )


def check_prompts(folder: Path, name: str, labels: Sequence[Label]) -> None:
    """Make sure that the model in a folder reads the prompts of labels to their ends, without loading its weights.

    Raises:
        ModelError: it does not, or cannot be read.
    """
    with readable(name, _WHAT), loading.complete(name), loading.sealed(name):
        room = _room(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False))
        if not prompt_length.may_be_longer(labels, room):
            return
        tokenizer = _tokenizer(folder)
    for label in labels:
        check_read(tokenizer, label.prompt, room, name)


def _room(config: Any) -> int:
    text = getattr(config, "text_config", None)
    return int(getattr(text, "max_position_embeddings", None) or _ROOM)


def _tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _normalised(features: Any) -> Tensor:
    """Features, (batch, width), each of length 1; transformers gives them bare or as the pooled ones of several."""
    found = features if isinstance(features, torch.Tensor) else features.pooler_output
    return functional.normalize(found, dim=-1)
