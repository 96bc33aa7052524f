"""The experiment: every arm under the same shifts on the same pairs, and how much each looks at its seed vector."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift import sensitivity
from pytest_seedshift.cases import Case
from pytest_seedshift.pairs import class_list
from pytest_seedshift.scores import CERTAINTY, SCORES
from pytest_seedshift.seeduse import SeedUse
from pytest_seedshift.why import effects
from pytest_seedshift.workbench import Work

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.models import seedweight
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.sensitivity import Sensitivity
    from pytest_seedshift.why.arms import Arm, Crossed
    from pytest_seedshift.workbench import Workbench

SHOWN = ("top1", "clip")
"""The scores whose drops are compared."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of an arm.

    Attributes:
        arm: which.
        control: by score, the mean without a shift.
        drop: by score, the mean drop over pairs and shifts, with its interval.
        drops: by score, the drop of each pair, as a mean over the shifts.
        sensitivity: how much it looks at its seed vector; None where that could not be measured.
        weight: of the seed vector in the state after the first step, by the schedule alone: see `seedweight`. None
            where the sampler is none that it is known for.
        note: why there is no sensitivity.
    """

    arm: Arm
    control: Mapping[str, float]
    drop: Mapping[str, effects.Mean]
    drops: Mapping[str, NDArray[np.float64]]
    sensitivity: Sensitivity | None
    weight: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """The whole experiment."""

    crossed: Crossed
    shifts: tuple[tuple[str, float], ...]
    images: int
    certainty: float
    found: tuple[Found, ...]
    effects: tuple[effects.Effect, ...]


def run(
    bench: Workbench,
    crossed: Crossed,
    shifts: Sequence[tuple[str, float]],
    design: Sequence[Pair],
    *,
    certainty: float = CERTAINTY,
    tell: Tell = lambda line: None,
) -> Study:
    """Run all arms. What the store has is not made again.

    Args:
        bench: where samples are found and made.
        crossed: the design of the arms.
        shifts: names with magnitudes, at least one.
        design: the pairs, the same for all arms.
        certainty: of each interval.
        tell: is told how far it is.

    Raises:
        CaseError: a sample cannot be made.
    """
    found = []
    for number, arm in enumerate(crossed.arms):
        tell(f"{number + 1}/{len(crossed.arms)} {arm.name}")
        found.append(_run(bench, arm, shifts, design, certainty))
    by_arm = {each.arm.name: each.drops for each in found}
    made = tuple(effects.effects(crossed, by_arm, certainty))
    return Study(crossed, tuple(shifts), len(design), certainty, tuple(found), made)


def _run(
    bench: Workbench, arm: Arm, shifts: Sequence[tuple[str, float]], design: Sequence[Pair], certainty: float
) -> Found:
    control = _columns(bench, Case(arm.name), design)
    shifted = [_columns(bench, Case(arm.name, *shift), design) for shift in shifts]
    drops = {score: effects.drops(control[score], [each[score] for each in shifted], score) for score in SHOWN}
    measured, note = _sensitivity(bench, arm.name, certainty)
    return Found(
        arm,
        {score: float(np.mean(control[score])) for score in SHOWN},
        {score: effects.mean(drops[score], SCORES[score].top, certainty) for score in SHOWN},
        drops,
        measured,
        seed_weight(bench.model(arm.name)),
        note,
    )


def _columns(bench: Workbench, case: Case, design: Sequence[Pair]) -> dict[str, list[float]]:
    samples = bench.collect(case, design, (), Work())
    return {score: [sample.scores[score] for sample in samples] for score in SHOWN}


def _sensitivity(bench: Workbench, model: str, certainty: float) -> tuple[Sensitivity | None, str]:
    from pytest_seedshift.scorers.base import Embedder

    rows = sensitivity.design(class_list(bench.catalogue.find(model).classes))
    samples = bench.samples(model)
    use = SeedUse(model, samples.model, samples.scorers[-1], sensitivity.fingerprint(rows))
    kept = use.kept(bench.folder, certainty)
    if kept is not None:
        return kept, ""
    engine = bench.engine(model)
    embedder = next((each for each in engine.scorers if isinstance(each, Embedder)), None)
    if embedder is None:
        return None, "no scorer embeds images"
    try:
        found = sensitivity.measure(engine.model, embedder, rows, batch_size=engine.batch_size, certainty=certainty)
    except sensitivity.SensitivityError as error:
        return None, str(error)
    dataclasses.replace(use, sensitivity=found).write(bench.folder)
    return found, ""


def seed_weight(model: TextToImage) -> float | None:
    """The weight of the seed vector after the first step of a loaded model; None where it is not known."""
    own: Any = getattr(model, "seed_weight", None)
    if own is None:
        return None
    try:
        found: seedweight.SeedWeight = own()
    except ValueError:
        return None
    return found.weight
