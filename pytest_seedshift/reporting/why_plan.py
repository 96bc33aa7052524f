"""What a crossed experiment would take, in lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.reporting import why_attribution
from pytest_seedshift.studies.sampler_ablation import conditions

if TYPE_CHECKING:
    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed
    from pytest_seedshift.studies.sampler_ablation.plan import Plan, PlannedArm


def lines(plan: Plan) -> Iterator[str]:
    """What differs, which arms there are, how many images they take, and how long that is."""
    yield from why_attribution.differing_lines(plan.crossed)
    yield from factors(plan.crossed)
    rows = [(each.arm.name, str(each.images), str(each.lacking), _pace(each)) for each in plan.arms]
    yield from tables.table([("arm", "images", "to make", "an image takes"), *rows], "<>><")
    yield _time(plan)
    yield from unattributed(plan.crossed)


def factors(crossed: Crossed) -> Iterator[str]:
    """The factors with their levels, those that make the arms more, and what is left out."""
    named = [f"{name} ({', '.join(map(conditions.title, levels))})" for name, levels in crossed.factors.items()]
    yield f"Crossed: {' × '.join(named)}: {messages.count(len(crossed.arms), 'arm')}"
    apart = {name for name, *_ in why_attribution.differing(crossed)}
    added = {
        name: len(crossed.factors[name]) for name in conditions.NUMBERS if name in crossed.factors and name in apart
    }
    if added:
        before = len(crossed.arms) // math.prod(added.values())
        yield (
            f"{why_attribution.listed(tuple(added))} crossed, so that how the models differ there is not taken for the "
            f"models: {len(crossed.arms)} arms in place of {before}. --factors chooses others"
        )
    yield from (f"{factor} is left out: {reason}" for factor, reason in crossed.left_out.items())


def unattributed(crossed: Crossed) -> Iterator[str]:
    """Which effects this experiment could not attribute."""
    for (factor, level), causes in crossed.causes.items():
        if len(causes) > 1:
            yield (
                f"The effect of {factor} {conditions.title(level)} will not be attributed: "
                f"{why_attribution.apart(causes)}"
            )


def _pace(each: PlannedArm) -> str:
    if each.seconds is None:
        return "not known"
    return f"{'' if each.is_measured else 'about '}{1000 * each.seconds:.0f} ms"


def _time(plan: Plan) -> str:
    known = plan.images - plan.lacking
    said = f"{plan.images} images, {plan.lacking} of them to make" if known else f"{plan.images} images to make"
    if plan.seconds is None:
        return f"{said}; how long that takes is not known: no image of {', '.join(plan.untimed)} was timed here yet"
    return f"{said}, in about {messages.duration(plan.seconds)}" if plan.lacking else f"{said}: all exist"
