"""The toys remember: each is loaded once, and what a network has computed of some input it does not compute again.

Hundreds of runs in these tests generate the same few images. All of this package and all of diffusers runs in each of
them as ever: designs, draws, shifts, samplers, callbacks, scores, stores. Only what takes the time is recalled: the
outputs of denoisers, decoders and scorers' networks, where the very same network was given the very same bits before;
the shipped models and scorers themselves, where they are loaded for the same entry, device and number type; and the
curves of a page, where the same points were drawn before. In evaluation networks are pure functions of their input, and
a curve is one of its points; `test_recall.py` holds that.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import nn

import pytest_seedshift

PACKAGE = Path(pytest_seedshift.__file__).parent
ROOM = 256 * 2**20
"""Bytes of outputs that are remembered; the oldest are forgotten first."""
MODELS = 24
"""How many loaded models and scorers are remembered."""
FIGURES = 500
"""How many figures are remembered, of some 10 kB each."""


class Memory:
    """What networks have computed, by what they are and what they were given."""

    def __init__(self, room: int = ROOM) -> None:
        self.found: OrderedDict[bytes, Any] = OrderedDict()
        self.computed = 0
        self.recalled = 0
        self._room = room
        self._taken = 0
        self._asleep = 0
        self.loaded: OrderedDict[str, Any] = OrderedDict()
        self.drawn: OrderedDict[str, Any] = OrderedDict()
        self._networks: WeakKeyDictionary[nn.Module, tuple[list[torch.Tensor], int, bytes]] = WeakKeyDictionary()

    def around(self, native: Callable[..., Any]) -> Callable[..., Any]:
        """A network's forward, or another function of it, with this memory."""

        @wraps(native)
        def forward(network: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._asleep or network.training or torch.is_grad_enabled():
                return native(network, *args, **kwargs)
            digest = hashlib.sha1(self._identity(network), usedforsecurity=False)
            _feed(digest, (native.__qualname__, args, kwargs))
            key = digest.digest()
            if key in self.found:
                self.recalled += 1
                self.found.move_to_end(key)
                return _copy(self.found[key])
            self.computed += 1
            output = native(network, *args, **kwargs)
            self._keep(key, output)
            return output

        return forward

    def timed(self, native: Callable[..., int]) -> Callable[..., int]:
        """A function of a model and a design that runs without this memory, once for each."""
        sizes: dict[tuple[str, int], int] = {}

        @wraps(native)
        def once(model: Any, design: Any) -> int:
            key = model.fingerprint, len(design)
            if key not in sizes:
                self._asleep += 1
                try:
                    sizes[key] = native(model, design)
                finally:
                    self._asleep -= 1
            return sizes[key]

        return once

    def once(self, native: Callable[..., Any]) -> Callable[..., Any]:
        """A function that loads a model or a scorer, each of the shipped ones once for the same arguments."""

        @wraps(native)
        def load(what: Any, *where: str) -> Any:
            if not _is_shipped(what):
                return native(what, *where)
            key = f"{native.__qualname__} {what!r} {where}"
            if key not in self.loaded:
                self.loaded[key] = native(what, *where)
                if len(self.loaded) > MODELS:
                    self.loaded.popitem(last=False)
            return self.loaded[key]

        return load

    def drawing(self, native: Callable[..., Any], told: Callable[..., str] = "{!r} {!r}".format) -> Callable[..., Any]:
        """A function that draws a figure of values of which `told`, given both kinds of arguments, says all."""

        @wraps(native)
        def draw(*args: Any, **kwargs: Any) -> Any:
            key = f"{native.__qualname__} {told(args, kwargs)}"
            if key not in self.drawn:
                self.drawn[key] = native(*args, **kwargs)
                if len(self.drawn) > FIGURES:
                    self.drawn.popitem(last=False)
            return self.drawn[key]

        return draw

    def _identity(self, network: nn.Module) -> bytes:
        """What makes it this network: its class, its configuration, every bit of its weights, their number type.

        They are read again where they have changed in place, which torch counts everywhere but in its inference mode.
        """
        known = self._networks.get(network)
        if known is None or known[1] != _version(known[0]):
            weights = [*network.named_parameters(), *network.named_buffers()]
            told = f"{type(network)} {getattr(network, 'config', '')} {network}"
            digest = hashlib.sha1(told.encode(), usedforsecurity=False)
            _feed(digest, weights)
            tensors = [each for _, each in weights if not each.is_inference()]
            known = self._networks[network] = tensors, _version(tensors), digest.digest()
        return known[2]

    def _keep(self, key: bytes, output: Any) -> None:
        self.found[key] = _copy(output)
        self._taken += _size(output)
        while self._taken > self._room:
            _, oldest = self.found.popitem(last=False)
            self._taken -= _size(oldest)


def _version(tensors: list[torch.Tensor]) -> int:
    return sum(each._version for each in tensors)


def _is_shipped(what: Any) -> bool:
    """Whether an entry, or a scorer's source, names files of this package alone, which nothing changes."""
    sources = (what,) if isinstance(what, str) else (*what.pipeline, *(folder for _, folder in what.parts))
    return all(Path(each).is_relative_to(PACKAGE) for each in sources)


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        digest.update(f"{value.dtype} {tuple(value.shape)} {value.stride()} {value.device}".encode())
        digest.update(value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy())
    elif isinstance(value, dict):
        _feed(digest, list(value.items()))
    elif isinstance(value, (list, tuple)):
        digest.update(f"{type(value)} {len(value)}".encode())
        for each in value:
            _feed(digest, each)
    else:
        digest.update(f"{value!r};".encode())


def _copy(output: Any) -> Any:
    """A copy that its taker may write into."""
    if isinstance(output, torch.Tensor):
        return output.clone()
    if isinstance(output, tuple):
        return tuple(map(_copy, output))
    return type(output)(**{name: _copy(value) for name, value in output.items()})


def _told_of_records(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Of a figure of records all but what their images have cost, and what is said of them in words."""
    records, *more = args
    told = [record.model_dump(exclude={"generated", "seconds", "reason"}) for record in records]
    return f"{told!r} {more!r} {kwargs!r}"


def _size(output: Any) -> int:
    if isinstance(output, torch.Tensor):
        return output.numel() * output.element_size()
    return sum(map(_size, output if isinstance(output, tuple) else output.values()))


@contextmanager
def recalling(memory: Memory) -> Iterator[Memory]:
    """Let the networks of this process use a memory for a while.

    Where they are timed they do not; but each is timed once only, so that its batches are of one size in all runs.
    """
    from diffusers import UNet2DConditionModel
    from diffusers.models.autoencoders.vae import Decoder
    from open_clip import CLIP
    from transformers import ViTForImageClassification

    from pytest_seedshift.models import load
    from pytest_seedshift.reporting import plots as figures
    from pytest_seedshift.reporting.page import plots
    from pytest_seedshift.runner import batch_size
    from pytest_seedshift.scorers.classifier import Classifier
    from pytest_seedshift.scorers.clip import ClipScore

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_size, "find_batch_size", memory.timed(batch_size.find_batch_size))
        patch.setattr(load, "load", memory.once(load.load))
        for scorer in (Classifier, ClipScore):
            patch.setattr(scorer, "load", staticmethod(memory.once(scorer.load)))
        for kind in (UNet2DConditionModel, Decoder, ViTForImageClassification):
            patch.setattr(kind, "forward", memory.around(kind.forward))
        for name in ("encode_image", "encode_text"):
            patch.setattr(CLIP, name, memory.around(getattr(CLIP, name)))
        for name in ("panel", "key", "bound_key"):
            patch.setattr(plots, name, memory.drawing(getattr(plots, name)))
        whole = memory.drawing(figures.scores_by_magnitude, _told_of_records)
        patch.setattr(figures, "scores_by_magnitude", whole)
        yield memory
