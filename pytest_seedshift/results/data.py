"""What a run folder holds, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.core.scores import CERTAINTY, Estimate, Finding, mean_of
from pytest_seedshift.results.statuses import status_of

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results import metadata
    from pytest_seedshift.results.regression import Comparison
    from pytest_seedshift.results.schema import Search
    from pytest_seedshift.results.schema import SeedUse as BoundOnSeedUse
    from pytest_seedshift.results.sensitivity_files import SeedUse


class RunError(DataError):
    """A run folder that cannot be read; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a case: its pair, its scores, and its picture if it was kept and is there."""

    label: str
    seed: int
    scores: Mapping[str, float]
    picture: Path | None = None
    lost: bool = False
    """Whether a picture was kept but is not there."""
    digest: str = field(default="", compare=False)
    """The SHA-256 of the picture's file as it was kept; empty where that was not recorded."""

    @property
    def pair(self) -> tuple[str, int]:
        """The label and the seed index."""
        return self.label, self.seed

    @property
    def right(self) -> bool | None:
        """Whether top-1 is right; None where it was not measured."""
        return bool(self.scores["top1"]) if "top1" in self.scores else None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like a case's pictures are to the baseline's of the same pairs; see `core.likeness`."""

    pairs: int
    """Of how many pairs it is."""
    equal: int
    """How many of these have pictures that are the same to the last level."""
    scores: Mapping[str, Estimate]
    """By score, the mean with its interval."""
    least: tuple[str, int]
    """Label and seed index of the pair that is least alike."""
    values: Mapping[str, float]
    """Its likeness, by measure; a PSNR may be infinite."""
    picture: Path | None = None
    """Its picture, where it is there."""
    before: Path | None = None
    """The baseline's, likewise."""


@dataclass(frozen=True, slots=True)
class TagScores:
    """The scores over the pairs of a tag that a verdict rests on."""

    pairs: int
    scores: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case and what came of it."""

    case: Case
    """Model, shift and magnitude."""
    verdict: str
    """`pass`, `fail`, `error` or `skipped`; `unfinished` where the run ended before it."""
    reason: str
    """Why it does not pass, in words; empty where it does."""
    scores: Mapping[str, Estimate]
    """By score: its mean and the interval of the model's own mean."""
    findings: tuple[Finding, ...]
    """Each bound that was asked, held against the measurement."""
    images: int
    """How many images of the design the verdict rests on."""
    design: int
    """N, the number of pairs of the design."""
    certainty: float | None
    """Of the verdict and of the intervals, above 0.5 and below 1; None where it is not known."""
    generated: int
    """How many images were made for it in this run, in `seconds`; 0 where that is not known."""
    seconds: float
    """How many seconds that took; 0 where it is not known."""
    device: str | None
    """Where the model ran, such as `cuda:0`."""
    dtype: str | None
    """Its number type, such as `float16`."""
    test: str
    """The node id of the test that judged it."""
    samples: tuple[Sample, ...] = field(default=(), repr=False)
    """Those that the verdict rests on, in the order of the design; without a store those whose pictures were kept."""
    control: Mapping[tuple[str, int], Sample] = field(default_factory=dict, repr=False)
    """The control's samples of the same pairs, as far as they exist."""
    null: bool = False
    """Whether it is a null control, which is about the harness and not the model."""
    complete: bool = False
    """Whether `samples` are all that the verdict rests on."""
    outcome: str | None = None
    """Of a test that is expected to fail, whether it did: `XFAILED` or `XPASSED`."""
    xfail: str = ""
    """Why it is expected to fail."""
    blank: int = 0
    """Of a case that passes, how many of its pictures are of one colour, if not all of these were recognised."""
    flat: int = 0
    """Of a case that fails, how many of its pictures are of one colour."""
    design_seed: int = 0
    """From 0; another one is another draw of pairs."""
    kinds: ScoreRegistry = field(default=SHIPPED, repr=False, compare=False)
    """What its scores are."""
    likeness: Likeness | None = None
    """To the baseline's pictures, where that was asked for."""
    tags: Mapping[str, TagScores] = field(default_factory=dict)
    """By tag of the prompts, where they have any."""

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
        """Whether a score breaks one of its bounds.

        Args:
            score: such as `top1`.
        """
        return any(each.holds is False for each in self.findings if each.score == score)

    def is_open(self, score: str) -> bool:
        """Whether a score is on the wrong side of one of its bounds, and none that it breaks is decided.

        Args:
            score: such as `top1`.
        """
        beyond = any(each.holds is None and each.is_beyond for each in self.findings if each.score == score)
        return beyond and not self.breaks(score)

    def minimum(self, score: str) -> float | None:
        """The least that is asked of a score.

        Args:
            score: such as `top1`.

        Returns:
            In the score's range (0 to 1, CLIP 0 to 50); None where no minimum is asked.
        """
        return next((each.bound for each in self.findings if (each.score, each.kind) == (score, "min")), None)

    @property
    def control_means(self) -> dict[str, float]:
        """The control's mean by score, on the pairs that both have; empty for the control itself."""
        both = [] if self.case.is_control else list(self.paired())
        values = {name: [before.scores[name] for before, _ in both if name in before.scores] for name in self.scores}
        return {name: mean_of(self.kinds[name], row) for name, row in values.items() if row}

    def paired(self) -> Iterator[tuple[Sample, Sample]]:
        """The control's sample and the case's, for every pair that both have."""
        for sample in self.samples:
            before = self.control.get(sample.pair)
            if before is not None:
                yield before, sample


