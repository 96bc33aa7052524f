"""The toys' networks remember: what a network has once computed of some input it is not made to compute again.

Hundreds of runs in these tests generate the same few images. All of this package and all of diffusers runs in each of
them as ever: designs, draws, shifts, samplers, callbacks, scores, stores. Only the two functions that take the time, a
denoiser's and a decoder's, are recalled where the very same network was given the very same bits before. In evaluation
they are pure functions of their input; `test_recall.py` holds that.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import nn

ROOM = 256 * 2**20
"""Bytes of outputs that are remembered; the oldest are forgotten first."""


class Memory:
    """What networks have computed, by what they are and what they were given."""

    def __init__(self, room: int = ROOM) -> None:
        self.found: OrderedDict[bytes, Any] = OrderedDict()
        self.computed = 0
        self.recalled = 0
        self._room = room
        self._taken = 0
        self._asleep = 0
        self._networks: WeakKeyDictionary[nn.Module, tuple[int, bytes]] = WeakKeyDictionary()

    def around(self, native: Callable[..., Any]) -> Callable[..., Any]:
        """A network's forward with this memory."""

        @wraps(native)
        def forward(network: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._asleep or network.training or torch.is_grad_enabled():
                return native(network, *args, **kwargs)
            digest = hashlib.sha1(self._identity(network), usedforsecurity=False)
            _feed(digest, (args, kwargs))
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

    def _identity(self, network: nn.Module) -> bytes:
        """What makes it this network: its class, its configuration, every bit of its weights, their number type.

        They are read again where they have changed in place, which torch counts everywhere but in its inference mode.
        """
        weights = [*network.named_parameters(), *network.named_buffers()]
        version = sum(each._version for _, each in weights if not each.is_inference())
        known = self._networks.get(network)
        if known is None or known[0] != version:
            digest = hashlib.sha1(f"{type(network)} {getattr(network, 'config', '')}".encode(), usedforsecurity=False)
            _feed(digest, weights)
            known = self._networks[network] = version, digest.digest()
        return known[1]

    def _keep(self, key: bytes, output: Any) -> None:
        self.found[key] = _copy(output)
        self._taken += _size(output)
        while self._taken > self._room:
            _, oldest = self.found.popitem(last=False)
            self._taken -= _size(oldest)


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

    from pytest_seedshift.runner import batch_size

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_size, "find_batch_size", memory.timed(batch_size.find_batch_size))
        for kind in (UNet2DConditionModel, Decoder):
            patch.setattr(kind, "forward", memory.around(kind.forward))
        yield memory
