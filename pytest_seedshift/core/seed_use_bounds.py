"""`min_sensitivity`, `max_sensitivity` in thresholds.toml: how much another seed vector is to change pictures.

They stand in `[default]` or `[model.NAME]`, as a number, of pixels, or as a table by distance, such as
`{ clip = 0.1, pixel = 0.5 }`; 1 is what another label changes. A bound breaks where the whole interval of the
measurement lies beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_seedshift.core import model_names
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.stats.seed_shares import KINDS, Sensitivity, Share

MIN, MAX = "min_sensitivity", "max_sensitivity"

KEYS = (MIN, MAX)


class BoundError(SeedshiftUsageError):
    """What is wrong with a bound on seed use, where, and what is valid."""


@dataclass(frozen=True, slots=True)
class SeedUseBound:
    """One bound.

    Attributes:
        key: `MIN` or `MAX`.
        kind: of distance, see `seed_shares.KINDS`.
        value: of what another label changes.
    """

    key: str
    kind: str
    value: float

    def broken_by(self, found: Sensitivity) -> Share | None:
        """What was measured, where its interval lies wholly beyond the bound; else None."""
        share = found.vector(self.kind)
        beyond = share.high < self.value if self.key == MIN else share.low > self.value
        return share if beyond else None


@dataclass(frozen=True, slots=True)
class SeedUseBounds:
    """All bounds: by model (see `model_names.canonical`; "" means all) and key, the values by distance."""

    by_place: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)

    def of(self, model: str) -> tuple[SeedUseBound, ...]:
        """What is asked of a model: its own table decides about a key that it has."""
        own = model_names.canonical(model)
        found = {key: self.by_place.get((own, key), self.by_place.get(("", key), {})) for key in KEYS}
        return tuple(SeedUseBound(key, kind, value) for key, each in found.items() for kind, value in each.items())


def split(table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """A table without its bounds on seed use, and these by key.

    Raises:
        BoundError: one is no such bound.
    """
    found = {key: _read(table[key], f"{where} {key}") for key in KEYS if key in table}
    low, high = (found.get(key, {}) for key in KEYS)
    for kind in low.keys() & high.keys():
        if low[kind] > high[kind]:
            raise BoundError(f"{where}: {MIN} = {low[kind]:g} of {kind} is above {MAX} = {high[kind]:g}")
    return {key: each for key, each in table.items() if key not in KEYS}, found


def _read(value: object, where: str) -> dict[str, float]:
    given: dict[str, Any] = value if isinstance(value, dict) else {"pixel": value}
    for kind in given:
        if kind not in KINDS:
            raise BoundError(f"{where}: {unknown('distance', str(kind), KINDS)}")
    for each in given.values():
        if isinstance(each, bool) or not isinstance(each, (int, float)) or not 0 < each < math.inf:
            raise BoundError(
                f"{where} = {each!r}: give a number above 0, such as 0.3, of what another label changes; or by "
                "distance, { clip = 0.1, pixel = 0.3 }"
            )
    if not given:
        raise BoundError(f"{where}: sets no bound; give a number above 0, such as 0.3")
    return {kind: float(each) for kind, each in given.items()}
