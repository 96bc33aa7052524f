"""What a crossed experiment would take: images by arm, how many exist, how long the rest takes. Nothing is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.cases import Case
from pytest_seedshift.studies import seed_sensitivity
from pytest_seedshift.studies.sampler_ablation import traits
from pytest_seedshift.studies.sampler_ablation.differences import GUIDANCE, MODEL, STEPS

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.sampler_ablation.conditions import Arm, Crossed
    from pytest_seedshift.studies.sampler_ablation.differences import Traits


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """An arm before it is run.

    Attributes:
        arm: which.
        images: how many it takes, those of its seed sensitivity among them.
        lacking: how many of these do not exist.
        seconds: that an image takes; None where no image of its model was timed.
        is_measured: whether images of this arm were timed, or of another one of its model, whose steps and guidance
            are reckoned with.
    """

    arm: Arm
    images: int
    lacking: int
    seconds: float | None
    is_measured: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crossed experiment would take.

    Attributes:
        crossed: the design.
        pairs: how many each arm is judged on.
        shifts: names with magnitudes.
        arms: a part an arm.
    """

    crossed: Crossed
    pairs: int
    shifts: tuple[tuple[str, float], ...]
    arms: tuple[PlannedArm, ...]

    @property
    def images(self) -> int:
        """Of all arms."""
        return sum(each.images for each in self.arms)

    @property
    def lacking(self) -> int:
        """Of all arms, those that do not exist."""
        return sum(each.lacking for each in self.arms)

    @property
    def untimed(self) -> tuple[str, ...]:
        """The models of which no image was timed."""
        arms = (each.arm for each in self.arms if each.lacking and each.seconds is None)
        return tuple(dict.fromkeys(arm.level(MODEL) for arm in arms))

    @property
    def seconds(self) -> float | None:
        """How long what is lacking takes; None where that is not known of a model."""
        return None if self.untimed else sum(each.lacking * (each.seconds or 0.0) for each in self.arms)


def make(
    bench: Workbench,
    crossed: Crossed,
    shifts: Sequence[tuple[str, float]],
    design: Sequence[Pair],
    certainty: float,
    images: int,
) -> Plan:
    """The plan of an experiment. No model is loaded.

    Args:
        bench: where samples are found.
        crossed: the design of the arms.
        shifts: names with magnitudes.
        design: the pairs, the same for all arms.
        certainty: of a seed sensitivity that may exist.
        images: how many a seed sensitivity takes.

    Raises:
        CaseError: the store or the weights cannot be read.
    """
    of_arms = {arm.name: traits.of(bench.catalogue, arm.name, bench.dtype(arm.name)) for arm in crossed.arms}
    paces = {arm.name: _seconds(bench, arm.name) for arm in crossed.arms}
    models = dict.fromkeys(arm.level(MODEL) for arm in crossed.arms)
    units = {model: _unit(bench, model, crossed, of_arms, paces) for model in models}
    arms = []
    for arm in crossed.arms:
        cases = [Case(arm.name), *(Case(arm.name, *shift) for shift in shifts)]
        known = bench.samples(arm.name)
        lacking = sum(len(design) - len(known.find(case, design)) for case in cases)
        if seed_sensitivity.wanted(bench, arm.name).kept(bench.folder, certainty) is None:
            lacking += images
        measured, unit = paces[arm.name], units[arm.level(MODEL)]
        seconds = measured if measured is not None else None if unit is None else unit * _passes(of_arms[arm.name])
        arms.append(
            PlannedArm(arm, len(cases) * len(design) + images, lacking, seconds, is_measured=measured is not None)
        )
    return Plan(crossed, len(design), tuple(shifts), tuple(arms))


def _seconds(bench: Workbench, model: str) -> float | None:
    pace = bench.pace(model)
    return None if pace is None else pace.seconds


def _unit(
    bench: Workbench,
    model: str,
    crossed: Crossed,
    of_arms: Mapping[str, Traits],
    paces: Mapping[str, float | None],
) -> float | None:
    """The seconds of one evaluation of a model's network, by what was timed of it; the median of its arms."""
    known = {arm.name: paces[arm.name] for arm in crossed.arms if arm.level(MODEL) == model}
    known[model] = _seconds(bench, model)
    passes = {**of_arms, model: traits.of(bench.catalogue, model, bench.dtype(model))}
    found = sorted(seconds / _passes(passes[name]) for name, seconds in known.items() if seconds is not None)
    return found[len(found) // 2] if found else None


def _passes(of_arm: Traits) -> float:
    """How many evaluations of the network an image takes: guidance above 1 doubles them."""
    return _number(of_arm, STEPS, 1.0) * (2.0 if _number(of_arm, GUIDANCE, 1.0) > 1 else 1.0)


def _number(of_arm: Traits, name: str, otherwise: float) -> float:
    try:
        return float(of_arm[name].value)
    except (KeyError, ValueError):  # no such trait, or none that float reads
        return otherwise


def document(plan: Plan) -> dict[str, Any]:
    """All of it in built-in types."""
    return {
        "factors": {name: list(levels) for name, levels in plan.crossed.factors.items()},
        "left_out": dict(plan.crossed.left_out),
        "shifts": [{"shift": shift, "magnitude": magnitude} for shift, magnitude in plan.shifts],
        "pairs": plan.pairs,
        "images": plan.images,
        "lacking": plan.lacking,
        "seconds": plan.seconds,
        "arms": [
            {
                "name": each.arm.name,
                "levels": dict(each.arm.levels),
                "images": each.images,
                "lacking": each.lacking,
                "seconds_an_image": each.seconds,
                "measured": each.is_measured,
            }
            for each in plan.arms
        ],
    }
