"""How far a case has come, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pytest_seedshift.core.score_registry import SHIPPED, ScoreRegistry
from pytest_seedshift.core.scores import NULL, mean_of

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.scores import Estimate, Finding
    from pytest_seedshift.runner.samples import Sample


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a case has come.

    Its images so far, how many of them were generated now, how many it is expected to take if it goes on like this, and
    the bound that it waits for.
    """

    case: Case
    images: int
    generated: int
    expected: int
    design: int
    leading: Finding
    values: Sequence[float]
    """The leading score's values so far."""
    certainty: float
    """Of the verdict to come."""
    search: Part | None = None
    """What it is a part of, if it is one magnitude of a search for a breaking point."""


@dataclass(frozen=True, slots=True)
class Part:
    """A search for a breaking point: its id, and what its earlier magnitudes took."""

    id: str
    images: int
    generated: int


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case, judged: what the `reliability` fixture gives to a test."""

    case: Case
    """Model, shift and magnitude."""
    samples: tuple[Sample, ...]
    """Those that the verdict rests on: the first pairs of the design, in its order."""
    control: tuple[Sample, ...]
    """The control's samples of the same pairs, as far as they exist."""
    scores: dict[str, Estimate]
    """By score (`top1`, `top5`, `clip`): mean and interval."""
    findings: tuple[Finding, ...]
    """Each bound that was asked, held against the measurement."""
    design: int
    """N, the number of pairs of the design."""
    certainty: float
    """Of the verdict and of the intervals, above 0.5 and below 1: 0.99 unless thresholds.toml says otherwise."""
    generated: int
    """How many images were generated for this result, the control's among them; the others were in the store."""
    seconds: float
    """How long that took, in seconds."""
    device: str
    """Where the model ran, such as `cuda:0`; where a cluster made its images on several kinds of hardware, these:
    `NVIDIA A100 and NVIDIA H200`."""
    dtype: str
    """Its number type, such as `float16`."""
    flat: int = 0
    """How many of its samples' pictures are of one colour."""
    blank: int = 0
    """The same; 0 where each of them was recognised, as where colours are classes."""
    kinds: ScoreRegistry = field(default=SHIPPED, repr=False, compare=False)
    """What the scores are, by name."""

    @property
    def passed(self) -> bool:
        """Whether all constraints hold."""
        return all(finding.holds for finding in self.findings)

    @property
    def is_null(self) -> bool:
        """Whether it is a null control's, which is about the harness and not the model."""
        return any(finding.kind == NULL for finding in self.findings)

    @property
    def pictures(self) -> tuple[Sample, ...]:
        """The samples whose pictures were kept."""
        return tuple(sample for sample in self.samples if sample.picture is not None)

    def control_mean(self, score: str) -> float | None:
        """The control's mean on the same pairs.

        Args:
            score: such as `top1`.

        Returns:
            In the score's range (0 to 1, CLIP 0 to 50), over those of the pairs that the control has; None where it has
            none.
        """
        return mean_of(self.kinds[score], (sample.scores[score] for sample in self.control)) if self.control else None

    @property
    def early(self) -> bool:
        """Whether it was decided before its whole design was visited: then its means lean towards the verdict."""
        return len(self.samples) < self.design

    @property
    def control_means(self) -> dict[str, float]:
        """`control_mean` by score; empty for the control itself, and where it has no samples."""
        if self.case.is_control or not self.control:
            return {}
        return {name: mean for name in self.scores if (mean := self.control_mean(name)) is not None}
