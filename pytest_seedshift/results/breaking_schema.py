"""The record of a search: what verdicts.json says of it, in a list of its own, "breaking"; docs: README."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_seedshift.results.statuses import status_of

CLEAR = 0.95
"""The certainty of the intervals by which a probe is called clear of its bounds.

Less than that of verdicts: a verdict is reached as soon as it is certain enough about the design, and then the interval
for all possible pairs, which has two ends, is never clear of the bound at that same certainty.
"""

_Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=2**53)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Score(_Form):
    """A score's mean at a probe with its interval."""

    mean: _Number
    low: _Number
    high: _Number


class Probe(_Form):
    """A magnitude that was looked at."""

    magnitude: _Number
    holds: bool
    clear: bool | None
    """Whether another draw of pairs would surely (95 %) say the same."""
    images: _Count
    scores: dict[str, Score]
    broken: str
    """The bound that is broken, such as `top-1 0.41 < 0.60`; empty where none is."""


class Record(_Form):
    """A search and what it found. Magnitudes are signed."""

    id: str
    test: str
    model: str
    shift: str
    magnitude: _Number
    """Where the search ends: the last magnitude of its sign at which the shift has a meaning, ±1 at most."""
    verdict: Literal["pass", "fail", "measured", "error", "skipped"]
    reason: str
    at: _Number | None
    """The smallest magnitude that fails: 0 without any shift, None where none fails."""
    holds_at: _Number | None
    low: _Number | None
    """Up to here every probe is clear of its bounds."""
    high: _Number | None
    """Here a bound is clearly broken; None where that is nowhere."""
    recovers: list[_Number]
    """Magnitudes beyond `at` at which the model holds again."""
    relapses: list[_Number]
    """Magnitudes beyond the first of these at which it fails again."""
    within_budget: bool
    minimum: _Number | None
    """The least breaking point that was asked for, without its sign."""
    probes: list[Probe]
    images: _Count
    scan: _Count
    """How many images a scan in steps of 0.02 on the whole design would take."""
    design: _Count
    design_seed: _Count = 0
    certainty: Annotated[float, Field(gt=0, lt=1)] | None
    generated: _Count = 0
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    device: str | None
    dtype: str | None
    outcome: Literal["xfailed", "xpassed"] | None = None
    """Of a test that is expected to fail, whether it did."""
    xfail: str = ""
    """Why it is expected to fail."""

    @property
    def status(self) -> str:
        """What came of it: the verdict, or that it is a known failure."""
        return status_of(self.verdict, self.outcome)

    @property
    def shifted(self) -> list[Probe]:
        """The probes without the control."""
        return [probe for probe in self.probes if probe.magnitude]

    @property
    def sign(self) -> str:
        """`+` or `-`."""
        return "-" if self.magnitude < 0 else "+"


def built_in(record: Record) -> dict[str, Any]:
    """A record in built-in types, with the (empty) scores by which those who look at all records tell it."""
    without = {"outcome", "xfail"} if record.outcome is None else set()
    without |= set() if record.design_seed else {"design_seed"}
    return {**record.model_dump(exclude=without), "scores": {}}
