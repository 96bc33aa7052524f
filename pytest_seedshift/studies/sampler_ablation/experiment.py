"""The experiment: every arm under the same shifts on the same pairs, and how much each looks at its seed vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats.seed_shares import SensitivityError
from pytest_seedshift.studies import seed_sensitivity
from pytest_seedshift.studies.sampler_ablation import effects
from pytest_seedshift.studies.sampler_ablation.interactions import Interaction, interactions
from pytest_seedshift.studies.sampler_ablation.marginals import Marginal, marginals

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.stats.seed_shares import Sensitivity
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.models.seed_weight import SeedWeight
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.sampler_ablation.conditions import Arm, Crossed

SHOWN = ("top1", "clip")
"""The scores that are compared."""

HOLDS = 0.9
"""An arm holds where it retains at least so much of every score, its intervals included. The limit is ours."""

DISCARDED = 0.1
"""Below this weight of the seed vector after the first step, that step counts as discarding it. The limit is ours, and
that of `seed_shares.IGNORED`."""

Report = Callable[[str], None]
Columns = Mapping[str, Sequence[float]]
"""By score, a value for each pair."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of an arm.

    Attributes:
        arm: which.
        control: by score, the mean without a shift.
        retained: by score, the retained score under the shifts, with its interval; without a score that is 0 without a
            shift.
        by_pair: the same as numbers a pair; None in place of what is left out.
        by_shift: by score, the retained score under each shift by itself, in the experiment's order of shifts; without
            a score that is 0 without a shift.
        sensitivity: how much it looks at its seed vector; None where that could not be measured.
        weight: of the seed vector in the state after the first step, by the schedule alone: see `seed_weight`. None
            where the sampler is none that it is known for.
        note: why there is no sensitivity.
    """

    arm: Arm
    control: Mapping[str, float]
    retained: Mapping[str, effects.Mean]
    by_pair: Mapping[str, effects.Retained | None]
    by_shift: Mapping[str, tuple[effects.Mean, ...]]
    sensitivity: Sensitivity | None
    weight: float | None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether it significantly retains at least `HOLDS` of all scores."""
        return len(self.retained) == len(SHOWN) and all(each.low >= HOLDS for each in self.retained.values())

    @property
    def breaks(self) -> bool:
        """Whether it significantly retains less than `HOLDS` of a score."""
        return any(each.high < HOLDS for each in self.retained.values())

    @property
    def discards(self) -> bool:
        """Whether the schedule says that the first step discards the seed vector: see `DISCARDED`."""
        return self.weight is not None and self.weight < DISCARDED

    @property
    def ignores(self) -> bool:
        """Whether it was measured that its images hardly change with the seed vector: see `seed_shares.IGNORED`."""
        return self.sensitivity is not None and self.sensitivity.ignores_vector


@dataclass(frozen=True, slots=True)
class Study:
    """The whole experiment.

    Attributes:
        crossed: the design of the arms.
        shifts: names with magnitudes.
        images: how many pairs each arm was judged on, with and without each shift.
        labels: how many labels these have.
        certainty: of each interval of an arm, and of all intervals of the effects together.
        found: a part an arm.
        effects: of the factors.
        interactions: of every two factors; their intervals are a family of their own.
        marginals: by model and level, what is retained.
    """

    crossed: Crossed
    shifts: tuple[tuple[str, float], ...]
    images: int
    labels: int
    certainty: float
    found: tuple[Found, ...]
    effects: tuple[effects.Effect, ...]
    interactions: tuple[Interaction, ...]
    marginals: tuple[Marginal, ...]


def run(
    bench: Workbench,
    crossed: Crossed,
    shifts: Sequence[tuple[str, float]],
    design: Sequence[Pair],
    *,
    certainty: float = CERTAINTY,
    report: Report = lambda line: None,
) -> Study:
    """Run all arms. Samples that the store has are reused.

    Args:
        bench: where samples are found and made.
        crossed: the design of the arms.
        shifts: names with magnitudes, at least one.
        design: the pairs, the same for all arms.
        certainty: see `Study`.
        report: is called with each line of progress.

    Raises:
        CaseError: a sample cannot be made.
        OSError: the folder cannot be written to.
    """
    found = []
    for number, arm in enumerate(crossed.arms):
        report(f"{number + 1}/{len(crossed.arms)} {arm.name}")
        found.append(_run(bench, arm, shifts, design, certainty))
    return judged(crossed, tuple(shifts), found, _labels(design), certainty)


