"""A model as Python gives it: a name, a pipeline of diffusers in memory, or a `TextToImage` of the user's own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.limits import DTYPES
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.registry import Extension
from pytest_seedshift.models import entry_schema
from pytest_seedshift.models.base import Entry
from pytest_seedshift.models.entry_tables import entry_of
from pytest_seedshift.runner import extensions

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.models.catalogue import Catalogue

Given: TypeAlias = "str | os.PathLike[str] | DiffusionPipeline | TextToImage"
"""What a model may be given as."""

_WHERE = "evaluate()"


@dataclass(frozen=True, slots=True)
class GivenModel:
    """A model that can be looked up like any other.

    Attributes:
        name: that its cases have.
        catalogue: which knows it.
        device: where it is to run; None for the default.
        dtype: its number type; None for its own.
        notes: what the user should know of it.
    """

    name: str
    catalogue: Catalogue
    device: str | None
    dtype: str | None
    notes: tuple[str, ...] = ()


@contextmanager
def looked_up(
    given: object,
    table: Mapping[str, Any],
    known: Catalogue,
    *,
    name: str | None,
    device: str | None,
    dtype: object,
) -> Iterator[GivenModel]:
    """A model for as long as it is evaluated.

    Args:
        given: a name, a pipeline or a `TextToImage`.
        table: what is said of it, as its table in the thresholds file would.
        known: the models that have a name.
        name: of a pipeline; None for its class's.
        device: where it is to run; None for the default, or where a pipeline is.
        dtype: a number type of torch or its name; None for the model's own.

    Raises:
        SeedshiftUsageError: something that is given does not go together, or is none of these.
        ModelError: a pipeline cannot be evaluated.
    """
    wanted = None if dtype is None else _dtype(dtype)
    if isinstance(given, (str, os.PathLike)):
        if name is not None:
            raise InvalidValueError(f"{_WHERE}: name={name!r} is for a pipeline; the model {given!s} has its name")
        yield GivenModel(str(given), _with_table(str(given), table, known), device, wanted)
    elif _is_pipeline(given):
        with _live(given, table, known, name or type(given).__name__, device, wanted) as model:
            yield model
    elif _is_own(given):
        with _own(given, table, known, name, device, wanted) as model:
            yield model
    else:
        raise InvalidValueError(
            f"{_WHERE}: a {type(given).__name__} is not a model: give a name, a folder, a hub id, a pipeline of "
            "diffusers or a pytest_seedshift.TextToImage"
        )


def name_of(given: object, name: str | None) -> str | None:
    """The name of a pipeline or a model that is there itself; None of what is given by its name, or is no model.

    Raises:
        InvalidValueError: it is no text.
    """
    if isinstance(given, (str, os.PathLike)) or not (_is_pipeline(given) or _is_own(given)):
        return None
    found: object = given.name if not _is_pipeline(given) else name or type(given).__name__  # type: ignore[attr-defined]
    if not isinstance(found, str):
        raise InvalidValueError(f"{_WHERE}: the model's name is {found!r}: give a text such as 'mine'")
    return found


def _is_pipeline(given: object) -> bool:
    return any(each.__name__ == "DiffusionPipeline" for each in type(given).__mro__)


def _is_own(given: object) -> bool:
    return all(hasattr(given, each) for each in ("generate", "fingerprint", "seed_axes", "name"))


def _dtype(given: object) -> str:
    name = str(given).removeprefix("torch.")
    if name not in DTYPES:
        raise InvalidValueError(f"{_WHERE}: dtype={given!s}: {unknown('dtype', name, DTYPES)}")
    return name


def _with_table(name: str, table: Mapping[str, Any], known: Catalogue) -> Catalogue:
    """A catalogue in which a model's entry says what its table does."""
    known.find(name)
    if not table:
        return known
    base = known.base_of(name)
    entry = known.find(base)
    checked = entry_schema.check(base, table, _WHERE, new=False, place=base not in known.entries)
    if entry.own is not None:
        entry_schema.check_own(checked, _WHERE, str(entry.own))
    return _knowing(known, entry_of(base, checked, Path.cwd(), entry))


def _knowing(known: Catalogue, entry: Entry) -> Catalogue:
    prompts = replace(known.prompts, said=known.prompts.said | {entry.name})  # `[default]` has its part in it already
    return replace(known, entries={**known.entries, entry.name: entry}, prompts=prompts)


@contextmanager
def _live(
    pipeline: Any,
    table: Mapping[str, Any],
    known: Catalogue,
    name: str,
    device: str | None,
    dtype: str | None,
) -> Iterator[GivenModel]:
    from pytest_seedshift.models import live_pipeline

    checked = entry_schema.check(name, table, _WHERE, new=False)
    entry = entry_of(name, checked, Path.cwd(), _without_weights(known, name))
    is_on, runs_in = live_pipeline.device_of(pipeline), live_pipeline.dtype_of(pipeline)
    if device is not None and not _same_device(device, is_on):
        raise InvalidValueError(
            f"{_WHERE}: device={device!r}: the pipeline is on {is_on}. It is evaluated where it is: bring it there "
            f"before, by pipeline.to({device!r}), or leave device out"
        )
    if dtype not in (None, runs_in):
        raise InvalidValueError(
            f"{_WHERE}: dtype={dtype!r}: the pipeline runs in {runs_in}. It is evaluated as it is: leave dtype out"
        )
    with live_pipeline.viewed(pipeline, entry) as model:
        _ = model.seed_shape  # whether its draw can be caught
        own = _made(model, f"the pipeline in memory, a {type(pipeline).__name__},")
        notes = (
            (f"the safety checker of {name} is off: images that it blackens would be scored as the model's own",)
            if getattr(pipeline, "safety_checker", None) is not None
            else ()
        )
        entry = dataclasses.replace(entry, own=own)
        yield GivenModel(name, _knowing(known, entry), is_on, runs_in, notes)


def _without_weights(known: Catalogue, name: str) -> Entry:
    """What is known of a model of a pipeline's name, such as its classes, but for what the pipeline has itself."""
    entry = known.entries.get(name)
    if entry is None or entry.own is not None:
        return Entry(name, ())
    return dataclasses.replace(
        entry, pipeline=(), revision=None, variant=None, parts=(), scheduler=None, sampling=None, dtype=(), advice=""
    )


@contextmanager
def _own(
    model: Any, table: Mapping[str, Any], known: Catalogue, name: str | None, device: str | None, dtype: str | None
) -> Iterator[GivenModel]:
    if name not in (None, model.name):
        raise InvalidValueError(f"{_WHERE}: name={name!r}: the model's own name is {model.name!r}")
    checked = entry_schema.check(model.name, table, _WHERE, new=False)
    own = _made(model, "evaluate()'s caller")
    entry_schema.check_own(checked, _WHERE, str(own))
    entry = entry_of(model.name, checked, Path.cwd(), dataclasses.replace(_without_weights(known, model.name), own=own))
    with extensions.beside(own):
        yield GivenModel(model.name, _knowing(known, entry), device, dtype)


def _made(model: TextToImage, owner: str) -> Extension:
    """A model that is there, as one that a factory makes."""

    def factory(device: str, dtype: str) -> TextToImage:
        return model

    return Extension("model", model.name, owner, lambda: factory)


def _same_device(one: str, other: str) -> bool:
    import torch

    try:
        wanted, there = torch.device(one), torch.device(other)
    except RuntimeError as error:  # of torch, over a name that is none
        raise InvalidValueError(f"{_WHERE}: device={one!r}: {str(error).splitlines()[0]}") from None
    return wanted.type == there.type and wanted.index in (None, there.index or 0)
