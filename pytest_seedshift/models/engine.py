"""What an entry says of how a model is run, done to its pipeline: see `engine_settings`."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import latents, libraries, loras
from pytest_seedshift.models.engine_settings import Cache, Quantization

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

DENOISERS = ("unet", "transformer", "transformer_2", "prior_unet", "prior", "decoder", "upsampler")
"""The parts that denoise, by the names that pipelines give them."""

_PACKAGES = {
    "auto-round": "auto_round",
    "bitsandbytes_4bit": "bitsandbytes",
    "bitsandbytes_8bit": "bitsandbytes",
    "gguf": "gguf",
    "modelopt": "modelopt",
    "quanto": "optimum.quanto",
    "sdnq": "sdnq",
    "torchao": "torchao",
}
"""By a backend of quantisation, the module that it needs."""

_CACHES = {
    "faster": "FasterCacheConfig",
    "first-block": "FirstBlockCacheConfig",
    "mag": "MagCacheConfig",
    "pyramid": "PyramidAttentionBroadcastConfig",
    "sea": "SeaCacheConfig",
    "taylorseer": "TaylorSeerCacheConfig",
}

BY_BATCH = ("first-block", "sea")
"""Caches that decide by the mean of a batch what they leave out: an image would depend on those beside it."""

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "faster": {"spatial_attention_block_skip_range": 2, "tensor_format": "BCHW"},
    "pyramid": {"spatial_attention_block_skip_range": 2},
}
"""What a method is given where an entry says nothing, as by itself it would leave nothing out."""


class EngineError(SeedshiftUsageError):
    """How a model is to be run cannot be: on its family, its device, or without a package."""


# Before anything is loaded ------------------------------------------------------------------------------------------


def check(entry: Entry, kind: type[Any] | None, pipeline: Any | None, parts: Mapping[str, tuple[str, str]]) -> None:
    """Hold an entry's settings against its pipeline, as far as its files show.

    Args:
        entry: of the model.
        kind: the class of its pipeline; None where that is not known.
        pipeline: one of that class whose parts have no weights; None where there can be none.
        parts: by name, library and class of the pipeline's parts.

    Raises:
        EngineError: something cannot be.
        LoraError: an adapter is none.
        LatentsError: a file of seed vectors cannot be used.
    """
    engine = entry.engine
    loras.check(entry)
    latents.check(entry, pipeline)
    if engine.quantization is not None:
        _check_quantization(entry, engine.quantization, parts)
    if engine.attention is not None:
        _check_attention(entry, engine.attention)
    if engine.cache is not None:
        _cache_config(entry, engine.cache, None)
        if kind is not None and "cache_context" not in inspect.getsource(inspect.unwrap(kind.__call__)):
            raise EngineError(f"{entry.name}: cache={engine.cache.method}: {kind.__name__} of diffusers has no caches")
    if pipeline is not None:
        _check_pipeline(entry, pipeline)
        loras.check_fit(entry, pipeline)


def _check_pipeline(entry: Entry, pipeline: Any) -> None:
    """Make sure that a pipeline, be it without weights, has what the settings are about."""
    engine, of_class = entry.engine, type(pipeline).__name__
    if engine.attention is not None and not any(_dispatching(part) for part in _denoisers(pipeline).values()):
        networks = " and ".join(type(part).__name__ for part in _denoisers(pipeline).values())
        raise EngineError(
            f"{entry.name}: attention={engine.attention}: {networks} does not let diffusers choose its attention"
        )
    if engine.cache is not None and not any(hasattr(part, "enable_cache") for part in _denoisers(pipeline).values()):
        raise EngineError(f"{entry.name}: cache={engine.cache.method}: no network of {of_class} has caches")
    if engine.loras and not hasattr(pipeline, "load_lora_weights"):
        raise EngineError(f"{entry.name}: lora: {of_class} loads no adapters")
    for name in ("tiling", "slicing"):
        if getattr(engine, name) and not hasattr(getattr(pipeline, "vae", None), f"use_{name}"):
            raise EngineError(f"{entry.name}: {name}: {of_class} has no autoencoder that decodes so")


def _check_quantization(entry: Entry, wanted: Quantization, parts: Mapping[str, tuple[str, str]]) -> None:
    where = f"{entry.name}: quantization"
    if wanted.backend not in _PACKAGES:
        raise EngineError(f"{where}: {unknown('backend', wanted.backend, _PACKAGES)}")
    package = _PACKAGES[wanted.backend]
    if find_spec(package.partition(".")[0]) is None:
        raise EngineError(f"{where}: {wanted.backend} is not installed: pip install {_distribution(package)}")
    if not parts:
        raise EngineError(f"{where}: only the folder of a pipeline is quantised while it is loaded: give one")
    for part in wanted.parts:
        if part not in parts:
            raise EngineError(f"{where}: {unknown('part of the pipeline', part, parts)}")
        if not _is_network(*parts[part]):
            networks = ", ".join(name for name, of in parts.items() if _is_network(*of))
            raise EngineError(f"{where}: {part} has no weights that could be quantised. Known: {networks}")
    _quantized(where, wanted)


def _is_network(library: str, kind: str) -> bool:
    """Whether a part of a pipeline has weights, as far as its class says; one of a library of its own may have."""
    found = getattr(importlib.import_module(library), kind, None) if library in ("diffusers", "transformers") else None
    return not isinstance(found, type) or issubclass(found, nn.Module)


def _distribution(package: str) -> str:
    return {"auto_round": "auto-round", "modelopt": "nvidia-modelopt", "optimum.quanto": "optimum-quanto"}.get(
        package, package
    )


def _check_attention(entry: Entry, backend: str) -> None:
    from diffusers.models import attention_dispatch as dispatch

    names = [each.value for each in dispatch.AttentionBackendName]
    if backend not in names:
        raise EngineError(f"{entry.name}: {unknown('attention backend of diffusers', backend, names)}")
    try:
        dispatch._check_attention_backend_requirements(dispatch.AttentionBackendName(backend))
    except (ImportError, RuntimeError, ValueError) as error:  # of diffusers: a package or a device that is not there
        raise EngineError(f"{entry.name}: attention={backend}: {' '.join(str(error).split())}") from None


# While it is loaded -------------------------------------------------------------------------------------------------


def quantization(entry: Entry, parts: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """By part that is to be quantised, its configuration; diffusers' for its own, transformers' for the others.

    Raises:
        EngineError: it cannot be.
    """
    wanted = entry.engine.quantization
    if wanted is None:
        return {}
    _check_quantization(entry, wanted, parts)
    named = wanted.parts or [part for part in DENOISERS if part in parts]
    where = f"{entry.name}: quantization"
    return {part: _quantized(where, wanted, library=parts[part][0]) for part in named}


def _quantized(where: str, wanted: Quantization, library: str = "diffusers") -> Any:
    """A quantisation's configuration, of the library whose part it is for."""
    auto = importlib.import_module(f"{library if library == 'transformers' else 'diffusers'}.quantizers.auto")
    known: Mapping[str, type[Any]] = auto.AUTO_QUANTIZATION_CONFIG_MAPPING
    if wanted.backend not in known:
        raise EngineError(f"{where}: {library} has no {wanted.backend}: name the parts that are of diffusers")
    options = dict(wanted.options)
    if wanted.backend == "torchao":
        options["quant_type"] = _of_torchao(where, options.get("quant_type"))
    return _made(where, known[wanted.backend], options)


