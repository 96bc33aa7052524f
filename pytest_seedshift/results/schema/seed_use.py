"""The form of a bound on the use of the seed vector, held against what was measured of a model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_seedshift.core.seed_use_bounds import SeedUseBound
from pytest_seedshift.results.schema.base import Form, Number


class SeedUse(Form):
    """A bound on the use of the seed vector, and what came of it; see `core.seed_use_bounds`."""

    model: str
    """The model's name."""
    key: Literal["min_sensitivity", "max_sensitivity", "max_sensitivity_regression"]
    """Which bound it is, as the thresholds name it."""
    distance: Literal["clip", "pixel"]
    """By what changes are measured."""
    bound: Number = Field(ge=0)
    """Its value."""
    measured: Number | None = None
    """Of what another label changes; of a regression, of what the baseline has. None where it was not measured."""
    low: Number | None = None
    """The lower end of its interval."""
    high: Number | Literal["inf"] | None = None
    """The upper end."""
    holds: bool | None = None
    """Whether the bound holds; None where it was not measured."""
    elsewhere: bool = False
    """Whether another shard measures it."""
    reason: str = ""
    """Why it was not measured."""

    @property
    def asked(self) -> SeedUseBound:
        """The bound."""
        return SeedUseBound(self.key, self.distance, self.bound)

    @property
    def fails(self) -> bool:
        """Whether it fails a run: it breaks, or nobody has measured it."""
        return not self.holds and not self.elsewhere
