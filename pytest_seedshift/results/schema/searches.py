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
    """Over the images that were looked at."""
    low: Number
    """The lower end of the interval of the model's own mean."""
    high: Number
    """The upper end of that interval."""


class Probe(Form):
    """A magnitude that was looked at."""

    magnitude: Number
    """With its sign; 0 is the control."""
    holds: bool
    """Whether all bounds hold."""
    clear: bool | None
    """Whether another draw of pairs would give the same verdict, at 95 % certainty."""
    images: Count
    """Images looked at."""
    scores: dict[str, ProbeScore]
    """By score, its mean."""
    broken: str
    """The bound that is broken, such as `top-1 0.41 < 0.60`; empty where none is."""


class Search(Form):
    """A search and what it found. Magnitudes are signed."""

    id: str
    """The search, such as `toy-latent-mean-breaking-+`."""
    test: str
    """The test's node id, as pytest names it."""
    model: str
    """The model's name."""
    shift: str
    """The shift's name."""
    magnitude: Number
    """Where the search ends: the last magnitude of its sign at which the shift has a meaning, ±1 at most."""
    verdict: Literal["pass", "fail", "measured", "error", "skipped"]
    """What came of it; `measured` where no breaking point was required."""
    reason: str
    """The same in words."""
    at: Number | None
    """The smallest magnitude that fails: 0 without any shift, null where none fails."""
    holds_at: Number | None
    """The largest magnitude below `at` that holds; null where the model fails without a shift."""
    low: Number | None
    """Up to here every probe is clear of its bounds."""
    high: Number | None
    """Here a bound is clearly broken; null where that is nowhere."""
    recovers: list[Number]
    """Magnitudes beyond `at` at which the model holds again."""
    relapses: list[Number]
    """Magnitudes beyond the first of these at which it fails again."""
    within_budget: bool
    """Whether the budget of images was enough for the whole search."""
    minimum: Number | None
    """The least breaking point that is required, without its sign."""
    probes: list[Probe]
    """The magnitudes that were looked at."""
    images: Count
    """Images looked at, over all probes."""
    scan: Count
    """How many images a scan in steps of 0.02 on the whole design would take."""
    design: Count
    """Images that the design has."""
    design_seed: Count = 0
    """Which draw of pairs the design is."""
    certainty: Certainty | None
    """Of the verdicts at each probe."""
    generated: Count = 0
    """Images made for it in this run: stands in costs.json."""
    seconds: Seconds = 0.0
    """Seconds that this took: stands in costs.json."""
    device: str | None
    """Where it ran, such as `cuda` or `cpu`."""
    dtype: str | None
    """The type that it computed in, such as `float16`."""
    scores: dict[str, ProbeScore] = Field(default_factory=dict)
    """Empty: each probe has its own."""
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
