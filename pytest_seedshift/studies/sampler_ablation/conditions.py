"""The arms of the crossed design: which models are derived, and why some are not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.model_names import PLUS, read, read_repair
from pytest_seedshift.studies.sampler_ablation import differences
from pytest_seedshift.studies.sampler_ablation.differences import MODEL, Traits

FACTORS: Mapping[str, tuple[str, ...]] = {
    "sampler": ("ddim", "ancestral"),
    "clipping": ("noclip", "clip"),
    "schedule": ("", "zsnr"),
}
"""By factor, the changes that are its levels: the first is the reference of the others. An empty one: as it is."""

NUMBERS = ("guidance", "steps")
"""Factors whose levels are numbers: those that the models have, or those that the user gives."""

REPAIR = "repair"
"""The factor of what is done to the seed vector after its shift: crossed where the user asks for it alone."""

NO_REPAIR = f"{REPAIR}=none"

REPAIRS = (NO_REPAIR, f"{REPAIR}=moments", f"{REPAIR}=quantiles", f"{REPAIR}=spectrum")
"""Its levels where the user gives none."""

LATENTS = 4
"""The range of clipping for latents. A decoder's latents are scaled to a standard deviation of about 1, so that this
leaves nearly all of a picture, as [-1, 1] does for pixels: of the toys' latents 99.9 % lie in it."""

_TITLES = {"": "as it is", "ddim": "DDIM", "ancestral": "ancestral", "noclip": "off", "clip": "on", "zsnr": "zero SNR"}


@dataclass(frozen=True, slots=True)
class Arm:
    """A model of the design: its name, and the level that it has of each factor."""

    name: str
    levels: tuple[tuple[str, str], ...]

    def level(self, factor: str) -> str:
        """The level of a factor."""
        return dict(self.levels)[factor]

    def without(self, factor: str) -> tuple[tuple[str, str], ...]:
        """The levels of all other factors."""
        return tuple(each for each in self.levels if each[0] != factor)


@dataclass(frozen=True, slots=True)
class Crossed:
    """A crossed design: every combination of its factors' levels is an arm.

    Attributes:
        factors: by name, the levels, of which there are at least two.
        arms: all combinations.
        left_out: by the factor that is left out, the reason.
        traits: by the model's name, as the user writes it, what its entry and files say.
        causes: by factor and level, what the effect of the level can be the effect of: more than the factor where the
            arms differ in more. One that is not there is the factor alone.
    """

    factors: Mapping[str, tuple[str, ...]]
    arms: tuple[Arm, ...]
    left_out: Mapping[str, str]
    traits: Mapping[str, Traits] = field(default_factory=dict)
    causes: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def apart(self, factor: str, one: str, other: str) -> Iterator[tuple[Arm, Arm]]:
        """The pairs of arms of which only one factor differs: at the level `one`, and at the level `other`."""
        rest = {arm.without(factor): arm for arm in self.arms if arm.level(factor) == other}
        return ((arm, rest[arm.without(factor)]) for arm in self.arms if arm.level(factor) == one)

    def causes_of(self, factor: str, level: str) -> tuple[str, ...]:
        """What a level's effect can be the effect of: see `differences.causes`."""
        return self.causes.get((factor, level), (factor,))


def title(level: str) -> str:
    """A level for a reader: `noclip` is "off", `guidance=2` is "2"; a model's name is itself."""
    key, _, value = level.partition("=")
    return value if value and key in (*NUMBERS, REPAIR) else _TITLES.get(level, level)


# Which factors ---------------------------------------------------------------------------------------------------


