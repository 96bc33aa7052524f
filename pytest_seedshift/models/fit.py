"""Whether an entry fits its pipeline, seen from the pipeline's files alone: nothing with weights is loaded.

What an entry changes is checked against what the class of the pipeline takes and checks. So that it can check for
itself, it is made of its parts' configurations, without any numbers in them.
"""

from __future__ import annotations

import inspect
import re
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import pydantic
import torch
from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING
from torch import nn

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.models import engine, kinds, pipeline_class, samplers, sizes

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

_PROMPT = "A photo of a dog"

_SIDE = 4096
"""Pixels that every family's grid divides, for checks of what is no size."""

_STRICT = pydantic.ConfigDict(strict=True, arbitrary_types_allowed=True)


class FitError(SeedshiftUsageError):
    """An entry asks for something that its pipeline cannot do; the message says what would fit."""


def check(entry: Entry, location: Location) -> None:
    """Hold an entry against its pipeline.

    Args:
        entry: its changes of the scheduler settled, see `samplers.settled`.
        location: of its pipeline.

    Raises:
        FitError: a key of it, a value or a scheduler does not fit.
        SeedshiftError: it is no text-to-image pipeline.
    """
    with warnings.catch_warnings():  # of diffusers' own code, at what is only tried here
        warnings.simplefilter("ignore")
        _check(entry, location)


def _check(entry: Entry, location: Location) -> None:
    kind = kind_of(location)
    if kind is None:
        if entry.engine:
            engine.check(entry, None, None, {})
        return
    call = pipeline_class.call_of(kind, entry)
    _check_values(kind, entry)
    _check_negatives(kind, entry, call)
    own = samplers.native(location)
    if entry.scheduler is not None and own is not None:
        samplers.check_replacement(entry, *own)
    pipeline = weightless(kind, location)
    if entry.engine:
        engine.check(entry, kind, pipeline, location.parts if location.path.is_dir() else {})
    if pipeline is not None:
        _check_inputs(pipeline, kind, entry, call)


def _check_negatives(kind: type[Any], entry: Entry, call: Mapping[str, Any]) -> None:
    """Make sure that negative prompts, where there are any, reach the picture."""
    found = entry.prompt_set
    if not found.has_negatives:
        return
    takes, what = inspect.signature(kind.__call__).parameters, f"{entry.name}: the prompts {found.name} have negative"
    if "negative_prompt" not in takes:
        raise FitError(f"{what} prompts, and {kind.__name__} takes none: delete the column negative_prompt")
    if "negative_prompt" in call:
        raise FitError(f"{what} prompts, and call has another one: give one of them")
    scale = "true_cfg_scale" if "true_cfg_scale" in takes else "guidance_scale"
    value = call.get(scale, takes[scale].default if scale in takes else None)
    if isinstance(value, (int, float)) and value <= 1:
        how = "guidance" if scale == "guidance_scale" else f"{scale} in call"
        raise FitError(
            f"{what} prompts, which have no effect where {scale} is {value:g}: give {how} above 1, or delete the column"
        )


def kind_of(location: Location) -> type[Any] | None:
    """The class whose call makes the images; None where the files do not say."""
    if location.released is not None:
        return pipeline_class.text_to_image_class("GlidePipeline", location.source)
    folder = location.path if location.path.is_dir() else location.config
    if folder is None:
        return None
    name = str(files.read_json(folder / trust.INDEX, finite=False).get("_class_name"))
    kind: type[Any] = pipeline_class.text_to_image_class(name, location.source)
    combined = {task: whole for task, whole in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.items() if name in kinds.DECODERS}
    return next((whole for whole in combined.values() if _is_half_of(kind, whole)), kind)


def _is_half_of(half: type[Any], whole: type[Any]) -> bool:
    """Whether a decoder's class belongs to a combined one: `KandinskyV22Pipeline`, `KandinskyV22CombinedPipeline`."""
    stem = half.__name__.removesuffix("Pipeline").removesuffix("Decoder")
    return whole.__name__ == f"{stem}CombinedPipeline"


# Values -----------------------------------------------------------------------------------------------------------


def _check_values(kind: type[Any], entry: Entry) -> None:
    """Hold the further arguments of an entry's call against the types that the pipeline declares."""
    hints = _hints(kind)
    for key, value in entry.call:
        hint = hints.get(key)
        where = f"{entry.name}: call: {key} = {value!r}"
        if hint is None:
            continue
        if isinstance(value, list) and all(isinstance(each, str) for each in value) and _takes(hint, "a text"):
            raise FitError(f"{where}: give one text, which is every image's: how many there are in a batch may change")
        if not _takes(hint, value):
            raise FitError(f"{where}: {kind.__name__} takes {_named(hint)}")


