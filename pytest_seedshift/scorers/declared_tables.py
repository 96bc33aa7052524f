"""Reading the tables `[scorers.NAME]` of thresholds.toml, and `[tool.seedshift.scorers.NAME]` of pyproject.toml."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pytest_seedshift.core import likeness, typed_values
from pytest_seedshift.core.checkpoints import places
from pytest_seedshift.core.errors import InvalidValueError, ModelError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import TAKEN
from pytest_seedshift.scorers.declaration import HOWS, SHORT, Declared, changed, usual

_Text: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
_Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]

_NAME = re.compile(r"[^\W\d][\w+-]*")
_TAKEN = ("likeness", "min_breaking_point", *TAKEN)
"""Keys of tables that name scores, and columns of those that list them."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["clip", "vqa", "questions"] | None = None
    source: _Text | None = None
    title: _Text | None = None
    low: _Number | None = None
    high: _Number | None = None
    question: _Text | None = None
    every: bool | None = None
    dtype: Literal["float32", "float16", "bfloat16"] | None = None


_VALID = {
    "kind": '"clip", "vqa" or "questions"',
    "source": "a folder, a hub id 'owner/name', or, of clip, a tag of open_clip",
    "title": "a text",
    "low": "a number, the smallest value of the score",
    "high": "a number, the largest value of the score",
    "question": "a text with {prompt} in it",
    "every": "true or false: whether the score is 1 where all questions are answered yes, else 0",
    "dtype": "float32, float16 or bfloat16",
}
_OF = {"low": ("clip",), "high": ("clip",), "question": ("vqa",), "every": ("questions",), "dtype": HOWS[1:]}
"""By key, the kinds that it is for; every other one is for all."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of one table, as pydantic makes it, with what is valid as the description of each key."""
    made = _Table.model_json_schema()
    for key, field in made["properties"].items():
        field["description"] = _VALID[key]
    return made


def read(tables: object, path: Path, prefix: str) -> Iterator[tuple[Declared, str]]:
    """The scorers of the tables of a file, with where each stands.

    Args:
        tables: by name.
        path: of the file, to whose folder paths are relative.
        prefix: what stands before a name: `scorers`.

    Raises:
        InvalidValueError: something in them is not valid; the message says what is.
    """
    if not isinstance(tables, Mapping):
        raise InvalidValueError(f"{path}: [{prefix}] is {tables!r}, not a table")
    for name, table in tables.items():
        where = f"{path}: [{prefix}.{name}]"
        yield _read(name, table, where, path.parent), where


def _read(name: str, table: object, where: str, folder: Path) -> Declared:
    _check_name(name, where)
    if not isinstance(table, Mapping):
        raise InvalidValueError(f"{where} is {table!r}, not a table")
    try:
        given = _Table.model_validate(dict(table))
    except pydantic.ValidationError as error:
        raise InvalidValueError(f"{where}: {_explain(error, table)}") from None
    base = SHORT.get(name)
    how = given.kind or (base.how if base is not None else None)
    if how is None:
        raise InvalidValueError(f"{where}: no kind is given: add kind = …, {_VALID['kind']}")
    source = given.source or (base.source if base is not None and base.how == how else None)
    if source is None:
        raise InvalidValueError(f"{where}: no source is given: add source = …, {_VALID['source']}")
    for key, kinds in _OF.items():
        if getattr(given, key) is not None and how not in kinds:
            raise InvalidValueError(
                f"{where}: {key} is of the kind {' and '.join(kinds)}, and this one is of {how}"
                + (", whose values lie from 0 to 1" if key in ("low", "high") else "")
            )
    start = base if base is not None and base.how == how else usual(name, how, source)
    changes: dict[str, Any] = {
        key: value
        for key in ("title", "low", "high", "question", "every", "dtype")
        if (value := getattr(given, key)) is not None
    }
    made = changed(start, source=_place(source, folder, where), **changes)
    _check_range(made, where)
    if made.question.count("{prompt}") != 1 or "{" in made.question.replace("{prompt}", ""):
        raise InvalidValueError(f"{where}: question = {made.question!r}: give {_VALID['question']}, once")
    return made


def _check_name(name: str, where: str) -> None:
    if name in BUILT_IN:
        key = "clip" if name == "clip" else "vit"
        raise InvalidValueError(
            f"{where}: {name} is a score that every model has. Give its weights by scorers = {{ {key} = … }} in "
            "[models.NAME], or give this scorer another name"
        )
    if not _NAME.fullmatch(name) or name in _TAKEN or likeness.measure_of(name) is not None:
        raise InvalidValueError(
            f"{where}: {name!r} is not a name of a score: begin with a letter, then letters, digits and _ + -, "
            f"and take none of {', '.join(_TAKEN)}"
        )


def _check_range(made: Declared, where: str) -> None:
    if not (math.isfinite(made.low) and math.isfinite(made.high) and made.low < made.high):
        raise InvalidValueError(
            f"{where}: low = {made.low:g} is not below high = {made.high:g}: give the range of its values"
        )
    if made.how == "clip" and not (made.low >= -100 and made.high <= 100):
        raise InvalidValueError(f"{where}: low and high are of 100·cos, which lies from -100 to 100")


def _place(text: str, folder: Path, where: str) -> str:
    """A source as a scorer holds it: a path in full, or whatever else it is, as it stands."""
    path = folder / typed_values.expand(text)
    try:
        places.refuse_pickle(path)
    except ModelError as error:
        raise InvalidValueError(f"{where}: source: {error}") from None
    return str(path) if path.exists() or places.looks_like_path(text) else text


def _explain(error: pydantic.ValidationError, table: Mapping[str, Any]) -> str:
    """The first of pydantic's errors, in our words."""
    found = error.errors()
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return unknown("key", key, _Table.model_fields)
    return f"{key} = {table[key]!r}: give {_VALID[key]}"