@dataclass(frozen=True, slots=True)
class Run:
    """What a run folder holds."""

    path: Path
    """The run folder."""
    cases: tuple[CaseRun, ...]
    """Model by model and shift by shift, the control first, magnitudes ascending."""
    facts: tuple[metadata.Facts, ...]
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
    kinds: ScoreRegistry = field(default=SHIPPED, repr=False)
    """What the run's scores are, by name: the built-in ones, and those of the user's own that it names."""
    seed_use_bounds: tuple[BoundOnSeedUse, ...] = ()
    """The bounds on the use of the seed vector, held against what was measured."""
    certainty: float = CERTAINTY
    """Of these, all of them together; above 0.5 and below 1."""

    def case_rows(self) -> list[dict[str, Any]]:
        """The cases as a table, for `pandas.DataFrame(run.case_rows())`.

        Returns:
            One row a case, in the report's order, of built-in types: what CaseRun tells, and for each score, such as
            `top1`, its mean, `top1_low` and `top1_high`, its interval, and `top1_control`, the control's mean on the
            pairs that both have. All rows have the same keys; what was not measured is None.
        """
        scores = self.scores
        return [_case_row(each, scores) for each in self.cases]

    def sample_rows(self) -> list[dict[str, Any]]:
        """The samples as a table, for `pandas.DataFrame(run.sample_rows())`.

        Returns:
            One row an image that a verdict rests on, case by case in the design's order, of built-in types: `case` (its
            id), `model`, `shift`, `magnitude`, `label`, `seed`, the path of its `picture` or None where none was kept,
            and each score by its name, None where it was not measured.
        """
        scores = self.scores
        return [
            {
                "case": case.id,
                "model": case.case.model,
                "shift": case.case.shift,
                "magnitude": case.case.magnitude,
                "label": sample.label,
                "seed": sample.seed,
                "picture": None if sample.picture is None else str(sample.picture),
                **{name: sample.scores.get(name) for name in scores},
            }
            for case in self.cases
            for sample in case.samples
        ]

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
        """The scores that were measured, in the order of `kinds`."""
        found = {score for each in self.cases for score in each.scores}
        found |= {score for search in self.breaking for probe in search.probes for score in probe.scores}
        return [score for score in self.kinds if score in found]

    def of(self, model: str) -> list[CaseRun]:
        """A model's cases.

        Args:
            model: its name.

        Returns:
            In their order; none where the run has no such model.
        """
        return [each for each in self.cases if each.case.model == model]

    def missing_of(self, model: str) -> list[Case]:
        """A model's cases of the grid that no verdict speaks of.

        Args:
            model: its name.

        Returns:
            In the grid's order; none where all have one.
        """
        return [each for each in self.missing if each.model == model]

    def searches(self, model: str) -> list[Search]:
        """A model's searches for breaking points.

        Args:
            model: its name.

        Returns:
            In their order; none where there was no search.
        """
        return [each for each in self.breaking if each.model == model]

    def control(self, model: str) -> CaseRun | None:
        """A model's control.

        Args:
            model: its name.

        Returns:
            The unshifted case; None where it was not judged.
        """
        return next((each for each in self.cases if each.case.model == model and each.case.is_control), None)

    def magnitudes(self, model: str | None = None) -> list[float]:
        """The magnitudes of shifted cases.

        Args:
            model: whose; None for those of all models.

        Returns:
            Signed, ascending, each once.
        """
        found = {each.case.magnitude for each in self.cases if not each.case.is_control}
        if model is not None:
            found = {each.case.magnitude for each in self.of(model) if not each.case.is_control}
        return sorted(found)


def _case_row(run: CaseRun, scores: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case": run.id,
        "model": run.case.model,
        "shift": run.case.shift,
        "magnitude": run.case.magnitude,
        "verdict": run.verdict,
        "outcome": run.outcome,
        "reason": run.reason,
        "images": run.images,
        "design": run.design,
        "design_seed": run.design_seed,
        "early": run.early,
        "certainty": run.certainty,
        "generated": run.generated,
        "seconds": run.seconds,
        "device": run.device,
        "dtype": run.dtype,
        "test": run.test,
    }
    control = run.control_means
    for name in scores:
        found = run.scores.get(name)
        row[name], row[f"{name}_low"], row[f"{name}_high"] = (
            (None, None, None) if found is None else (found.mean, found.low, found.high)
        )
        row[f"{name}_control"] = control.get(name)
    return row
