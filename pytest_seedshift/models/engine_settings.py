"""How a model is run, apart from how it is sampled: adapters, quantisation, caches, attention, compilation, and so on.

Plain values, read while tests are collected; what they do to a pipeline is in `engine`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pytest_seedshift.core.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter that is loaded into a pipeline: a `.safetensors` file, a folder or a hub id, and its weight."""

    source: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Quantization:
    """Weights that are quantised while they are loaded.

    Attributes:
        backend: by its name in diffusers, such as `torchao` or `bitsandbytes_4bit`.
        options: of its configuration. Of torchao `quant_type` is the name of one of its configuration classes.
        parts: of the pipeline; empty for those that denoise.
    """

    backend: str
    options: tuple[tuple[str, Any], ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache of diffusers: its method, a name of `model_names.CACHES`, and options of its configuration."""

    method: str
    options: tuple[tuple[str, Any], ...] = ()


_BY_CONTENT = ("dtype", "loras", "latents")
"""What a fingerprint has otherwise than as it stands."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a model is run; what is at its default is left to the pipeline.

    Attributes:
        dtype: the number type, whatever is asked for otherwise.
        loras: adapters, in the order of their sources.
        quantization: of its weights.
        cache: of what its network computes.
        attention: the attention backend of diffusers.
        compile: the mode of `torch.compile`, for the network that denoises.
        tiling: whether pictures are decoded in tiles.
        slicing: whether pictures are decoded one by one.
        channels_last: whether all parts have that memory format; those that are convolutional have it anyway.
        latents: a file of seed vectors that take the place of keyed noise; see `latents`.
        repair: what is done to a seed vector after its shift; see `repairs`.
    """

    dtype: str | None = None
    loras: tuple[Lora, ...] = ()
    quantization: Quantization | None = None
    cache: Cache | None = None
    attention: str | None = None
    compile: str | None = None
    tiling: bool = False
    slicing: bool = False
    channels_last: bool = False
    latents: str | None = None
    repair: str | None = None

    def __bool__(self) -> bool:
        return self != PLAIN

    @property
    def key(self) -> tuple[tuple[str, Any], ...]:
        """What of it is in a fingerprint as it stands: number type, adapters and latents are there otherwise."""
        return tuple(
            (field.name, getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name not in _BY_CONTENT and getattr(self, field.name) != getattr(PLAIN, field.name)
        )

    def record(self) -> dict[str, Any]:
        """The settings in words, for what is kept of a run: no paths, nor the number type, which is there anyway."""
        said: dict[str, Any] = {key: value for key, value in self.key if isinstance(value, (str, bool))}
        if self.loras:
            said["loras"] = [f"{PurePath(each.source).name}:{each.weight:g}" for each in self.loras]
        if self.latents is not None:
            said["latents"] = PurePath(self.latents).name
        for name, what in (("quantization", self.quantization), ("cache", self.cache)):
            if what is not None:
                of = what.backend if isinstance(what, Quantization) else what.method
                options = [str(value) if key == "quant_type" else f"{key}={value}" for key, value in what.options]
                said[name] = " ".join([of, *options])
        return said


PLAIN = EngineSettings()
"""As a pipeline is run by itself."""

_TORCHAO = {
    "fp8": "Float8WeightOnlyConfig",
    "fp8dq": "Float8DynamicActivationFloat8WeightConfig",
    "int4": "Int4WeightOnlyConfig",
    "int8": "Int8WeightOnlyConfig",
    "int8dq": "Int8DynamicActivationInt8WeightConfig",
}
"""By the names of `model_names.QUANTIZATIONS`, a class of torchao."""

THRESHOLDS = {"first-block": "threshold", "mag": "threshold", "sea": "threshold", "taylorseer": "cache_interval"}
"""By cache, the option that the number behind its name is; the others have none."""


def with_changes(before: EngineSettings, changes: Mapping[str, Any]) -> EngineSettings:
    """The settings with changes of a name, as `model_names.read` gives them, by what they are about.

    Raises:
        InvalidValueError: a threshold of a cache that has none, or that is no whole number where it has to be.
    """
    found: dict[str, Any] = {
        key: changes[key]
        for key in ("dtype", "attention", "compile", "tiling", "slicing", "channels_last", "repair")
        if key in changes
    }
    if "quantization" in changes:
        found["quantization"] = Quantization("torchao", (("quant_type", _TORCHAO[changes["quantization"]]),))
    if "cache" in changes:
        method, threshold = changes["cache"]
        own = before.cache.options if before.cache is not None and before.cache.method == method else ()
        found["cache"] = Cache(method, tuple(sorted({**dict(own), **_threshold(method, threshold)}.items())))
    more = [Lora(*value) for about, value in changes.items() if about.startswith("lora ")]
    if more:
        found["loras"] = tuple(sorted((*before.loras, *more), key=lambda each: each.source))
    return dataclasses.replace(before, **found)


def _threshold(method: str, threshold: float | None) -> dict[str, Any]:
    if threshold is None:
        return {}
    if method not in THRESHOLDS:
        raise InvalidValueError(f"the cache {method} has no threshold")
    name = THRESHOLDS[method]
    if name == "cache_interval":
        if threshold != int(threshold):
            raise InvalidValueError(f"cache={method}:{threshold:g}: give a whole number of steps")
        return {name: int(threshold)}
    return {name: threshold}
