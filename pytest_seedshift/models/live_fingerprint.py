"""What a pipeline in memory makes its images of, as a hash of values: two that are alike have the same one.

Nothing here asks where its weights came from, as a training may have changed them since. Every value counts that an
image can depend on: weights and buffers in their number types, networks' classes and settings, adapters with their
strengths, which of them are switched on, the scheduler's configuration, tokenizers with their vocabularies. What only
says where things lie, such as a device or a memory format, does not; nor does what a generation leaves behind.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from pytest_seedshift.core import fingerprint
from pytest_seedshift.models import live_hooks

if TYPE_CHECKING:
    from torch import Tensor

_TORCHS = frozenset(vars(nn.Module())) | {
    *("training", "forward", "gradient_checkpointing", "_gradient_checkpointing_func", "_old_forward", "_hf_hook"),
    *("_diffusers_hook", "_is_hf_initialized", "_compiled_call_impl"),
}
"""Attributes of networks that are torch's own, or of which the images know nothing."""

_PLACES = (
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "_diffusers_version",
    "transformers_version",
    "_use_default_values",
)
"""Keys of configurations that say where something is from."""

_SCHEDULES = ("betas", "alphas", "alphas_cumprod", "_shift")
"""What a scheduler makes of its configuration once; the rest of what it holds is of the last generation."""

_OF_A_CALL = ("truncation", "padding")
"""Of a tokenizer's state, what its last call has set."""

_NETWORKS = ("diffusers", "pytest_seedshift", "torch", "transformers")
"""Packages whose networks are determined by their configuration, weights, buffers and plain attributes."""

_UNDERSCORED = ("_attention_backend", "_internal_dict")
"""Of such networks the attributes with an underscore that images depend on; the second is a configuration."""

_DEPTH = 6
"""How deep objects are looked into that are neither networks nor configurations."""


def of_pipeline(pipeline: Any, call: Mapping[str, Any]) -> str:
    """The fingerprint of a pipeline as it is now.

    Args:
        pipeline: of diffusers.
        call: what every call of it is given.

    Raises:
        LiveError: its weights are not in memory, or something changes its images whose effect nobody can know.
    """
    made = _Digest()
    made.add(fingerprint.MAKING, list(fingerprint.versions("torch", "diffusers", "transformers")), dict(call))
    made.add(autocast())
    made.pipeline(pipeline)
    return made.hexdigest()


def autocast() -> list[tuple[str, torch.dtype]]:
    """The kinds of device for which autocast is on here, each with its number type."""
    kinds = ("cpu", "cuda", "mps", "xpu")
    return [(kind, torch.get_autocast_dtype(kind)) for kind in kinds if torch.is_autocast_enabled(kind)]


