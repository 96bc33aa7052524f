"""What is asked of one score: how it is written in thresholds.toml and in markers, reading it, and its errors."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from pytest_seedshift.core import breaking_bounds, known_failures, likeness, prompt_sets, seed_use_bounds, shifts, tails
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.registry import ExtensionError
from pytest_seedshift.core.scores import AvailableScores, Constraint, Margin
from pytest_seedshift.core.thresholds import ThresholdsError

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind

ANY_SCORE = AvailableScores()
"""Any that the session has."""

_PERCENTAGE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")

_MARGIN: dict[str, Any] = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": f"^{_PERCENTAGE.pattern}$"}]
}
"""What `margin` reads, as JSON Schema."""


class ScoreBounds(BaseModel):
    """What is asked of one score: its minimum and its largest drop against the control and against the baseline.

    And how near to the baseline it has to be shown to be; see `margin`.
    """

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The least mean over the design."""
    max_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The largest drop against the control, on the same pairs."""
    max_regression: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The largest drop against the baseline, on the same pairs."""
    significant: bool | Literal["any"] | None = None
    """When a drop beyond `max_regression` counts: `true`, where chance is ruled out as the reason why it is larger;
    `"any"`, where chance is ruled out as the reason of any drop; `false`, always."""
    within: Annotated[Any, WithJsonSchema(_MARGIN)] = None
    """How near to the baseline's mean the version's is to be shown to lie: in the score's units, or a percentage of
    that mean such as `"0.2%"`."""


def constraint(score: str, value: object, where: str, scores: AvailableScores = ANY_SCORE) -> Constraint:
    """Read one score's bounds: a number (its minimum) or a mapping with `min`, `max_drop`, `max_regression`, `within`.

    Raises:
        ThresholdsError: an unknown score or bound, or a bound outside its range.
    """
    kind = kind_of(score, value, where, scores)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = {"min": value}
    if not isinstance(value, dict):
        raise ThresholdsError(f"{where} {score} = {value!r}: give a number or {{ min = …, max_drop = … }}")
    try:
        bounds = ScoreBounds.model_validate(value)
    except pydantic.ValidationError as error:
        raise ThresholdsError(f"{where} {score}: {explain(error)}") from None
    if bounds.min is bounds.max_drop is bounds.max_regression is bounds.within is None:
        raise ThresholdsError(
            f"{where} {score}: sets no bound; give min, max_drop or both, or max_regression or within"
        )
    if bounds.significant is not None and bounds.max_regression is None:
        raise ThresholdsError(f"{where} {score}: significant belongs to max_regression, which is not set")
    top = kind.span
    for name, bound, low, high in (
        ("min", bounds.min, kind.low, kind.top),
        ("max_drop", bounds.max_drop, 0.0, top),
        ("max_regression", bounds.max_regression, 0.0, top),
    ):
        if bound is not None and not low <= bound <= high:
            percent = f" (as a part of 1, {bound:g} % is {bound / 100:g})" if high == 1 and 2 <= bound <= 100 else ""
            raise ThresholdsError(
                f"{where} {score}: {name} = {bound:g} is outside its range, {low:g} to {high:g}{percent}"
            )
    significant = True if bounds.significant is None else bounds.significant
    limits = bounds.min, bounds.max_drop, bounds.max_regression
    within = None if bounds.within is None else margin(bounds.within, f"{where} {score}: within", top)
    if within is not None and within.value is not None and (bounds.max_regression or 0) >= within.value:
        raise ThresholdsError(
            f"{where} {score}: max_regression = {bounds.max_regression:g} can never break where within = "
            f"{within.value:g} holds: leave it out, or give a smaller one"
        )
    return Constraint(score, *limits, significant, within=within, own_kind=kind)


def kind_of(score: str, value: object, where: str, scores: AvailableScores) -> ScoreKind:
    """What a score is, of which something is asked.

    Raises:
        ThresholdsError: there is no such score; the message guesses by the value what was meant.
    """
    try:
        kind = scores.find(score)
    except ExtensionError as error:
        raise ThresholdsError(f"{where} {error}") from None
    if kind is None:
        raise ThresholdsError(f"{where} {unknown('score', score, scores.names)}{_hint(score, value)}")
    return kind


def margin(value: object, where: str, top: float) -> Margin:
    """Read how far from the baseline's mean a version's may lie: a number, or a percentage of that mean.

    Args:
        value: such as `0.002`, in the score's units, or `"0.2%"`.
        where: it stands.
        top: the largest drop of the score.

    Raises:
        ThresholdsError: it is none, or outside its range.
    """
    said = f"{where} = {value!r}"
    if isinstance(value, str):
        found = _PERCENTAGE.fullmatch(value)
        share = float(found[1]) / 100 if found else math.nan
        if not 0 < share < 1:
            raise ThresholdsError(
                f"{said}: give a number in the score's units, or a percentage of the baseline's mean above \"0%\" and "
                'below "100%", such as "0.2%"'
            )
        return Margin(share=share)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ThresholdsError(f'{said}: give a number in the score\'s units, or a percentage such as "0.2%"')
    if value == 0:
        raise ThresholdsError(
            f"{said}: no number of images shows that two versions are exactly alike. Give the difference allowed, "
            f'above 0 and below {top:g}, or a percentage such as "0.2%"'
        )
    if not 0 < value < top:
        percent = f' (as a percentage of the baseline\'s mean: "{value:g}%")' if top == 1 and 1 <= value < 100 else ""
        raise ThresholdsError(f"{said} is outside its range, above 0 and below {top:g}{percent}")
    return Margin(float(value))


def _hint(key: str, value: object) -> str:
    """What else was perhaps meant by a key that is no score."""
    if isinstance(value, dict):
        if re.fullmatch(r"\s*[+-]?\d*,\d+\s*", key):
            return f'. A magnitude is written with a point: "{key.strip().replace(",", ".")}"'
        if re.fullmatch(r"\s*[+-]?[\d.]+\s*%\s*", key):
            return '. A magnitude is no percentage: 30 % is "0.3"'
        if key in (shifts.NONE, *shifts.names()):
            return f". The table of a shift is [shift.{key}], or of a model [model.NAME.shift.{key}]"
        if difflib.get_close_matches(key, ["shift"], 1):
            return ". Tables of shifts stand in [shift.mean], or of a model in [model.NAME.shift.mean]"
    if key in seed_use_bounds.KEYS:
        return ". How much a seed vector is used is no matter of a shift: it stands in [default] or [model.NAME]"
    if key in prompt_sets.KEYS:
        return ". What a model is asked for stands in [models.NAME], which describes it, or in [default]"
    keys = prompt_sets.KEYS if isinstance(value, (str, list)) else ()
    keys = (*keys, breaking_bounds.KEY, *known_failures.KEYS, *seed_use_bounds.KEYS)
    for name in (*keys, *([likeness.TABLE] if isinstance(value, dict) else [])):
        if difflib.get_close_matches(key, [name], 1, 0.8):
            return f". Did you mean {name!r}?"
    return ""


def explain(error: pydantic.ValidationError, form: type[BaseModel] = ScoreBounds, what: str = "bound") -> str:
    """The first of pydantic's errors, in our words."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        return unknown(what, name, (*form.model_fields, *(tails.KEYS if form is ScoreBounds else ())))
    return f"{name} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"
