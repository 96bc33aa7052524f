"""`min_breaking_point` in thresholds.toml: how early a model may break.

It stands in `[default]`, `[shift.mean]`, `[model.sd21]` or `[model.sd21.shift.mean]`; the narrowest of these decides,
in the order in which they decide about scores. A magnitude's table (`[shift.mean."0.3"]`) has no breaking point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_seedshift import model_names, shifts
from pytest_seedshift.errors import SeedshiftUsageError

KEY = "min_breaking_point"


class BoundError(SeedshiftUsageError):
    """What is wrong with a `min_breaking_point`, where, and what is valid."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least breaking points, without signs, by model (see `model_names.canonical`) and shift; "" means all."""

    by_place: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def minimum(self, model: str, shift: str) -> float | None:
        """What is asked of a model under a shift such as `mean:channel=2`; None where nothing is."""
        wide_to_narrow = dict.fromkeys(("", shift.partition(":")[0], shift.partition("=")[0], shift))
        owners = ("", model_names.canonical(model))
        found = [self.by_place.get((owner, name)) for owner in owners for name in wide_to_narrow]
        return next((bound for bound in reversed(found) if bound is not None), None)


def check(value: object, where: str) -> float:
    """Read a bound; `where` says who gave it.

    Raises:
        BoundError: not a number above 0 and up to 1.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 1:
        raise BoundError(
            f"{where} {KEY} = {value!r}: give a magnitude above 0 and up to 1, without its sign, such as 0.2: the "
            "least at which the model may break"
        )
    return float(value)


def take(document: Mapping[str, Any], source: str) -> tuple[dict[str, Any], Bounds]:
    """Take all bounds out of the document of a thresholds file. What else is wrong with it is for others to say.

    Returns:
        The document without them, and the bounds.

    Raises:
        BoundError: a bound that is none, or where it has no meaning.
    """
    found: dict[tuple[str, str], float] = {}
    rest = dict(document)
    if "default" in rest:
        rest["default"] = _pop(rest["default"], f"{source}: [default]", found, ("", ""))
    if "shift" in rest:
        rest["shift"] = _of_shifts(rest["shift"], source, "shift", "", found)
    models = rest.get("model")
    if isinstance(models, dict):
        rest["model"] = {name: _of_model(content, source, name, found) for name, content in models.items()}
    return rest, Bounds(found)


def _of_model(content: object, source: str, model: str, found: dict[tuple[str, str], float]) -> object:
    known_as = model_names.canonical(model)
    own = _pop(content, f"{source}: [model.{model}]", found, (known_as, ""))
    if isinstance(own, dict) and "shift" in own:
        own = {**own, "shift": _of_shifts(own["shift"], source, f"model.{model}.shift", known_as, found)}
    return own


def _of_shifts(content: object, source: str, path: str, model: str, found: dict[tuple[str, str], float]) -> object:
    if not isinstance(content, dict):
        return content
    return {
        name: _pop(table, f"{source}: [{path}.{name}]", found, (model, _shift(name)), path=f"{path}.{name}")
        for name, table in content.items()
    }


def _pop(
    table: object, where: str, found: dict[tuple[str, str], float], place: tuple[str, str], path: str = ""
) -> object:
    """A table without its bound, which goes to `found`."""
    if not isinstance(table, dict):
        return table
    for name, inner in table.items():
        if path and isinstance(inner, dict) and KEY in inner:
            raise BoundError(f"{where[:-1]}.{name!r}] {KEY}: one magnitude has no breaking point; put it into [{path}]")
    if KEY not in table:
        return table
    if place[1] == shifts.NONE:
        raise BoundError(f"{where} {KEY}: the unshifted case has no breaking point; put it into [default] or a shift's")
    found[place] = check(table[KEY], where)
    return {name: value for name, value in table.items() if name != KEY}


def _shift(name: str) -> str:
    """A shift's name as cases have it; one that is none is left to those who read the rest of its table."""
    try:
        return str(shifts.parse(name))
    except SeedshiftUsageError:
        return name
