"""Bounds of a distribution's tail as tables and markers have them, beside `min` and the others of a score.

    top1 = { min = 0.6, min_class = 0.3, any_of = { k = 4, min = 0.95 }, all_of = { k = 4, min = 0.5 } }
    clip = { min = 22, quantile = { q = 0.05, min = 18 } }

See `tails` for what these are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pytest_seedshift.core import score_bounds
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.score_bounds import ANY_SCORE
from pytest_seedshift.core.scores import AvailableScores, Constraint
from pytest_seedshift.core.tails import ALL_OF, ANY_OF, AT_LEAST, KEYS, MIN_CLASS, QUANTILE, Tail
from pytest_seedshift.core.thresholds import ThresholdsError

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind


class _Group(BaseModel):
    """What is asked of groups of pictures of one class."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    k: Annotated[int, Field(ge=2)]
    """How many pictures of one class, of unlike seeds, make a group."""
    min: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    """The least share of the groups."""


class _Quantile(BaseModel):
    """What is asked of the lower end of a score's values."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    q: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    """The share of the pictures that may lie below `min`."""
    min: Annotated[float, Field(allow_inf_nan=False)]
    """The value that all others reach."""


class TailBounds(BaseModel):
    """Bounds of a tail, as they stand beside the others of a score."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    min_class: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    """The least accuracy of each class: none is to be shown to be below it."""
    any_of: _Group | None = None
    """Of k pictures of one class, in which share of groups any is to be right."""
    all_of: _Group | None = None
    """Of k pictures of one class, in which share of groups all are to be right."""
    quantile: _Quantile | None = None
    """Which value at most a share of the pictures may miss."""


_SHAPES: dict[str, tuple[type[BaseModel], str]] = {
    ANY_OF: (_Group, "{ k = 4, min = 0.95 }: of k pictures of a class, in which share of groups any is to be right"),
    ALL_OF: (_Group, "{ k = 4, min = 0.5 }: of k pictures of a class, in which share of groups all are to be right"),
    QUANTILE: (_Quantile, "{ q = 0.05, min = 20 }: the value that at most a share q of the pictures may miss"),
}


def constraints(score: str, value: object, where: str, scores: AvailableScores = ANY_SCORE) -> dict[str, Constraint]:
    """Read one score's bounds, those of its tail among them; see `score_bounds.constraint`.

    Returns:
        By score, that of each tail among them, one constraint.

    Raises:
        ThresholdsError: an unknown score or bound, or a bound outside its range, or one that means nothing of it.
    """
    if not isinstance(value, dict) or not any(key in value for key in KEYS):
        return {score: score_bounds.constraint(score, value, where, scores)}
    rest = {key: each for key, each in value.items() if key not in KEYS}
    found = {score: score_bounds.constraint(score, rest, where, scores)} if rest else {}
    kind = score_bounds.kind_of(score, value, where, scores)
    for key in KEYS:
        if key in value:
            made = _tail(key, value[key], f"{where} {score}", kind, score)
            found[made.score] = made
    return found


def _tail(key: str, value: object, where: str, kind: ScoreKind, score: str) -> Constraint:
    if key == QUANTILE and kind.binary:
        raise ThresholdsError(
            f"{where}: {key} is of scores with many values, and {kind.title} is 0 or 1: give min, min_class, any_of "
            "or all_of"
        )
    if key != QUANTILE and not kind.binary:
        raise ThresholdsError(
            f"{where}: {key} needs a score that is 0 or 1, such as top1, and {kind.title} goes from {kind.range}. Give "
            "quantile = { q = 0.05, min = … }"
        )
    if key == MIN_CLASS:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
            raise ThresholdsError(
                f"{where}: {key} = {value!r}: give the least share of a class's pictures that is right, above 0 and "
                "below 1, such as 0.3"
            )
        return _made(Tail(score, MIN_CLASS), kind, float(value))
    form, shape = _SHAPES[key]
    if not isinstance(value, dict):
        raise ThresholdsError(f"{where}: {key} = {value!r}: give such as {shape}")
    try:
        read = form.model_validate(value)
    except pydantic.ValidationError as error:
        raise ThresholdsError(f"{where} {key}: {_explained(error, form)}. Give such as {shape}") from None
    if isinstance(read, _Group):
        return _made(Tail(score, key, read.k), kind, read.min)
    assert isinstance(read, _Quantile)
    if not kind.low < read.min <= kind.top:
        raise ThresholdsError(
            f"{where} {key}: min = {read.min:g} is outside its range, above {kind.low:g} and up to {kind.top:g}"
        )
    return _made(Tail(score, AT_LEAST, read.min), kind, round(1 - read.q, 12))


def _explained(error: pydantic.ValidationError, form: type[BaseModel]) -> str:
    errors = error.errors()
    extra = next((each for each in errors if each["type"] == "extra_forbidden"), None)
    if extra is not None:
        return unknown("setting", str(extra["loc"][-1]), form.model_fields)
    if errors[0]["type"] == "missing":
        return f"{errors[0]['loc'][-1]} is lacking"
    return score_bounds.explain(error, form)


def _made(tail: Tail, kind: ScoreKind, minimum: float) -> Constraint:
    return Constraint(tail.name, minimum, own_kind=tail.described(kind))
