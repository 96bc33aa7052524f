"""The class of a pipeline, by its name: whether it makes images of text, whose parts it has, what its call takes."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import diffusers
from diffusers import DiffusionPipeline

from pytest_seedshift.core.checkpoints import trust
from pytest_seedshift.core.errors import InvalidValueError, ModelError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.models import habits, kinds
from pytest_seedshift.models.location import Location

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry

# Pipelines of this package, where diffusers has none: the package of the class and of its parts.
OF_THIS_PACKAGE = {"GlidePipeline": "pytest_seedshift.models.glide"}

# Of a call's arguments those that an entry cannot give: a call has them from this package, or they are no values.
_NOT_GIVEN = {"self", "args", "kwargs", "prompt", "generator", "latents", "output_type", "return_dict"}


class LoadError(ModelError):
    """A pipeline cannot be loaded; the message says why and what would help."""


def text_to_image_class(name: str, source: str) -> type[DiffusionPipeline]:
    """The class of a pipeline by its name.

    Raises:
        LoadError: diffusers has no such class.
        KindError: it is not one that makes images from a text alone.
    """
    if name in OF_THIS_PACKAGE:
        own: type[DiffusionPipeline] = getattr(importlib.import_module(f"{OF_THIS_PACKAGE[name]}.pipeline"), name)
        return own
    kind = getattr(diffusers, name, None)
    if kind is None:
        raise LoadError(
            f"{source}: diffusers {diffusers.__version__} has no pipeline {name!r}; a newer one may have it"
        )
    if lacking := getattr(kind, "_backends", None):  # what stands in for a class whose libraries are not installed
        raise LoadError(f"{source}: {name} needs libraries of which one is missing: {', '.join(map(str, lacking))}")
    kinds.check(kind, source)
    return kind  # type: ignore[no-any-return]


def check_libraries(location: Location) -> None:
    """Make sure that the parts are of libraries that may be imported, and that diffusers finds them.

    Stable Cascade's and Wuerstchen's files name modules that diffusers has moved since, and what it saves of them today
    it does not find again.
    """
    from diffusers import pipelines
    from diffusers.pipelines.deprecated import wuerstchen

    of_priors = [Location(str(prior), prior).parts for prior in location.priors]
    for part, (library, kind) in (item for each in (location.parts, *of_priors) for item in each.items()):
        if library == "diffusers" and not hasattr(diffusers, kind) and hasattr(wuerstchen, kind):
            setattr(diffusers, kind, getattr(wuerstchen, kind))
        if library in ("diffusers", "transformers") or hasattr(pipelines, library) or part == trust.SAFETY_CHECKER:
            continue
        if library in sys.modules and library.startswith(tuple(f"{package}." for package in OF_THIS_PACKAGE.values())):
            continue  # imported with the class of the pipeline, and found there
        moved = f"diffusers.pipelines.deprecated.{library}"
        if not library.isidentifier() or find_spec(moved) is None:
            raise LoadError(
                f"{location.source}: {part} is of {library!r}, which is not a library that pipelines are of"
            )
        setattr(pipelines, library, importlib.import_module(moved))


def call_of(kind: type[Any], entry: Entry) -> dict[str, Any]:
    """What every call of a pipeline of that class is given besides prompts and noise.

    Raises:
        LoadError: the entry has a key that its call does not take.
    """
    keys = {"steps": "num_inference_steps", "guidance": "guidance_scale", "height": "height", "width": "width"}
    given: Mapping[str, Any] = {key: getattr(entry, key) for key in keys if getattr(entry, key) is not None}
    takes, name = inspect.signature(kind.__call__).parameters, kind.__name__
    for key in given:
        if keys[key] not in takes:
            raise LoadError(f"{entry.name}: {key} = {getattr(entry, key)!r}: the call of {name} takes no {keys[key]}")
    for key, _ in entry.call:
        if key not in takes:
            raise LoadError(f"{entry.name}: call: {unknown(f'argument of {name}', key, set(takes) - _NOT_GIVEN)}")
    try:
        unasked = habits.call(kind, dict(entry.call))
    except InvalidValueError as error:
        raise LoadError(f"{entry.name}: {error}") from None
    return unasked | {keys[key]: value for key, value in given.items()} | dict(entry.call)
