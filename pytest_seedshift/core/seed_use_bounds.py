"""`min_sensitivity`, `max_sensitivity` in thresholds.toml: how much another seed vector is to change pictures.

They stand in `[default]` or `[model.NAME]`, as a number, of pixels, or as a table by distance, such as
`{ clip = 0.1, pixel = 0.5 }`; 1 is what another label changes. A bound breaks where the whole interval of the
measurement lies beyond it.

`max_sensitivity_regression` is of what is left of the baseline's: with 0.3 at most 0.3 of it may be lost, and the bound
breaks where the whole interval of the ratio, block by block, lies below 0.7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_seedshift.core import model_names
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.stats import seed_shares
from pytest_seedshift.core.stats.seed_shares import KINDS, Sensitivity, Share

MIN, MAX, REGRESSION = "min_sensitivity", "max_sensitivity", "max_sensitivity_regression"

KEYS = (MIN, MAX, REGRESSION)


class BoundError(SeedshiftUsageError):
    """What is wrong with a bound on seed use, where, and what is valid."""


@dataclass(frozen=True, slots=True)
class SeedUseBound:
    """One bound.

    Attributes:
        key: one of `KEYS`.
        kind: of distance, see `seed_shares.KINDS`.
        value: of what another label changes; of a regression, of what the baseline has.
    """

    key: str
    kind: str
    value: float

    def measured(self, found: Sensitivity, before: Sensitivity | None = None) -> Share:
        """What is held against the bound: the share, or what is left of that of a baseline, `before`.

        Raises:
            SensitivityError: there is nothing to hold it against: the baseline's pictures do not change.
        """
        if self.key != REGRESSION:
            return found.vector(self.kind)
        assert before is not None
        return seed_shares.left(found.distances[self.kind], before.distances[self.kind], found.certainty)

    def broken_by(self, share: Share) -> bool:
        """Whether the interval of what was measured lies wholly beyond the bound."""
        if self.key == REGRESSION:
            return share.high < 1 - self.value
        return share.high < self.value if self.key == MIN else share.low > self.value


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
    found = {key: _read(table[key], f"{where} {key}", key) for key in KEYS if key in table}
    low, high = (found.get(key, {}) for key in (MIN, MAX))
    for kind in low.keys() & high.keys():
        if low[kind] > high[kind]:
            raise BoundError(f"{where}: {MIN} = {low[kind]:g} of {kind} is above {MAX} = {high[kind]:g}")
    return {key: each for key, each in table.items() if key not in KEYS}, found


def _read(value: object, where: str, key: str) -> dict[str, float]:
    given: dict[str, Any] = value if isinstance(value, dict) else {"pixel": value}
    for kind in given:
        if kind not in KINDS:
            raise BoundError(f"{where}: {unknown('distance', str(kind), KINDS)}")
    for each in given.values():
        is_number = isinstance(each, (int, float)) and not isinstance(each, bool)
        if key == REGRESSION and not (is_number and 0 <= each < 1):
            raise BoundError(
                f"{where} = {each!r}: give the part of the baseline's that may be lost, from 0 to below 1, such as "
                "0.3. Or give one for each distance: { clip = 0.5, pixel = 0.3 }"
            )
        if key != REGRESSION and not (is_number and 0 < each < math.inf):
            raise BoundError(
                f"{where} = {each!r}: give a part of what another label changes, above 0, such as 0.3. Or give one for "
                "each distance: { clip = 0.1, pixel = 0.3 }"
            )
    if not given:
        raise BoundError(f"{where}: sets no bound; give a number above 0, such as 0.3")
    return {kind: float(each) for kind, each in given.items()}
