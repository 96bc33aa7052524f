"""The CLIP score by a model of open_clip."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from torchvision.transforms.v2 import functional as transforms

from pytest_seedshift.core.checkpoints import prompt_length, repository, trust
from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.scorers import clip_sources, fingerprint, loading, open_clip_tags, pillow_resize, transfers
from pytest_seedshift.scorers.base import LONGER, check_finite, check_prepared, readable
from pytest_seedshift.scorers.cosine import CosineScore

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Label
    from pytest_seedshift.scorers.dual_encoder import DualEncoder

_FILTERS: dict[str, pillow_resize.Filter] = {"bicubic": "bicubic", "bilinear": "bilinear", "random": "bicubic"}
"""By open_clip's `interpolation`, of which `random` is one for training only."""


def load(source: str, device: str) -> ClipScore | DualEncoder:
    """Load the model of a CLIP score with the library that its weights are of; see `clip_sources`.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
        ModelError: they cannot be loaded.
    """
    if not clip_sources.find(source).of_transformers:
        return ClipScore.load(source, device)
    from pytest_seedshift.scorers.dual_encoder import DualEncoder

    return DualEncoder.load(source, device)


_WIDEST = 64
"""How many times the model's window a prompt's length is measured in."""


class ClipScore(CosineScore):
    """The CLIP score by a network of open_clip."""

    def __init__(self, name: str, model: Any, tokenizer: Any, fingerprint: str) -> None:
        """Wrap a model of open_clip, on its device, and the tokenizer that belongs to it.

        Raises:
            ModelError: it wants its pictures prepared in a way that is not known here.
        """
        super().__init__(name, fingerprint)
        self._model = model
        self._tokenizer = tokenizer
        settings = open_clip.get_model_preprocess_cfg(model)
        size, interpolation = settings["size"], settings.get("interpolation") or "bicubic"
        self._height: int
        self._width: int
        self._height, self._width = (size, size) if isinstance(size, int) else size
        check_prepared(name, (self._height, self._width))
        self._squash = settings.get("resize_mode") == "squash"
        self._mean, self._std = settings["mean"], settings["std"]
        if not all(self._std):
            raise ModelError(
                f"{name}: its configuration has a standard deviation of 0 for a colour, by which it divides"
            )
        self._sent: dict[torch.device, tuple[Tensor, Tensor]] = {}
        known = self._squash or (self._height == self._width and settings.get("resize_mode") in ("shortest", None))
        if not known or interpolation not in _FILTERS:
            raise ModelError(
                f"{name}: its open_clip_config.json asks for pictures of {self._width}×{self._height}, resize_mode "
                f"{settings.get('resize_mode')!r} and interpolation {interpolation!r}, which cannot be made here. "
                "Known are shortest (for squares) and squash, bicubic and bilinear"
            )
        self._filter = _FILTERS[interpolation]

    @classmethod
    def load(cls, source: str, device: str) -> ClipScore:
        """Load from a folder in open_clip's format, the cache or the hub; safetensors only, in float32.

        Args:
            source: a folder, a hub id or a tag; see `open_clip_tags.repository`.
            device: where it is to work.

        Raises:
            WeightsNotFoundError: the weights are nowhere.
            OSError: they cannot be loaded as a model of open_clip.
            ModelError: they are not finite, or the tag is unknown.
        """
        place = open_clip_tags.repository(source)
        folder = repository.fetch(place, repository.CLIP_FILES)
        _check_there(folder, source)
        with readable(source, "a model of open_clip"), loading.sealed(source):
            _check_size(folder, source)
            # Without `require_pretrained` open_clip goes on with random weights where it finds none.
            model = open_clip.create_model(
                f"local-dir:{folder}", precision="fp32", device="cpu", require_pretrained=True, weights_only=True
            )
            tokenizer = _tokenizer(folder)
        transfers.place(model, device)
        check_finite(model, source)
        return cls(source, model.eval(), tokenizer, fingerprint.of_clip(place))

    @torch.inference_mode()
    def check(self, labels: Sequence[Label]) -> None:
        """See `Scorer.check`: every prompt has to fit into the model's context."""
        device = self._model.logit_scale.device
        for label in labels:
            self._encode(label.prompt, device)

    def _embed_images(self, images: Tensor) -> Tensor:
        embedded: Tensor = self._model.encode_image(self._see(images), normalize=True)
        return embedded

    def _see(self, images: Tensor) -> Tensor:
        """What the network sees of images: as open_clip makes it of saved pictures."""
        images = pillow_resize.as_bytes(images)
        if self._squash:
            images = pillow_resize.resize(images, self._height, self._width, self._filter)
        else:
            images = pillow_resize.resize(images, *pillow_resize.shortest_side(images, self._height), self._filter)
            images = transforms.center_crop(images, [self._height, self._width])
        mean, std = self._statistics(images.device)
        return (images.float() / 255).sub_(mean).div_(std)

    def _statistics(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each colour, (3, 1, 1), where the images are; they are sent there once."""
        if device not in self._sent:
            both = torch.tensor([self._mean, self._std])[..., None, None]
            mean, std = transfers.send(both, device)
            self._sent[device] = mean, std
        return self._sent[device]

    def _embed_prompt(self, prompt: str, device: torch.device) -> Tensor:
        tokens = self._tokenizer([prompt])
        check_read(self._tokenizer, prompt, self.name)
        embedded: Tensor = self._model.encode_text(transfers.send(tokens, device), normalize=True)[0]
        return embedded


def check_read(tokenizer: Any, prompt: str, name: str) -> None:
    """Make sure that a CLIP model reads a prompt to its end.

    Args:
        tokenizer: open_clip's.
        prompt: the text.
        name: of the model, for the error.

    Raises:
        ModelError: it has more tokens than are read.
    """
    room, used = tokenizer([prompt]).shape[-1], _length(tokenizer, prompt)
    if used > room:
        raise ModelError(
            f"the prompt {prompt_length.shown(prompt)!r} has {used} tokens, more than the {room} that CLIP ({name}) "
            f"reads: it would be judged by its beginning alone. Give the label a shorter name. {LONGER}"
        )


def check_prompts(folder: Path, name: str, labels: Sequence[Label]) -> None:
    """Make sure that the model in a folder reads the prompts of labels to their ends, without loading it.

    Raises:
        ModelError: it does not.
    """
    with readable(name, "a model of open_clip"), loading.sealed(name):
        tokenizer = _tokenizer(folder)
    for label in labels:
        check_read(tokenizer, label.prompt, name)


def _length(tokenizer: Any, prompt: str) -> int:
    """How many tokens a prompt has, the marks of its beginning and its end among them.

    Tokenizers cut what is too long in silence and fill what is short, some with the mark of the end itself. So the
    window is widened until it ends in filling.
    """
    room = tokenizer([prompt]).shape[-1]
    end = tokenizer([" ".join([prompt] * room)])[0, -1]  # whatever is cut has it last
    window, filling = int(room), 0
    while filling < 2 and window < _WIDEST * room:
        window *= 2
        tokens = tokenizer([prompt], context_length=window)[0]
        filling = int((tokens == tokens[-1]).flip(0).cumprod(0).sum())
    return window - filling + (1 if tokens[-1] == end else 0)


def _tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder, or open_clip's own where the folder names none."""
    text: dict[str, Any] = open_clip.get_model_config(f"local-dir:{folder}").get("text_cfg", {})
    if text.get("hf_tokenizer_name"):
        return open_clip.get_tokenizer(f"local-dir:{folder}", trust_remote_code=False)
    settings = text.get("tokenizer_kwargs") or {}
    return open_clip.SimpleTokenizer(
        context_length=text.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH), **settings
    )


def _check_size(folder: Path, source: str) -> None:
    """Make sure that a network has weights for its numbers: open_clip fills memory with it before it looks for them.

    Raises:
        OSError: it has more numbers than its weights have bytes.
    """
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # of a network without weights, which is what is wanted here
    try:
        with torch.device("meta"):
            model = open_clip.create_model(f"local-dir:{folder}", device="meta", load_weights=False, weights_only=True)
        numbers = sum(each.numel() for each in model.parameters())
    except Exception:  # what cannot be made so, such as networks that look at their numbers at once, is tried as it is
        return
    finally:
        logging.disable(before)
    there = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if numbers > there:
        raise ModelError(
            f"{source}: {trust.CLIP_CONFIG} describes a network of {numbers:,} numbers, and its weights have "
            f"{there:,} bytes. Get both files from the same repository"
        )


def _check_there(folder: Path, source: str) -> None:
    """Make sure that there are weights in a folder.

    Raises:
        OSError: there are none.
    """
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{source}: there is no {trust.CLIP_WEIGHTS[0]} in {folder}, no weights at all. Take a repository that has "
            "them"
        )
