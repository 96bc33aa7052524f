"""`min_breaking_point` in thresholds.toml: how early a model may break.

It stands in `[default]`, `[shift.mean]`, `[model.sd21]` or `[model.sd21.shift.mean]`; the narrowest of these decides,
in the order in which they decide about scores. A magnitude's table (`[shift.mean."0.3"]`) has no breaking point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_seedshift.core import model_names
from pytest_seedshift.core.errors import SeedshiftUsageError

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
            f"{where} {KEY} = {value!r}: give the smallest magnitude at which the model may break, above 0 and up to "
            "1, such as 0.2"
        )
    return float(value)
