"""What differs between models and between arms, and of what an effect can be the effect. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

MODEL = "model"
"""The factor whose levels are the models that the user names: what was trained, and all that is built into it."""

SAMPLER, SAMPLER_CLASS, OPTION = "sampler", "scheduler class", "sampler option "
CLIPPING, RANGE = "clipping", "range of clipping"
GUIDANCE, STEPS, REPAIR = "guidance", "steps", "repair"
SCHEDULE, SCHEDULE_END, SPACING = "schedule", "end of the schedule", "spacing of steps"
SPACE, ARGUMENT = "space", "argument "
"""Names of traits; further options of a sampler and arguments of a call by `OPTION`, `ARGUMENT` and their names."""


class Kind(Enum):
    """How a trait could be the same in two models."""

    FACTOR = "factor"
    """A factor of the experiment, if it is crossed."""
    BUILT_IN = "part of the model"
    """Not at all: it is in the weights, or comes with them."""
    SETTING = "setting"
    """By an entry that says so; no factor."""


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that a model's entry and files say.

    Attributes:
        value: in words.
        kind: see `Kind`.
    """

    value: str
    kind: Kind


Traits = Mapping[str, Trait]
"""By name. What is not known is a value that says so and of which model, so that it is like no other model's."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A trait in which two models are not alike.

    Attributes:
        name: of the trait.
        values: of the one and of the other, in words.
        kind: see `Kind`.
    """

    name: str
    values: tuple[str, str]
    kind: Kind


_NONE = "none"

_OWN: Mapping[str, frozenset[str]] = {
    "sampler": frozenset({SAMPLER, SAMPLER_CLASS}),
    "clipping": frozenset({CLIPPING, RANGE}),
    "schedule": frozenset({SCHEDULE, SCHEDULE_END, SPACING}),
    "guidance": frozenset({GUIDANCE}),
    "steps": frozenset({STEPS}),
    "repair": frozenset({REPAIR}),
}
"""By factor, the traits that are what it is about."""


def between(one: Traits, other: Traits) -> tuple[Difference, ...]:
    """All in which two models are not alike, in the order of the first one's traits.

    What only one of two classes of samplers has as an option is a part of that sampler, and a default of what only one
    of two pipelines takes a part of that pipeline.
    """
    found = []
    for name in dict.fromkeys((*one, *other)):
        first, second = one.get(name), other.get(name)
        if first == second or (_lacks(first, second) and name.startswith(ARGUMENT)):
            continue
        if name.startswith(OPTION) and (first is None or second is None) and _differ(one, other, SAMPLER_CLASS):
            continue
        if (name == SAMPLER_CLASS and _differ(one, other, SAMPLER)) or (
            name == RANGE and _differ(one, other, CLIPPING)
        ):
            continue  # said already
        values = tuple(_NONE if each is None else each.value for each in (first, second))
        if values[0] == values[1]:
            continue
        found.append(Difference(name, (values[0], values[1]), _kind(name, first, second, one, other)))
    return tuple(found)


def _lacks(first: Trait | None, second: Trait | None) -> bool:
    """Whether only one has a trait, which nobody has given it."""
    return (first is None or second is None) and Kind.SETTING not in _kinds(first, second)


def _kinds(first: Trait | None, second: Trait | None) -> set[Kind]:
    return {each.kind for each in (first, second) if each is not None}


def _differ(one: Traits, other: Traits, name: str) -> bool:
    return one.get(name) != other.get(name)


def _kind(name: str, first: Trait | None, second: Trait | None, one: Traits, other: Traits) -> Kind:
    if name == RANGE and _differ(one, other, SPACE):
        return Kind.BUILT_IN  # each space has a range of its own
    kinds = _kinds(first, second)
    return next(kind for kind in (Kind.SETTING, Kind.FACTOR, Kind.BUILT_IN) if kind in kinds)


def causes(factor: str, differences: Iterable[Difference]) -> tuple[str, ...]:
    """What an effect can be the effect of, where the arms that are compared differ so.

    All that is built into a model counts as one thing, the model: no experiment on it can take that apart.

    Args:
        factor: whose levels the arms are at.
        differences: between these arms.

    Returns:
        Names; one alone is that to which the effect is attributed, more of them cannot be told apart.
    """
    own = _OWN.get(factor, frozenset())
    found = dict.fromkeys(() if factor == MODEL else (factor,))
    for each in differences:
        if each.name in own:
            continue
        found[MODEL if each.kind is Kind.BUILT_IN else each.name] = None
    return tuple(found) or (factor,)