def judged(
    crossed: Crossed,
    shifts: tuple[tuple[str, float], ...],
    found: Sequence[Found],
    labels: Sequence[Any],
    certainty: float = CERTAINTY,
) -> Study:
    """The experiment of what came of all arms; `labels` are those of the pairs."""
    by_arm = {each.arm.name: each.by_pair for each in found}
    return Study(
        crossed,
        shifts,
        len(labels),
        len(set(labels)),
        certainty,
        tuple(found),
        effects.effects(crossed, by_arm, labels, certainty),
        interactions(crossed, by_arm, labels, certainty),
        marginals(crossed, by_arm, labels, certainty),
    )


def _run(
    bench: Workbench, arm: Arm, shifts: Sequence[tuple[str, float]], design: Sequence[Pair], certainty: float
) -> Found:
    control = _columns(bench, Case(arm.name), design)
    shifted = [_columns(bench, Case(arm.name, *shift), design) for shift in shifts]
    measured, note = _sensitivity(bench, arm.name, certainty)
    weight = seed_weight(bench.model(arm.name))
    return of_columns(arm, control, shifted, _labels(design), measured, weight, certainty=certainty, note=note)


def of_columns(
    arm: Arm,
    control: Columns,
    shifted: Sequence[Columns],
    labels: Sequence[Any],
    sensitivity: Sensitivity | None,
    weight: float | None,
    *,
    certainty: float = CERTAINTY,
    note: str = "",
) -> Found:
    """What came of an arm, by its scores: by name a value a pair, without a shift and under each; see `Found`."""

    def mean(of: effects.Retained) -> effects.Mean:
        return effects.mean(of.by_pair, labels, (0.0, of.most), certainty)

    def retained(score: str, under: Sequence[Columns]) -> effects.Retained | None:
        return effects.retained(control[score], [each[score] for each in under], BUILT_IN[score].top)

    by_pair = {score: retained(score, shifted) for score in SHOWN}
    by_shift = {score: [retained(score, [each]) for each in shifted] for score in SHOWN}
    return Found(
        arm,
        {score: float(np.mean(control[score])) for score in SHOWN},
        {score: mean(each) for score, each in by_pair.items() if each is not None},
        by_pair,
        {score: tuple(mean(each) for each in found if each) for score, found in by_shift.items() if by_pair[score]},
        sensitivity,
        weight,
        note,
    )


def _labels(design: Sequence[Pair]) -> list[str]:
    return [pair.label.name for pair in design]


def _columns(bench: Workbench, case: Case, design: Sequence[Pair]) -> dict[str, list[float]]:
    supply = bench.scheduler.collect(case, design)
    if supply.work.generated:
        bench.service.remember(case.model, supply.work)  # so that a plan knows how long an image takes
    samples = supply.samples
    return {score: [sample.scores[score] for sample in samples] for score in SHOWN}


def _sensitivity(bench: Workbench, model: str, certainty: float) -> tuple[Sensitivity | None, str]:
    use = seed_sensitivity.wanted(bench, model)
    kept = use.kept(bench.folder, certainty)
    if kept is not None:
        return kept, ""
    try:
        found = seed_sensitivity.measure(bench, model, certainty=certainty)
    except SensitivityError as error:
        return None, str(error)
    found.write(bench.folder)
    return found.sensitivity, ""


def seed_weight(model: TextToImage) -> float | None:
    """The weight of the seed vector after the first step of a loaded model; None where it is not known."""
    own: Any = getattr(model, "seed_weight", None)
    if own is None:
        return None
    try:
        found: SeedWeight = own()
    except ValueError:  # of a sampler for which it is not known
        return None
    return found.weight
