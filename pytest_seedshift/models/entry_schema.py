"""The user's own entries: their schema, and what a mistake in one says.

Imported only where there is such an entry: collecting tests needs no pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pytest_seedshift.core import model_names, pairs, prompt_files, prompt_sets
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.messages import unknown

_Text: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
_Variant: TypeAlias = Annotated[str, StringConstraints(pattern=r"^\w[\w-]*$")]
_Blend: TypeAlias = Annotated[str, StringConstraints(pattern=r"^blend=(0?\.\d*[1-9]\d*|1(\.0*)?)$")]
_Dtype: TypeAlias = Literal["float32", "float16", "bfloat16"]

# What torch.device(…) takes for a machine that computes, and what stands for all others. A private one's name is free.
_DEVICES = ("*", "cpu", "cuda", "hpu", "mps", "mtia", "npu", "privateuseone", "xla", "xpu")

_NAME = re.compile(r"\w[\w.+-]*")

# What every call of a pipeline is given by this package, or what would change what is tested.
OURS = (
    "prompt",
    "generator",
    "latents",
    "num_images_per_prompt",
    "output_type",
    "return_dict",
    "callback_on_step_end",
    "callback_on_step_end_tensor_inputs",
    "callback",
    "callback_steps",
)

# Keys of `call` that an entry has a key of its own for.
_OWN_KEY = {"num_inference_steps": "steps", "guidance_scale": "guidance", "height": "height", "width": "width"}


class EntryError(SeedshiftUsageError):
    """What is wrong in an entry, where, and what is valid."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class _Scheduler(BaseModel):
    """The class; every other key is an option of it, which only diffusers knows."""

    model_config = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    name: _Text
    """Its class in diffusers."""


class _Lora(_Strict):
    source: _Text
    """A .safetensors file, a folder or a hub id."""
    weight: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """What it is multiplied by."""


class _Quantization(BaseModel):
    """The backend, and the parts that are quantised; every other key is an option, which only the backend knows."""

    model_config = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    backend: _Text
    """Such as `torchao`."""
    parts: Annotated[list[_Text], Field(min_length=1)] | None = None
    """The parts of the pipeline that are quantised."""


class _Cache(BaseModel):
    """The method; every other key is an option of it, which only diffusers knows."""

    model_config = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    method: Literal["faster", "first-block", "mag", "pyramid", "sea", "taylorseer"]
    """How results of earlier steps are used again."""


class _Scorers(_Strict):
    vit: _Text | None = None
    """The classifier: a folder or a hub id."""
    clip: _Text | None = None
    """The CLIP model: a folder or a hub id."""


class _EngineSettings(_Strict):
    """How a model is run; see `engine_settings`."""

    loras: Annotated[list[_Text | _Lora], Field(min_length=1)] | None = None
    quantization: _Quantization | None = None
    cache: Literal["faster", "first-block", "mag", "pyramid", "sea", "taylorseer"] | _Cache | None = None
    attention: _Text | None = None
    compile: bool | Literal["default", "max-autotune", "max-autotune-no-cudagraphs", "reduce-overhead"] | None = None
    tiling: bool | None = None
    slicing: bool | None = None
    channels_last: bool | None = None
    latents: _Text | None = None
    repair: Literal["moments", "quantiles", "spectrum"] | _Blend | None = None


class _Entry(_EngineSettings):
    pipeline: _Text | Annotated[list[_Text], Field(min_length=1)] | None = None
    revision: _Text | None = None
    variant: _Variant | None = None
    parts: dict[_Text, _Text] | None = None
    scheduler: _Scheduler | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    height: Annotated[int, Field(ge=8)] | None = None
    width: Annotated[int, Field(ge=8)] | None = None
    dtype: _Dtype | dict[_Text, _Dtype] | None = None
    classes: _Text | None = None
    prompts: _Text | None = None
    template: _Text | Annotated[list[_Text], Field(min_length=1)] | None = None
    scorers: Literal["imagenet", "toy"] | _Scorers | None = None
    call: dict[str, Any] | None = None
    memory: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    licence: str | None = None
    upsampler: bool | None = None
    advice: _Text | None = None


# What an entry can say of a model of the user's own.
_OF_OWN = ("classes", "prompts", "template", "scorers", "dtype", "memory", "licence")