def read_factors(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Factors as the user writes them: `sampler,guidance=1,2,7.5`, in one text or in several.

    Returns:
        By factor, the levels that were given, as changes; none where they were not.

    Raises:
        InvalidValueError: there is no such factor, or no such level; the message says what is valid.
    """
    known = (*FACTORS, *NUMBERS, REPAIR)
    found: dict[str, list[str]] = {}
    last = ""
    for word in (each.strip() for text in texts for each in text.split(",")):
        name, equals, value = word.partition("=")
        if last and found[last] and name not in known and (not equals or last == REPAIR):
            name, equals, value = last, "=", word  # a further level
        if name not in known:
            raise InvalidValueError(unknown("factor", name, known))
        if not equals:
            if name in found:
                raise InvalidValueError(f"{name} is given twice: leave one out")
            found[name], last = [], ""
            continue
        if name in FACTORS:
            levels = " and ".join(title(level) for level in FACTORS[name])
            raise InvalidValueError(f"{word!r}: the levels of {name} are {levels}: give {name} alone")
        if name in found and name != last:
            raise InvalidValueError(f"{name} is given twice: leave one out")
        last = name
        found.setdefault(name, []).append(_level(name, value))
    for name, given in found.items():
        if len(given) == 1 or len(set(given)) < len(given):
            raise InvalidValueError(f"{name}: give at least two levels, unlike each other, such as {_EXAMPLES[name]}")
    return {name: tuple(levels) for name, levels in found.items()}


_EXAMPLES = {"guidance": "guidance=1,2,7.5", "steps": "steps=10,20,50", REPAIR: "repair=none,moments,blend=0.3"}


def _level(name: str, value: str) -> str:
    if name == REPAIR:
        return _repair(value)
    return _word(*read(f"{name}={value}"))


def _repair(value: str) -> str:
    """A level of the factor, in its canonical spelling.

    Raises:
        InvalidValueError: there is no such repair.
    """
    if f"{REPAIR}={value}" == NO_REPAIR:
        return NO_REPAIR
    name, share = read_repair(value)
    return f"{REPAIR}={name}" if share is None else f"{REPAIR}={name}={share:g}"


def _word(name: str, number: float) -> str:
    return f"{name}={number:.10g}"


def choose(traits: Mapping[str, Traits], given: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The factors of an experiment on some models, with their levels.

    Where the user gives none: all whose levels are not numbers, and those of numbers in which the models differ, so
    that a difference of them is not taken for one of the models.

    Args:
        traits: by model, what its entry and files say.
        given: see `read_factors`.

    Raises:
        InvalidValueError: a factor without levels, of which the models have only one.
    """
    found = {name: levels for name, levels in FACTORS.items() if not given or name in given}
    if REPAIR in given:
        found[REPAIR] = given[REPAIR] or REPAIRS
    for name in NUMBERS:
        if given and name not in given:
            continue
        if levels := given.get(name) or _of_models(name, traits):
            found[name] = levels
        elif name in given:
            raise InvalidValueError(
                f"{name}: all of {', '.join(traits)} have the same, as far as it is known: give levels, such as "
                f"{_EXAMPLES[name]}"
            )
    return found


def _of_models(name: str, traits: Mapping[str, Traits]) -> tuple[str, ...]:
    """The levels that models have of a number; none where they have only one, or it is not known of one."""
    values = {each[name].value if name in each else "" for each in traits.values()}
    try:
        numbers = sorted(float(value) for value in values)
    except ValueError:  # one is not known, or has none
        return ()
    return tuple(_word(name, number) for number in numbers) if len(numbers) > 1 else ()


# Which arms ------------------------------------------------------------------------------------------------------


def cross(
    models: Sequence[str],
    why_not: Callable[[str], str | None],
    clip: Callable[[str], str] = lambda model: "clip",
    factors: Mapping[str, tuple[str, ...]] = FACTORS,
) -> Crossed:
    """Cross what can be crossed.

    A factor is left out where one of its levels cannot be combined with all others, so that every comparison is between
    arms that differ in one thing only.

    Args:
        models: as the user writes them, unlike each other; perhaps derived themselves.
        why_not: the reason why a model cannot be sampled as its name says; None if it can.
        clip: the change that clips the guessed pictures of a model: `clip`, or with a range, `clip=4`.
        factors: by name, the changes that are its levels.
    """

    def arms(changes: Mapping[str, tuple[str, ...]]) -> Iterator[Arm]:
        for model, *levels in product(models, *changes.values()):
            words = [clip(model) if level == "clip" else level for level in levels if level not in ("", NO_REPAIR)]
            yield Arm(PLUS.join([model, *words]), ((MODEL, model), *zip(changes, levels, strict=True)))

    changes: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    for factor, levels in factors.items():
        if factor == "schedule" and len(models) > 1:
            left_out[factor] = f"the schedule that each model was trained with is a part of the factor {MODEL}"
            continue
        reasons = (why_not(arm.name) for arm in arms({**changes, factor: levels}))
        reason = next((each for each in reasons if each is not None), None)
        if reason is None:
            changes[factor] = levels
        else:
            left_out[factor] = reason
    crossed = {MODEL: tuple(models)} | changes if len(models) > 1 else changes
    return Crossed(crossed, tuple(arms(changes)), left_out)


def attribute(crossed: Crossed, traits: Mapping[str, Traits], of_arms: Mapping[str, Traits]) -> Crossed:
    """A design that knows of what each of its effects can be the effect.

    Args:
        crossed: the design.
        traits: by model, what its entry and files say.
        of_arms: the same by arm's name.
    """
    causes = {}
    for factor, levels in crossed.factors.items():
        for level in levels[1:]:
            between_arms = (
                difference
                for one, other in crossed.apart(factor, levels[0], level)
                for difference in differences.between(of_arms[one.name], of_arms[other.name])
            )
            causes[factor, level] = differences.causes(factor, between_arms)
    return dataclasses.replace(crossed, traits=traits, causes=causes)
