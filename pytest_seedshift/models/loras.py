"""Adapters that change a model's weights, LoRA and its kin: found, looked at, loaded by diffusers and peft, checked."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from pytest_seedshift.core import path_hints, typed_values
from pytest_seedshift.core.checkpoints import hashing, headers, places, repository
from pytest_seedshift.core.errors import SeedshiftError, SeedshiftUsageError
from pytest_seedshift.scorers import loading

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from pytest_seedshift.models.base import Entry

_SUFFIX = ".safetensors"
_NAMES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""What diffusers and peft call the file of an adapter in a folder, where it has others."""

_FILES = (f"*{_SUFFIX}",)
"""What of a hub repository is needed: not what peft writes beside it, which names a model of its own."""

_OF_PEFT = ".lora_A.weight"
"""How the name ends of the first tensor of a layer, where diffusers wrote it with peft."""

_NETWORKS = frozenset(("transformer", "unet"))
"""The parts that adapters change, of which a pipeline has one."""

_DOWN = (".lora_A.", ".lora_down.", ".lora.down.", "_lora.down.", ".lora_A", ".hada_w1_a", ".lokr_w1")
"""What stands in the name of the first of the tensors of each layer that an adapter changes."""


class LoraError(SeedshiftUsageError):
    """What is given as an adapter is none, cannot be had, or is one of another model."""


def check(entry: Entry) -> None:
    """Make sure that an entry's adapters are there, and are adapters; what they fit shows when they are loaded.

    Raises:
        LoraError: one is not, or the package that loads them is not installed.
        WeightsNotFoundError: one is nowhere.
    """
    for lora in entry.engine.loras:
        if find_spec("peft") is None:
            raise LoraError(f"{entry.name}: the adapter {lora.source} needs peft: pip install peft")
        file(entry.name, lora.source)


def check_fit(entry: Entry, pipeline: Any) -> None:
    """Hold adapters against a pipeline, be it without weights, as far as their names tell what they change.

    Names of other trainers are brought into those of diffusers while they are loaded: what these fit shows then.

    Raises:
        LoraError: no layer of one is there and of its size.
    """
    for lora in entry.engine.loras:
        found = headers.about(file(entry.name, lora.source))
        parts = pipeline.components
        named = {
            name.removesuffix(_OF_PEFT): shape
            for name, (_, shape) in (found.items() if isinstance(found, dict) else ())
            for part in [name.partition(".")[0]]
            if name.endswith(_OF_PEFT) and (isinstance(parts.get(part), nn.Module) or part in _NETWORKS - parts.keys())
        }
        wanted = sum(any(part in name for part in _DOWN) for name in found)
        if wanted and len(named) == wanted and not any(_fits(pipeline, *each) for each in named.items()):
            raise LoraError(
                f"{entry.name}: the adapter {lora.source} does not fit {type(pipeline).__name__}: none of its "
                f"{wanted} layers is there and of that size, such as {next(iter(named))}. It was trained for another "
                "model"
            )


def _fits(pipeline: Any, layer: str, shape: tuple[int, ...]) -> bool:
    """Whether a pipeline has a layer that takes as many numbers as an adapter's first tensor."""
    part, _, path = layer.partition(".")
    network = pipeline.components.get(part)
    module: Any = None if network is None else dict(network.named_modules()).get(path)
    weight = getattr(module, "weight", None)
    return weight is not None and weight.ndim > 1 and len(shape) > 1 and weight.shape[1] == shape[1]


def key(entry: Entry) -> tuple[tuple[str, float], ...]:
    """What each adapter's file hashes to, and its weight."""
    return tuple((hashing.content(file(entry.name, each.source)), each.weight) for each in entry.engine.loras)


def file(name: str, source: str) -> Path:
    """The file of an adapter; one of the hub is downloaded where it is not in the cache.

    Raises:
        LoraError: it is none.
        WeightsNotFoundError: it is nowhere.
    """
    path = typed_values.expand(source)
    places.refuse_pickle(path)
    if path.is_dir():
        path = _within(name, path)
    elif not path.is_file():
        if places.looks_local(source) or source.count("/") != 1:
            raise places.WeightsNotFoundError(
                f"{name}: the adapter {source} is not there: give a {_SUFFIX} file, a folder with one, or a hub id"
                f"{path_hints.hint(path)}"
            )
        path = _within(name, _fetched(name, source))
    if path.suffix != _SUFFIX:
        raise LoraError(f"{name}: the adapter {path} is not a safetensors file: only such are loaded")
    if not headers.is_adapter(path):
        raise LoraError(
            f"{name}: {path} holds no adapter: none of its tensors is of a LoRA or another that diffusers loads"
        )
    return path


def _fetched(name: str, source: str) -> Path:
    try:
        return repository.fetch(source, _FILES)
    except places.WeightsNotFoundError as error:
        raise places.WeightsNotFoundError(f"{name}: the adapter {source}: {error}") from None


def _within(name: str, folder: Path) -> Path:
    found = sorted(folder.glob(f"*{_SUFFIX}"))
    named = [folder / each for each in _NAMES if folder / each in found] or found
    if len(named) == 1:
        return named[0]
    said = f"has {len(named)} of them: {', '.join(each.name for each in named[:3])}" if named else "has none"
    raise LoraError(f"{name}: the adapter {folder} {said}. Name the file: {folder}/NAME{_SUFFIX}")


def load(pipeline: DiffusionPipeline, entry: Entry) -> None:
    """Load an entry's adapters into its pipeline, each with its weight.

    Raises:
        LoraError: see `check`; or one does not fit the pipeline, wholly.
    """
    loras = entry.engine.loras
    if not loras:
        return
    check(entry)
    of_class = type(pipeline).__name__
    if not hasattr(pipeline, "load_lora_weights"):
        raise LoraError(f"{entry.name}: {of_class} loads no adapters: give a model of another family")
    names = [f"lora_{place}" for place in range(len(loras))]
    for lora, name in zip(loras, names, strict=True):
        path = file(entry.name, lora.source)
        where = f"{entry.name}: the adapter {lora.source} does not fit {of_class}"
        try:
            with warnings.catch_warnings(), loading.sealed(str(path)):
                warnings.simplefilter("ignore")  # of peft, that there are several: so they are to be
                pipeline.load_lora_weights(str(path), adapter_name=name, local_files_only=True, use_safetensors=True)
        except SeedshiftError:
            raise
        except Exception as error:  # of diffusers and peft, over layers and shapes that are not there: any class
            reason = " ".join(str(error).split())[:300]
            if isinstance(error, LookupError):  # which says what was not found, and not that it was a layer
                reason = "its layers are not those of this pipeline"
            raise LoraError(f"{where}: {reason}. It was trained for another model") from error
        wanted, got = _layers(path), _loaded(pipeline, name)
        if got < wanted:
            raise LoraError(
                f"{where}: {f'{got} of its {wanted} layers do' if got else 'none of its layers does'}. "
                "It was trained for another model"
            )
    pipeline.set_adapters(names, adapter_weights=[lora.weight for lora in loras])


def _layers(path: Path) -> int:
    """How many layers an adapter changes, as its tensors' names say."""
    return sum(any(part in name for part in _DOWN) for name in headers.tensors(path))


def _loaded(pipeline: Any, name: str) -> int:
    """How many layers of a pipeline an adapter of that name changes."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from torch import nn

    parts = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
    layers = [layer for part in parts for layer in part.modules() if isinstance(layer, BaseTunerLayer)]
    return sum(any(name in getattr(layer, kind) for kind in layer.adapter_layer_names) for layer in layers)