_VALID = {
    "pipeline": "a folder, a .safetensors file, a hub id 'owner/name', or a list of these, tried in order",
    "revision": "a branch, a tag or a commit of the hub repository, as text",
    "variant": 'what stands before the suffix of the files of weights, such as "fp16"',
    "parts": 'a table of folders by part, which take the place of the pipeline\'s own: { unet = "finetuned/unet" }',
    "scheduler": 'a scheduler class of diffusers and options of it, such as { name = "DDIMScheduler", eta = 1.0 }',
    "steps": "a whole number of at least 1",
    "guidance": "a number of at least 0",
    "height": "a whole number of pixels, at least 8",
    "width": "a whole number of pixels, at least 8",
    "dtype": 'float32, float16 or bfloat16, or a table by device such as { cuda = "bfloat16", cpu = "float32" }',
    "classes": "imagenet100, toy16, or the path of a CSV file with the columns label and index",
    "prompts": f"the path of a file of prompts ({', '.join(prompt_files.ENDINGS)}), or a class list",
    "template": 'a text such as "A photo of a {label}", or a list of them, of which each pair has one',
    "scorers": '"imagenet", "toy", or a table of sources: { vit = "…", clip = "…" }',
    "call": "a table of further arguments of the pipeline's call",
    "memory": "GiB that the weights take, above 0",
    "licence": "a note, as text",
    "upsampler": "true or false: whether the noise of the model's second stage is shifted too",
    "advice": "how to get the weights, as text",
    "loras": 'a list of adapters: .safetensors files, folders, hub ids, or tables { source = "…", weight = 0.8 }',
    "quantization": 'a table of a backend and options: { backend = "torchao", quant_type = "Int8WeightOnlyConfig" }',
    "cache": f"one of {', '.join(model_names.CACHES)}, or a table of it and options: {{ method = …, threshold = … }}",
    "attention": 'an attention backend of diffusers, such as "_native_math"',
    "compile": f"true, or a mode of torch.compile: {', '.join(model_names.COMPILE_MODES)}",
    "tiling": "true or false: whether pictures are decoded in tiles",
    "slicing": "true or false: whether pictures are decoded one by one",
    "channels_last": "true or false: whether all parts have that memory format",
    "repair": '"moments", "quantiles", "spectrum", or "blend=0.3": what is done to a seed vector after its shift',
    "latents": "a file of safetensors with the seed vector of all pairs, or with one for each pair",
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema of one entry, as pydantic makes it, with what is valid as the description of each key."""
    made = _Entry.model_json_schema()
    for key, field in made["properties"].items():
        field["description"] = _VALID[key]
    return made


def check(name: str, table: object, where: str, *, new: bool, place: bool = False) -> dict[str, Any]:
    """Check one entry as it stands in a TOML file.

    Args:
        name: of the model, or a place: a path or a hub id.
        table: what stands there.
        where: the file and the table, for the error.
        new: whether no entry of that name exists, so that this one must say where its pipeline is.
        place: whether the name is that of a place, which says it.

    Returns:
        The table.

    Raises:
        EntryError: something in it is not valid.
    """
    if not (place or _NAME.fullmatch(name)):
        raise EntryError(
            f"{where}: {name!r} is not a name of a model: use letters, digits and any of . _ + - (or a path or hub id)"
        )
    if not isinstance(table, dict):
        raise EntryError(f"{where} is {table!r}, not a table")
    try:
        _Entry.model_validate(table)
    except pydantic.ValidationError as error:
        raise EntryError(f"{where}: {_explain(error, table)}") from None
    if place and "pipeline" in table:
        raise EntryError(f"{where}: pipeline: the table's name says where it is. Remove it, or give the table a name")
    if new and not place and "pipeline" not in table:
        raise EntryError(f"{where}: no pipeline is given: add pipeline = …, {_VALID['pipeline']}")
    classes = table.get("classes")
    if classes is not None and classes not in pairs.CLASS_LISTS and not classes.lower().endswith(".csv"):
        raise EntryError(f"{where}: classes: {unknown('class list', classes, pairs.CLASS_LISTS)} (or a CSV file)")
    try:
        prompt_sets.check_table(table, where)
    except SeedshiftUsageError as error:
        raise EntryError(str(error)) from None
    dtype = table.get("dtype")
    for device in dtype if isinstance(dtype, dict) else ():
        if device not in _DEVICES:
            raise EntryError(f"{where}: dtype: {unknown('kind of device', device, _DEVICES)}")
    for key in table.get("call", {}):
        if key in OURS:
            more = ". The model's own key latents reads them from a file" if key == "latents" else ""
            raise EntryError(f"{where}: call: {key!r} is given by seedshift itself and cannot be changed{more}")
        if key in _OWN_KEY:
            raise EntryError(f"{where}: call: {key!r} has a key of its own: {_OWN_KEY[key]} = {table['call'][key]!r}")
    return table


def check_own(table: Mapping[str, Any], where: str, owner: str) -> None:
    """Check the entry of a model that a factory makes: what decides about its images is the factory's.

    Raises:
        EntryError: a key that only a pipeline has.
    """
    for key in table:
        if key not in _OF_OWN:
            raise EntryError(
                f"{where}: {key}: {owner} is made by its factory, which decides about that. An entry can say "
                f"{', '.join(_OF_OWN)} of it; for another model take another name"
            )


def _explain(error: pydantic.ValidationError, table: Mapping[str, Any]) -> str:
    """The first of pydantic's errors, in our words."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        if len(first["loc"]) > 1:
            fields = _Lora.model_fields if key == "loras" else _Scorers.model_fields
            return f"{key}: {unknown('key', str(first['loc'][-1]), fields)}"
        hint = " (thresholds of a model stand in [model.NAME], without s)" if key in ("top1", "top5", "clip") else ""
        return unknown("key", key, _Entry.model_fields) + hint
    return f"{key} = {table[key]!r}: give {_VALID[key]}"