class _Digest:
    """A hash of values of any kind, in an order that depends on them alone."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._seen: dict[int, tuple[int, object]] = {}
        """By the id of what was met before, its number; the object itself, so that no other gets its id."""

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def add(self, *values: object, depth: int = 0) -> None:
        """Add values of any kind."""
        for value in values:
            self._value(value, depth)

    def pipeline(self, pipeline: Any) -> None:
        """Add a pipeline: its class, its configuration, its parts by name; those that it is made of count as parts."""
        parts = dict(pipeline.components)
        settings = {key: value for key, value in dict(pipeline.config).items() if key not in parts}
        self.add(type(pipeline).__qualname__, settings)
        for name in ("image_processor", "vae_scale_factor", "default_sample_size", "tokenizer_max_length"):
            parts.setdefault(name, vars(pipeline).get(name))
        for name, part in sorted(parts.items()):
            if name != "safety_checker":
                self.add(name)
                self._part(name, part)

    def _part(self, name: str, part: Any) -> None:
        if isinstance(part, nn.Module):
            self._network(part, name)
        elif hasattr(part, "set_timesteps"):
            self.add(type(part).__qualname__, dict(part.config))
            self.add({key: vars(part)[key] for key in _SCHEDULES if key in vars(part)})
        else:
            self._value(part, 0)

    def _network(self, network: nn.Module, where: str) -> None:
        """Add a network: module by module its class, weights, buffers and settings."""
        if self._known(network):
            return
        for name, module in network.named_modules():
            place = f"{where}.{name}" if name else where
            self.add(name, type(module).__qualname__, *live_hooks.describe(module, place))
            for kind in (module._parameters, module._buffers):
                for key, tensor in kind.items():
                    if key in module._non_persistent_buffers_set and _is_library(module):
                        continue  # made of the configuration, and by some networks anew for each length
                    self.add(key)
                    self._weights(tensor, f"{place}.{key}")
            for key, value in sorted(vars(module).items()):
                if key not in _TORCHS and key not in _PLACES and not _is_left_behind(module, key, value):
                    self.add(key, value, depth=1)

    def _weights(self, tensor: Tensor | None, where: str) -> None:
        if tensor is not None and tensor.is_meta:
            raise live_hooks.LiveError(
                f"{where} is not in memory (it is on torch's meta device, as sequential offloading leaves it): load "
                "the pipeline without enable_sequential_cpu_offload(); enable_model_cpu_offload() can be used"
            )
        self._value(tensor, 0)

    def _value(self, value: object, depth: int) -> None:
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes, enum.Enum, torch.dtype)):
            self._text(f"{type(value).__name__} {value!r}")
        elif isinstance(value, torch.device) or depth > _DEPTH:
            self._text(type(value).__name__)
        elif isinstance(value, (torch.Tensor, np.ndarray)):
            self._numbers(value)
        elif isinstance(value, Mapping):
            self._mapping(value, depth)
        elif isinstance(value, (list, tuple)):
            self._text(f"{len(value)} in order")
            self.add(*value, depth=depth + 1)
        elif isinstance(value, (set, frozenset)):
            self._text(repr(sorted(map(repr, value))))
        elif isinstance(value, nn.Module):
            self._network(value, type(value).__name__)
        else:
            self._object(value, depth)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> None:
        keys = sorted((key for key in value if key not in _PLACES), key=repr)
        self._text(f"{len(keys)} by key")
        for key in keys:
            self._text(repr(key))
            self._value(value[key], depth + 1)

    def _object(self, value: Any, depth: int) -> None:
        """Add an object by its class, or its name where it is a function, and by what it holds."""
        self._text(getattr(value, "__qualname__", type(value).__qualname__))
        if self._known(value):
            return
        if hasattr(value, "get_vocab"):
            self._tokenizer(value, depth)
        elif hasattr(value, "to_dict") and callable(value.to_dict):
            self.add(value.to_dict(), getattr(value, "_attn_implementation", None), depth=depth + 1)
        elif isinstance(getattr(value, "config", None), Mapping):
            self._value(value.config, depth + 1)
        elif not hasattr(value, "__qualname__"):  # no function and no class, of which only the name is taken
            held = getattr(value, "__dict__", {})
            self._value({key: each for key, each in held.items() if not _is_left_behind(value, key, each)}, depth + 1)

    def _tokenizer(self, value: Any, depth: int) -> None:
        inner: Any = getattr(value, "backend_tokenizer", None)
        if hasattr(inner, "to_str"):
            state = json.loads(inner.to_str())
            self._value({key: each for key, each in state.items() if key not in _OF_A_CALL}, depth)
        else:
            self._value(dict(value.get_vocab()), depth)
        self._value(
            [getattr(value, name, None) for name in ("model_max_length", "padding_side", "chat_template")], depth
        )

    def _numbers(self, value: Tensor | np.ndarray[Any, Any]) -> None:
        if self._known(value):
            return
        if isinstance(value, np.ndarray):
            self._text(f"array {value.dtype} {value.shape}")
            self._hash.update(np.ascontiguousarray(value).tobytes())
            return
        if hasattr(value, "__tensor_flatten__"):  # a quantised one, which is made of others
            names, how = value.__tensor_flatten__()
            self.add(type(value).__qualname__, str(how), *(getattr(value, name) for name in names))
            return
        self._text(f"tensor {value.dtype} {tuple(value.shape)}")
        plain = value.detach().cpu().contiguous().reshape(-1)
        if plain.numel():
            self._hash.update(plain.view(torch.uint8).numpy().data)
        if type(value) not in (torch.Tensor, nn.Parameter, nn.Buffer) and vars(value):  # what it is dequantised with
            self.add(type(value).__qualname__, vars(value))

    def _known(self, value: object) -> bool:
        """Whether something was met before: then its number is added."""
        if id(value) in self._seen:
            self._text(f"as before {self._seen[id(value)][0]}")
            return True
        self._seen[id(value)] = len(self._seen), value
        return False

    def _text(self, text: str) -> None:
        """Add a text with its length, so that no two sequences of texts are the same bytes."""
        data = text.encode(errors="surrogatepass")
        self._hash.update(len(data).to_bytes(8, "little") + data)


def _is_left_behind(owner: object, key: str, value: object) -> bool:
    """Whether an attribute may be of the last generation, or made of others: a cache, a table, a counter.

    Libraries that networks are of keep such in tensors that are no buffers, where nothing was before, and behind an
    underscore. Of all other classes, such as those of adapters and the user's own, every attribute counts.
    """
    if isinstance(value, nn.Module):
        return isinstance(owner, nn.Module)  # it is among the network's modules
    if not _is_library(owner):
        return False
    if key.startswith("_"):
        return key not in _UNDERSCORED
    several = value if isinstance(value, (list, tuple)) else [value]
    return any(each is None or isinstance(each, (torch.Tensor, np.ndarray)) for each in several)


def _is_library(owner: object) -> bool:
    return type(owner).__module__.partition(".")[0] in _NETWORKS