def _of_torchao(where: str, name: object) -> Any:
    """One of torchao's configurations, by the name of its class."""
    module: Any = importlib.import_module("torchao.quantization")
    known = [each for each in dir(module) if each.endswith("Config")]
    if not isinstance(name, str) or name not in known:
        raise EngineError(f"{where}: quant_type: {unknown('configuration of torchao', str(name), known)}")
    return getattr(module, name)()


def _made(where: str, kind: type[Any], options: Mapping[str, Any]) -> Any:
    takes = [name for name in inspect.signature(kind.__init__).parameters if name not in ("self", "kwargs")]
    for option in options:
        if option not in takes:
            raise EngineError(f"{where}: {unknown(f'option of {kind.__name__}', option, takes)}")
    try:
        return kind(**options)
    except (TypeError, ValueError, ImportError, NotImplementedError) as error:  # of the class, over its options
        raise EngineError(f"{where}: {kind.__name__}: {' '.join(str(error).split())}") from None


# Once it is on its device -------------------------------------------------------------------------------------------


def apply(pipeline: Any, entry: Entry) -> None:
    """Run a loaded pipeline as its entry says.

    Raises:
        EngineError: it cannot be run so.
    """
    engine = entry.engine
    if not engine:
        return
    _check_pipeline(entry, pipeline)
    if engine.attention is not None:
        _attend(entry, pipeline, engine.attention)
    if engine.cache is not None:
        config = _cache_config(entry, engine.cache, pipeline)
        for part in _denoisers(pipeline).values():
            if hasattr(part, "enable_cache"):
                try:
                    part.enable_cache(config)
                except (TypeError, ValueError, NotImplementedError, AttributeError) as error:  # of diffusers
                    raise EngineError(
                        f"{entry.name}: cache={engine.cache.method}: {type(part).__name__}: "
                        f"{' '.join(str(error).split())}"
                    ) from None
    if engine.tiling:
        pipeline.vae.enable_tiling()
    if engine.slicing:
        pipeline.vae.enable_slicing()
    if engine.channels_last:
        for part in pipeline.components.values():
            if isinstance(part, nn.Module):
                part.to(memory_format=torch.channels_last)
    if engine.compile is not None:
        for part in _denoisers(pipeline).values():
            part.compile(mode=None if engine.compile == "default" else engine.compile)