def _hints(kind: type[Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind.__call__)
    except Exception:  # of names that are known to type checkers alone
        return {}


def _takes(hint: Any, value: object) -> bool:
    """Whether a value of TOML's is of a type; TOML has lists for tuples, too."""
    try:
        adapter = pydantic.TypeAdapter(hint, config=_STRICT)
    except Exception:  # a type that pydantic cannot make sense of
        return True
    if isinstance(value, (list, tuple)) and re.search(r"list|tuple|Sequence|Iterable", str(hint)):
        return True  # of how many of what, annotations say less than they mean
    try:
        adapter.validate_python(value)
    except pydantic.ValidationError:
        return False
    return True


def _named(hint: Any) -> str:
    text = getattr(hint, "__name__", None) if isinstance(hint, type) else str(hint)
    return f"{text or hint}".replace("typing.", "").replace(" | None", "").replace("NoneType", "None")


# What the class itself checks --------------------------------------------------------------------------------------


def weightless(kind: type[Any], location: Location) -> Any | None:
    """A pipeline of parts without weights; None where it cannot be made of the configurations that there are."""
    folder = location.path if location.path.is_dir() else location.config
    if folder is None or location.priors:
        return None
    pipeline_class.check_libraries(location)
    parts: dict[str, Any] = {}
    try:
        index = files.read_json(folder / trust.INDEX, finite=False)
        wanted = inspect.signature(kind.__init__).parameters
        parts = {name: value for name, value in index.items() if name in wanted and not isinstance(value, list)}
        for name in wanted:
            if name != "self" and wanted[name].default is inspect.Parameter.empty:
                parts.setdefault(name, None)
        for name, (library, of) in location.parts.items():
            if library == "diffusers" and name in wanted:
                parts[name] = _part(getattr(diffusers, of), folder / name)
        with _quiet():
            return kind(**parts)
    except Exception:  # whatever such a class needs besides: then the first step of the loaded model tells
        return None


def _part(kind: type[Any], folder: Path) -> Any:
    """A part of a pipeline by its configuration alone; its weights are on torch's meta device, without numbers."""
    config = kind.load_config(folder, local_files_only=True)
    with torch.device("meta") if issubclass(kind, nn.Module) else _quiet():
        return kind.from_config(config)


def _check_inputs(pipeline: Any, kind: type[Any], entry: Entry, call: Mapping[str, Any]) -> None:
    """Let the pipeline check what its call is given, and see that it can make images of that size."""
    sides = [call.get(name) for name in ("height", "width")]
    height, width = (side or sides[1 - place] or _SIDE for place, side in enumerate(sides))
    given = {**call, "height": height, "width": width, "prompt": _PROMPT}
    checks = getattr(pipeline, "check_inputs", None)
    said: list[str] = []
    if checks is not None:
        takes = inspect.signature(checks).parameters
        defaults = inspect.signature(kind.__call__).parameters
        arguments = {
            name: given[name] if name in given else _default(defaults.get(name), parameter)
            for name, parameter in takes.items()
            if parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        }
        with _quiet(), sizes.heard(kind, said.append):
            try:
                checks(**arguments)
            except Exception as error:  # of others than itself: it needs what a pipeline without weights has not
                if isinstance(error, (ValueError, TypeError)) and _is_of(error, checks):
                    raise FitError(_told(entry, kind, str(error))) from None
    if any(sides):
        for warning in filter(sizes.is_changed, said):
            raise FitError(_told(entry, kind, warning))
        _check_size(pipeline, kind, entry, (height, width))


def _default(of_call: inspect.Parameter | None, of_check: inspect.Parameter) -> Any:
    for each in (of_call, of_check):
        if each is not None and each.default is not inspect.Parameter.empty:
            return each.default
    return None


def _is_of(error: BaseException, function: Callable[..., object]) -> bool:
    """Whether an error was raised in the very function, not by something that it lacks here."""
    last = None
    trace = error.__traceback__
    while trace is not None:
        last, trace = trace, trace.tb_next
    return last is not None and last.tb_frame.f_code is inspect.unwrap(function).__code__


def _told(entry: Entry, kind: type[Any], said: str) -> str:
    sizes = [f"{name} = {value}" for name in ("height", "width") if (value := getattr(entry, name)) is not None]
    others = [f"{key} = {value!r}" for key, value in entry.call]
    return f"{entry.name}: {', '.join(sizes + others)}: {kind.__name__} says: {' '.join(said.split())}"


def _check_size(pipeline: Any, kind: type[Any], entry: Entry, size: tuple[int, int]) -> None:
    """Make sure of what some classes do not check; see `sizes.grid`."""
    grid = sizes.grid(pipeline, kind)
    wrong = {name: side for name, side in zip(("height", "width"), size, strict=True) if side % grid}
    if wrong:
        nearest = ", ".join(f"{name} = {max(1, round(side / grid)) * grid}" for name, side in wrong.items())
        said = ", ".join(f"{name} = {side}" for name, side in wrong.items())
        raise FitError(
            f"{entry.name}: {said}: {kind.__name__} makes images whose sides are multiples of {grid}: give {nearest}"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Let diffusers say nothing of parts that are missing on purpose."""
    before = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        diffusers.utils.logging.set_verbosity(before)
