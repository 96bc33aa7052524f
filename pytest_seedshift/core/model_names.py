"""Names of models that are derived from others, read: the base, and the changes after plus signs; see `models.derive`.

Pure text: nothing here knows which models there are. Read while tests are collected, so nothing heavy is imported.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pytest_seedshift.core import typed_values
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown

PLUS = "+"
"""What stands before each change."""

SAMPLERS = ("ancestral", "ddim")

DTYPES = ("bfloat16", "float16", "float32")

QUANTIZATIONS = ("fp8", "fp8dq", "int4", "int8", "int8dq")
"""By torchao: of weights alone, or (`dq`) of what they are multiplied by as well."""

CACHES = ("faster", "first-block", "mag", "pyramid", "sea", "taylorseer")
"""Caches of diffusers, which leave out a part of a network at steps at which it would change little."""

REPAIRS = ("blend", "moments", "quantiles", "spectrum")
"""Of a seed vector, after the shift: see `models.repairs`. A blend has its share behind an equals sign."""

COMPILE_MODES = ("default", "max-autotune", "max-autotune-no-cudagraphs", "reduce-overhead")

_WORD = re.compile(r"[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Change:
    """One that there is.

    Attributes:
        about: what it is about: of one kind there can be one in a name.
        valid: what stands behind the equals sign, for the error; empty where nothing does.
        read: of that text, the value; None where it is not valid.
        alone: the value where it stands without one; None where it cannot.
        spell: a value as its canonical text.
    """

    about: str
    valid: str = ""
    read: Callable[[str], Any] = lambda text: None
    alone: Any = None
    spell: Callable[[Any], str] = str


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and int(text) else None


def _number(text: str, *, zero: bool = False) -> float | None:
    value = typed_values.number(text)
    return value if math.isfinite(value) and (value > 0 or (value == 0 and zero)) else None


def _weighted(text: str) -> tuple[str, float] | None:
    """A place, and the weight behind its last colon, where that is a number: Windows has colons in its paths."""
    place, colon, weight = text.rpartition(":")
    if colon and place:
        value = typed_values.number(weight)
        if math.isfinite(value):
            return place, value
    if not text or (colon and not re.search(r"[/\\]|\.safetensors$", weight)):
        return None
    return text, 1.0


def _cached(text: str) -> tuple[str, float | None] | None:
    method, colon, threshold = text.partition(":")
    if method not in CACHES:
        return None
    value = _number(threshold) if colon else None
    return None if colon and value is None else (method, value)


def repair(text: str) -> str | None:
    """A repair in its canonical spelling, such as `blend=0.3`; None where it is none.

    >>> repair("blend=0.30")
    'blend=0.3'
    """
    name, equals, share = text.partition("=")
    value = _number(share) if equals else None
    if name not in REPAIRS or (name == "blend") != bool(equals) or (equals and not (value and value <= 1)):
        return None
    return text if value is None else f"{name}={value:g}"


def _among(names: Sequence[str]) -> Callable[[str], str | None]:
    return lambda text: text if text in names else None


def _word(text: str) -> str | None:
    return text if _WORD.fullmatch(text) else None


def _spell_cache(value: tuple[str, float | None]) -> str:
    return value[0] if value[1] is None else f"{value[0]}:{value[1]:g}"


def _spell_lora(value: tuple[str, float]) -> str:
    return value[0] if value[1] == 1 else f"{value[0]}:{value[1]:g}"


_VALID_REPAIRS = "one of moments, quantiles, spectrum, or blend=B with B above 0 and at most 1, such as blend=0.3"

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "ancestral": Change("sampler", alone="ancestral"),
        "attention": Change("attention", "an attention backend of diffusers, such as attention=_native_math", _word),
        "cache": Change(
            "cache",
            f"one of {', '.join(CACHES)}, and a threshold where it has one, such as cache=first-block:0.1",
            _cached,
            spell=_spell_cache,
        ),
        "channels_last": Change("channels_last", alone=True),
        "clip": Change(
            "clip", "a number above 0, such as clip=1.5, or clip alone", _number, alone=True, spell=lambda x: f"{x:g}"
        ),
        "compile": Change(
            "compile",
            f"a mode of torch.compile, one of {', '.join(COMPILE_MODES)}, or compile alone",
            _among(COMPILE_MODES),
            alone="default",
        ),
        "ddim": Change("sampler", alone="ddim"),
        "dtype": Change("dtype", f"one of {', '.join(DTYPES)}, such as dtype=bfloat16", _among(DTYPES)),
        **{name: Change("quantization", alone=name) for name in QUANTIZATIONS},
        "guidance": Change(
            "guidance",
            "a number of at least 0, such as guidance=7.5",
            lambda text: _number(text, zero=True),
            spell=lambda x: f"{x:g}",
        ),
        "lora": Change(
            "lora",
            "a .safetensors file, a folder or a hub id, and a weight other than 1 behind a colon, such as "
            "lora=adapters/style.safetensors:0.8",
            _weighted,
            spell=_spell_lora,
        ),
        "noclip": Change("clip", alone=False),
        "prompts": Change(
            "prompts",
            "a file of prompts, as seen from the root folder, or a class list, such as prompts=prompts/animals.csv",
            lambda text: text or None,
        ),
        "repair": Change("repair", _VALID_REPAIRS, repair),
        "scheduler": Change("sampler", "a scheduler class of diffusers, such as scheduler=DDIMScheduler", _word),
        "slicing": Change("slicing", alone=True),
        "steps": Change("steps", "a whole number of at least 1, such as steps=20", _whole),
        "tiling": Change("tiling", alone=True),
        "variant": Change("variant", "a variant of the files of weights, such as variant=fp16", _word),
        "zsnr": Change("zsnr", alone=True),
    }
)
"""All changes, by what stands behind the plus sign, up to an equals sign."""


def canonical(name: str) -> str:
    """A name that is the same for all orders and spellings of the same changes; one without changes stays as it is.

    >>> canonical("toy-latent+steps=010+ddim")
    'toy-latent+ddim+steps=10'
    """
    base, changes = split_changes(name.split(PLUS))
    return PLUS.join([base, *sorted(_spelled(change) for change in changes)])


def base_of(name: str) -> str:
    """The name without the changes at its end; of a model that is not derived, its name."""
    return split_changes(name.split(PLUS))[0]


def split_changes(words: Sequence[str]) -> tuple[str, list[str]]:
    """The words of a name up to the changes, and the changes: all words at the end that begin as one does."""
    count = len(words)
    while count > 1 and words[count - 1].partition("=")[0] in CHANGES:
        count -= 1
    return PLUS.join(words[:count]), list(words[count:])


def _spelled(change: str) -> str:
    try:
        key, value = read(change)
    except InvalidValueError:
        return change
    known = CHANGES[key]
    return key if known.alone is not None and value == known.alone else f"{key}={known.spell(value)}"


def read(change: str) -> tuple[str, Any]:
    """A change's key and value: (`steps`, 20), (`clip`, True), (`noclip`, False), (`ddim`, `ddim`).

    Of a LoRA the value is its place and its weight, of a cache its method and its threshold or None.

    Raises:
        InvalidValueError: there is no such change, or its value is not valid.
    """
    key, equals, text = change.partition("=")
    if key not in CHANGES:
        if not key:
            raise InvalidValueError(
                f"nothing stands between a plus sign and what follows. Changes: {', '.join(CHANGES)}"
            )
        raise InvalidValueError(unknown("change of a model", key, CHANGES))
    known = CHANGES[key]
    if not known.valid:
        if equals:
            raise InvalidValueError(f"{change!r}: {key} takes no value")
        return key, known.alone
    if known.alone is not None and not equals:
        return key, known.alone
    value = known.read(text)
    if value is None:
        raise InvalidValueError(f"{change!r}: give {known.valid}")
    return key, value


def read_repair(how: str) -> tuple[str, float | None]:
    """A repair's name and its share, of those that have one: (`moments`, None), (`blend`, 0.3).

    Raises:
        InvalidValueError: there is no such repair, or its share is not valid.
    """
    known = repair(how)
    if known is None:
        raise InvalidValueError(f"repair {how!r}: give {_VALID_REPAIRS}")
    name, _, share = known.partition("=")
    return name, float(share) if share else None


def about(key: str, value: Any) -> str:
    """What a change is about: of one kind a name can have one; of LoRAs as many as it likes, each once."""
    kind = CHANGES[key].about
    return f"{kind} {value[0]}" if key == "lora" else kind


def table_of(name: str) -> str:
    """The head of a model's table in the thresholds file: `[models.mine]`, `[models."./mine"]`."""
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
    return f"[models.{key}]"
