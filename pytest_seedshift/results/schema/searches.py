"""The record of a search: what verdicts.json says of it, in the list "breaking"; docs: docs/reference/files.md."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_seedshift.results.schema.base import Certainty, Count, Form, Number, Seconds
from pytest_seedshift.results.statuses import status_of

CLEAR = 0.95
"""The certainty of the intervals by which a probe is called clear of its bounds.

Less than that of verdicts: a verdict is reached as soon as it is certain enough about the design, and then the interval
for all possible pairs, which has two ends, is never clear of the bound at that same certainty.
"""


class ProbeScore(Form):
    """A score's mean at a probe with its interval."""

    mean: Number
    low: Number
    high: Number


class Probe(Form):
    """A magnitude that was looked at."""

    magnitude: Number
    holds: bool
    clear: bool | None
    """Whether another draw of pairs would surely (95 %) say the same."""
    images: Count
    scores: dict[str, ProbeScore]
    broken: str
    """The bound that is broken, such as `top-1 0.41 < 0.60`; empty where none is."""


class Search(Form):
    """A search and what it found. Magnitudes are signed."""

    id: str
    test: str
    model: str
    shift: str
    magnitude: Number
    """Where the search ends: the last magnitude of its sign at which the shift has a meaning, ±1 at most."""
    verdict: Literal["pass", "fail", "measured", "error", "skipped"]
    reason: str
    at: Number | None
    """The smallest magnitude that fails: 0 without any shift, None where none fails."""
    holds_at: Number | None
    low: Number | None
    """Up to here every probe is clear of its bounds."""
    high: Number | None
    """Here a bound is clearly broken; None where that is nowhere."""
    recovers: list[Number]
    """Magnitudes beyond `at` at which the model holds again."""
    relapses: list[Number]
    """Magnitudes beyond the first of these at which it fails again."""
    within_budget: bool
    minimum: Number | None
    """The least breaking point that was asked for, without its sign."""
    probes: list[Probe]
    images: Count
    scan: Count
    """How many images a scan in steps of 0.02 on the whole design would take."""
    design: Count
    design_seed: Count = 0
    certainty: Certainty | None
    generated: Count = 0
    seconds: Seconds = 0.0
    device: str | None
    dtype: str | None
    scores: dict[str, ProbeScore] = Field(default_factory=dict)
    """None: those of its probes are theirs."""
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

    @property
    def subject(self) -> str:
        """What it is about, without the model: `mean breaking +`."""
        return f"{self.shift} breaking {self.sign}"
