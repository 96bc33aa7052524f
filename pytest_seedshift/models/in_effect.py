"""What a model of diffusers is run with, in effect: read from the loaded pipeline, or from its files before that."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from pytest_seedshift.models import entry_schema, pipeline_class
from pytest_seedshift.results import run_settings

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location

_NAMED = {"num_inference_steps": "steps", "guidance_scale": "guidance", "height": "height", "width": "width"}


def of_pipeline(pipeline: Any, call: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """Of a loaded pipeline.

    Args:
        pipeline: on its device, with the scheduler that it runs with.
        call: what every call of it is given.
        dtype: that it was loaded in.
    """
    scheduler = getattr(pipeline, "scheduler", None)
    if scheduler is None:  # not by its truth: a scheduler has a length, which some cannot say
        scheduler = getattr(getattr(pipeline, "decoder_pipe", None), "scheduler", None)
    return run_settings.checked(
        _of_call(type(pipeline), call)
        | _of_scheduler(scheduler)
        | {"dtype": dtype, "parts": dict(_other_types(pipeline, dtype))}
    )


def of_files(entry: Entry, location: Location, dtype: str) -> dict[str, Any]:
    """Of an entry, as far as its pipeline's files show; less where they do not, and what is wrong is said elsewhere."""
    from pytest_seedshift.models import fit, samplers

    try:
        entry = samplers.settled(entry, location)
        kind, own = fit.kind_of(location), samplers.native(location)
        found = {} if kind is None else _of_call(kind, pipeline_class.call_of(kind, entry))
        if own is not None:
            name, config = own
            options = dict(entry.scheduler.options) if entry.scheduler is not None else {}
            name = name if entry.scheduler is None else entry.scheduler.name
            found |= _of_scheduler(samplers.find(name).from_config(dict(config), **options))
    except Exception:  # libraries raise anything over files that they cannot read
        found = {}
    return run_settings.checked(found | {"dtype": dtype})


def _of_call(kind: type[Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """What a call takes: what it is given, else its defaults."""
    takes = inspect.signature(kind.__call__).parameters
    defaults = {name: each.default for name, each in takes.items() if each.default is not inspect.Parameter.empty}
    values = {
        name: value for name, value in (defaults | dict(call)).items() if name not in ("self", *entry_schema.OURS)
    }
    named = {title: values.pop(name, None) for name, title in _NAMED.items()}
    return {"pipeline": kind.__name__, **named, "call": values}


def _of_scheduler(scheduler: Any) -> dict[str, Any]:
    if scheduler is None:
        return {}
    options = {name: value for name, value in dict(scheduler.config).items() if not name.startswith("_")}
    return {"sampler": type(scheduler).__name__, "sampler_options": options}


def _other_types(pipeline: Any, dtype: str) -> Iterator[tuple[str, str]]:
    """Parts that have weights of another number type, or of several."""
    for name, part in pipeline.components.items():
        if isinstance(part, nn.Module):
            found = sorted({str(each.dtype).removeprefix("torch.") for each in part.parameters()})
            if found and found != [dtype]:
                yield name, ", ".join(found)
