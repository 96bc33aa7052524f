"""What was found of remedies, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.studies.sampler_ablation.experiment import DISCARDED

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.scores import Estimate
    from pytest_seedshift.core.stats.seed_shares import Sensitivity
    from pytest_seedshift.studies.remedies.candidates import Candidate
    from pytest_seedshift.studies.sampler_ablation.effects import Mean

TOLERANCE = 0.1
"""Of a score's mean without a shift: an interval of its change that reaches further below 0 does not say that nothing
is lost."""

TIMED = 32
"""Of so many images at least a time is told, without those of a model's first case, in which it warms up."""


@dataclass(frozen=True, slots=True)
class Treated:
    """A case under a remedy.

    Attributes:
        case: of the model that is to be healed.
        holds: whether it holds all its bounds now.
        images: that its verdict took.
        scores: by score, its mean and interval.
        retained: by score, the part of the mean without a shift that is left, on the same pairs; a rough figure where
            the case ended early.
    """

    case: Case
    holds: bool
    images: int
    scores: Mapping[str, Estimate]
    retained: Mapping[str, float]
    broken: tuple[str, ...] = ()
    """The scores that break a bound, in the order in which they were asked."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A remedy that was tried.

    Attributes:
        candidate: which.
        holds: whether the model with it holds its bounds without a shift.
        treated: the cases that failed; none where it does not.
        costs: by score, the change of the mean without a shift against the model as it was, on the same pairs.
        pairs: of how many pairs these are.
        seconds: of an image, in cases that were run after the first; None where fewer than `TIMED` were made there.
        seed_use: how much it looks at its seed vector; None where that was not measured.
        weight: of the seed vector after the first step, by the schedule; None where it is not known.
        error: why it came to no verdict; empty where it did.
    """

    candidate: Candidate
    holds: bool = False
    treated: tuple[Treated, ...] = ()
    costs: Mapping[str, Mean] = field(default_factory=dict)
    pairs: int = 0
    seconds: float | None = None
    seed_use: Sensitivity | None = None
    weight: float | None = None
    error: str = ""

    @property
    def healed(self) -> int:
        """How many cases it heals."""
        return sum(each.holds for each in self.treated)

    @property
    def ignores(self) -> bool:
        """Whether it hardly looks at its seed vector: as measured, or as its first step leaves nearly none of it."""
        measured = self.seed_use is not None and self.seed_use.ignores_vector
        return measured or (self.weight is not None and self.weight < DISCARDED)

    @property
    def harms(self) -> list[str]:
        """The scores that are significantly lower without a shift."""
        return [score for score, change in self.costs.items() if change.high < 0]

    def unclear(self, control: Mapping[str, Estimate]) -> dict[str, Mean]:
        """The changes without a shift of which too little is known to say that nothing is lost.

        Args:
            control: by score, the mean without a shift of the model as it was.
        """
        found = {}
        for score, change in self.costs.items():
            level = control[score].mean if score in control else SHIPPED[score].top if score in SHIPPED else None
            if level is not None and change.low < -TOLERANCE * level <= 0 <= change.high:
                found[score] = change
        return found


@dataclass(frozen=True, slots=True)
class Remedies:
    """All of it.

    Attributes:
        model: that was to be healed.
        before: its own cases that fail, as they are.
        control: the scores without a shift, as they are.
        tried: in the order in which they were tried.
        left_out: by title, why a remedy was not tried.
        images: looked at, all together; those of the seed sensitivity are not among them.
        crossing: that whole designs of all cases under all remedies would take.
        certainty: that no verdict is wrong.
        seconds: of an image of the model as it is; see `Tried`.
        seed_use: of the model as it is.
        ignores: whether the model as it is hardly looks at its seed vector.
        held: its cases that were looked at and do not fail.
        not_looked_at: cases that fail in the run of which they were taken and are left out, with the reason.
    """

    model: str
    before: tuple[Treated, ...]
    control: Mapping[str, Estimate]
    tried: tuple[Tried, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    images: int = 0
    crossing: int = 0
    certainty: float = CERTAINTY
    seconds: float | None = None
    seed_use: Sensitivity | None = None
    ignores: bool = False
    held: tuple[Case, ...] = ()
    not_looked_at: Mapping[str, str] = field(default_factory=dict)
