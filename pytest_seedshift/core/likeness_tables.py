"""Tables of `[likeness]` in thresholds.toml, also beside the scores of a model or a shift, and their errors.

    [likeness]
    ssim = 0.95                                                # of the mean over the pairs of a case
    embedding = { min = 0.98, floor = 0.90, share = 0.99 }     # and 99 % of the pairs reach 0.90

    [likeness.models]
    dinov2 = "facebook/dinov2-base"                            # a folder or a hub id, where that measure is bounded

A measure is bounded from below, alone by a number; `floor` and `share` belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pytest_seedshift.core import likeness
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.score_bounds import explain
from pytest_seedshift.core.scores import Constraint
from pytest_seedshift.core.thresholds import Table, ThresholdsError


class LikenessBounds(BaseModel):
    """What is asked of one measure."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The least mean over the pairs of a case."""
    floor: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """What at least `share` of the pairs reach."""
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    """The least share of the pairs that reach `floor`."""


def constraints(value: object, where: str) -> Table:
    """What a table asks.

    Args:
        value: of the table.
        where: it stands, such as `thresholds.toml: [shift.mean.likeness]`.

    Raises:
        ThresholdsError: it is no table, names no measure, or a bound is outside of its range.
    """
    if not isinstance(value, dict):
        raise ThresholdsError(
            f"{where} is {value!r}, not a table: give a measure its least value, such as ssim = 0.95. "
            f"Known: {', '.join(likeness.MEASURES)}"
        )
    found: Table = {}
    for measure, bounds in value.items():
        if measure not in likeness.MEASURES:
            raise ThresholdsError(f"{where}: {unknown('measure of likeness', measure, likeness.MEASURES)}")
        found |= _of_measure(measure, bounds, where)
    return found


def models(value: object, where: str, folder: Path) -> dict[str, str]:
    """What `[likeness.models]` says: by measure, the folder or the hub id of the model that measures it.

    Args:
        value: of the table.
        where: it stands.
        folder: of the file, in which a relative path is looked for.

    Raises:
        ThresholdsError: it is no table, or says something invalid.
    """
    if not isinstance(value, dict):
        raise ThresholdsError(f"{where} is {value!r}, not a table: give it such as {_SUCH}")
    found = {}
    for measure, source in value.items():
        if measure not in likeness.WITH_MODELS:
            raise ThresholdsError(
                f"{where}: {unknown('measure of likeness with a model', measure, likeness.WITH_MODELS)}"
            )
        if not isinstance(source, str) or not source.strip():
            raise ThresholdsError(f"{where} {measure} = {source!r}: give a folder or a hub id, such as {_SUCH}")
        beside = folder / source
        found[measure] = str(beside) if beside.is_dir() else source
    return found


def check_models(scores: Iterable[str], given: Mapping[str, str], source: str) -> None:
    """Make sure that the measures that are bounded have their models.

    Args:
        scores: that anything is asked of.
        given: what `models` gives.
        source: the file.

    Raises:
        ThresholdsError: one has none.
    """
    for measure in sorted(likeness.measures(scores) & {*likeness.WITH_MODELS}):
        if measure not in given:
            raise ThresholdsError(
                f"{source}: [likeness] {measure} needs a model, and none is named: add [likeness.models] {_SUCH}, or "
                "the folder of one"
            )


_SUCH = 'dinov2 = "facebook/dinov2-base"'


def _of_measure(measure: str, value: object, where: str) -> Table:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = {"min": value}
    if not isinstance(value, dict):
        raise ThresholdsError(f"{where} {measure} = {value!r}: give a number or {{ min = …, floor = …, share = … }}")
    try:
        bounds = LikenessBounds.model_validate(value)
    except pydantic.ValidationError as error:
        raise ThresholdsError(f"{where} {measure}: {explain(error, LikenessBounds)}") from None
    if (bounds.floor is None) is not (bounds.share is None):
        raise ThresholdsError(
            f"{where} {measure}: floor and share belong together: at least such a share of the pairs reaches the floor"
        )
    if bounds.min is bounds.floor is None:
        raise ThresholdsError(f"{where} {measure}: sets no bound; give min, or floor and share, or all of them")
    found: Table = {}
    if bounds.min is not None:
        _check(measure, "min", bounds.min, where)
        found |= _table(likeness.score_of(measure), bounds.min)
    if bounds.floor is not None and bounds.share is not None:
        _check(measure, "floor", bounds.floor, where)
        found |= _table(likeness.score_of(measure, bounds.floor), bounds.share)
    return found


def _table(score: str, minimum: float) -> Table:
    return {score: Constraint(score, minimum, own_kind=likeness.kind_of(score))}


def _check(measure: str, name: str, bound: float, where: str) -> None:
    top = likeness.MEASURES[measure].top
    if 0 <= bound <= top:
        return
    hint = f" (as a part of 1, {bound:g} % is {bound / 100:g})" if top == 1 and 2 <= bound <= 100 else ""
    if measure == "psnr" and bound > top:
        hint = f": more than {top:g} dB counts as {top:g}, and equal pictures have an infinite one"
    raise ThresholdsError(f"{where} {measure}: {name} = {bound:g} is outside its range, 0 to {top:g}{hint}")
