"""What a run folder tells, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.scores import SCORES, Estimate, Finding, mean_of

if TYPE_CHECKING:
    from pytest_seedshift import facts
    from pytest_seedshift.breaking.form import Record as Search
    from pytest_seedshift.cases import Case
    from pytest_seedshift.gate.regression import Comparison
    from pytest_seedshift.seeduse import SeedUse

UNFINISHED = "unfinished"
"""The verdict of a case whose samples exist but which no verdict speaks of."""

SKIPPED = "skipped"
"""The verdict of a case whose test was skipped."""

XFAILED, XPASSED = "xfailed", "xpassed"
"""The outcomes of a test that is expected to fail, in pytest's words: it did, or it passed."""

KNOWN = "known"
"""The status of a known failure: of a case that does not pass, as its test expects."""


def status_of(verdict: str, outcome: str | None) -> str:
    """What came of a case: its verdict, or that it is a known failure."""
    return KNOWN if outcome == XFAILED else verdict


STATUSES = ("fail", "error", UNFINISHED, KNOWN, "pass", "measured", SKIPPED)
"""From the worst. What one test has skipped and another has judged is judged."""


def rank(status: str) -> int:
    """The place of a status from the worst, 0."""
    return STATUSES.index(status)


class RunError(Exception):
    """A run folder of which nothing can be told; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a case: its pair, its scores, and its picture if it was kept and is there."""

    label: str
    seed: int
    scores: Mapping[str, float]
    picture: Path | None = None
    lost: bool = False
    """Whether a picture was kept but is not there."""

    @property
    def pair(self) -> tuple[str, int]:
        """The label and the seed index."""
        return self.label, self.seed

    @property
    def right(self) -> bool | None:
        """Whether top-1 is right; None where it was not measured."""
        return bool(self.scores["top1"]) if "top1" in self.scores else None


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case and what came of it."""

    case: Case
    verdict: str
    reason: str
    scores: Mapping[str, Estimate]
    findings: tuple[Finding, ...]
    images: int
    design: int
    certainty: float | None
    generated: int
    """How many images were made for it in this run, in `seconds`; 0 where that is not known."""
    seconds: float
    device: str | None
    dtype: str | None
    test: str
    samples: tuple[Sample, ...] = ()
    """Those that the verdict rests on, in the order of the design; without a store those whose pictures were kept."""
    control: Mapping[tuple[str, int], Sample] = field(default_factory=dict)
    """The control's samples of the same pairs, as far as they exist."""
    null: bool = False
    """Whether it is a null control, which tells of the harness and not of the model."""
    complete: bool = False
    """Whether `samples` are all that the verdict rests on."""
    outcome: str | None = None
    """Of a test that is expected to fail, whether it did: `XFAILED` or `XPASSED`."""
    xfail: str = ""
    """Why it is expected to fail."""
    design_seed: int = 0

    @property
    def id(self) -> str:
        """The case's id."""
        return self.case.id

    @property
    def status(self) -> str:
        """What came of it: the verdict, or that it is a known failure."""
        return status_of(self.verdict, self.outcome)

    @property
    def failed(self) -> bool:
        """Whether it fails the run: it does not pass or could not be judged, and nobody expects that."""
        return self.status in ("fail", "error")

    @property
    def early(self) -> bool:
        """Whether it was decided before its whole design was visited: then its means lean towards the verdict."""
        return self.images < self.design

    def breaks(self, score: str) -> bool:
        """Whether a score breaks one of its bounds."""
        return any(each.holds is False for each in self.findings if each.score == score)

    def minimum(self, score: str) -> float | None:
        """The least that is asked of a score."""
        return next((each.bound for each in self.findings if (each.score, each.kind) == (score, "min")), None)

    @property
    def control_means(self) -> dict[str, float]:
        """The control's mean by score, on the pairs that both have; empty for the control itself."""
        both = [] if self.case.is_control else list(self.paired())
        values = {name: [before.scores[name] for before, _ in both if name in before.scores] for name in self.scores}
        return {name: mean_of(name, row) for name, row in values.items() if row}

    def paired(self) -> Iterator[tuple[Sample, Sample]]:
        """The control's sample and the case's, for every pair that both have."""
        for sample in self.samples:
            before = self.control.get(sample.pair)
            if before is not None:
                yield before, sample


@dataclass(frozen=True, slots=True)
class Run:
    """What a run folder tells."""

    path: Path
    cases: tuple[CaseRun, ...]
    facts: tuple[facts.Facts, ...]
    """Of each session that the folder holds; of one, unless several were merged."""
    notes: tuple[str, ...]
    """What is missing, in words."""
    nulls: tuple[CaseRun, ...] = ()
    """Null controls. They are not among the cases, unless there are no others."""
    seed_uses: Mapping[str, SeedUse] = field(default_factory=dict)
    """By model, how much it looks at its seed vector, as far as that is known."""
    comparison: Comparison | None = None
    """With another run, where one was asked for; that with the run's own baseline is found in its folder."""
    breaking: tuple[Search, ...] = ()
    """The searches for breaking points."""
    missing: tuple[Case, ...] = ()
    """The cases of the grid that no verdict speaks of."""

    @property
    def failed(self) -> set[Case]:
        """The cases that do not pass: those that fail, and those without a verdict."""
        return {each.case for each in self.cases if each.verdict != "pass"}

    @property
    def models(self) -> list[str]:
        """The models, in their order."""
        return list(dict.fromkeys((*(each.case.model for each in self.cases), *(each.model for each in self.breaking))))

    @property
    def shifts(self) -> list[str]:
        """The shifts, in their order, without the control's "none"."""
        of_cases = (each.case.shift for each in self.cases if not each.case.is_control)
        return list(dict.fromkeys((*of_cases, *(each.shift for each in self.breaking))))

    @property
    def scores(self) -> list[str]:
        """The scores that were measured, in the order of `SCORES`."""
        found = {score for each in self.cases for score in each.scores}
        found |= {score for search in self.breaking for probe in search.probes for score in probe.scores}
        return [score for score in SCORES if score in found]

    def of(self, model: str) -> list[CaseRun]:
        """A model's cases."""
        return [each for each in self.cases if each.case.model == model]

    def missing_of(self, model: str) -> list[Case]:
        """A model's cases of the grid that no verdict speaks of."""
        return [each for each in self.missing if each.model == model]

    def searches(self, model: str) -> list[Search]:
        """A model's searches for breaking points."""
        return [each for each in self.breaking if each.model == model]

    def control(self, model: str) -> CaseRun | None:
        """A model's control."""
        return next((each for each in self.cases if each.case.model == model and each.case.is_control), None)

    def magnitudes(self, model: str | None = None) -> list[float]:
        """The magnitudes of shifted cases, ascending."""
        found = {each.case.magnitude for each in self.cases if not each.case.is_control}
        if model is not None:
            found = {each.case.magnitude for each in self.of(model) if not each.case.is_control}
        return sorted(found)