def forget(pipeline: Any) -> None:
    """Let caches forget what they hold: a call that was ended by an error has left it there."""
    for part in _denoisers(pipeline).values():
        if getattr(part, "is_cache_enabled", False):
            part._reset_stateful_cache()


def is_by_batch(pipeline: Any) -> bool:
    """Whether an image would depend on those that are made beside it; see `BY_BATCH`."""
    kinds = {_CACHES[name] for name in BY_BATCH}
    return any(type(getattr(part, "_cache_config", None)).__name__ in kinds for part in _denoisers(pipeline).values())


def _attend(entry: Entry, pipeline: Any, backend: str) -> None:
    from diffusers.models import attention_dispatch as dispatch

    registry: Any = dispatch._AttentionBackendRegistry
    before = registry._active_backend
    try:
        for part in _denoisers(pipeline).values():
            if _dispatching(part):
                part.set_attention_backend(backend)
    except (ImportError, RuntimeError, ValueError) as error:  # of diffusers
        raise EngineError(f"{entry.name}: attention={backend}: {' '.join(str(error).split())}") from None
    finally:
        registry._active_backend = before  # which all other models would have, too


def _dispatching(part: nn.Module) -> bool:
    """Whether diffusers chooses the attention of a network."""
    return hasattr(part, "set_attention_backend") and any(
        hasattr(getattr(module, "processor", None), "_attention_backend") for module in part.modules()
    )


def _cache_config(entry: Entry, wanted: Cache, pipeline: Any | None) -> Any:
    """A cache's configuration; without a pipeline it is only tried.

    Raises:
        EngineError: an option that it does not take, or one that it needs and has not.
    """
    import diffusers.hooks as hooks

    kind = getattr(hooks, _CACHES[wanted.method])
    where = f"{entry.name}: cache={wanted.method}"
    takes = [field.name for field in dataclasses.fields(kind)]
    options = {**_DEFAULTS.get(wanted.method, {}), **dict(wanted.options)}
    for option in options:
        if option not in takes:
            raise EngineError(f"{where}: {unknown(f'option of {kind.__name__}', option, takes)}")
    if "current_timestep_callback" in takes:
        options["current_timestep_callback"] = lambda: getattr(pipeline, "current_timestep", None)
    if "num_inference_steps" in takes and entry.steps is not None:
        options.setdefault("num_inference_steps", entry.steps)
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:  # of the class: what of these it needs
        said = " ".join(str(error).split())
        raise EngineError(f'{where}: {said} (cache = {{ method = "{wanted.method}", … }} in an entry)') from None


def _denoisers(pipeline: Any) -> dict[str, Any]:
    parts: Mapping[str, Any] = pipeline.components
    return {name: parts[name] for name in DENOISERS if isinstance(parts.get(name), nn.Module)}


# What it adds to a key ----------------------------------------------------------------------------------------------


def key(entry: Entry) -> Iterator[object]:
    """What of an entry's settings is in its fingerprint; nothing where it has none."""
    engine = entry.engine
    if engine.loras:
        yield "loras", loras.key(entry), libraries.version_of("peft")
    if engine.latents is not None:
        yield latents.key(entry)
    for name, value in engine.key:
        yield name, dataclasses.astuple(value) if isinstance(value, (Cache, Quantization)) else value
    if engine.quantization is not None:
        package = _distribution(_PACKAGES.get(engine.quantization.backend, engine.quantization.backend))
        yield package, libraries.version_of(package)
    if engine.attention is not None:
        from pytest_seedshift.models import process_settings

        yield from process_settings.packages_of(engine.attention)
