"""What differs between the models of a crossed experiment, and what its effects can be the effects of, in words."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.studies.sampler_ablation import conditions, differences
from pytest_seedshift.studies.sampler_ablation.differences import MODEL, Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_seedshift.studies.sampler_ablation.conditions import Crossed
    from pytest_seedshift.studies.sampler_ablation.effects import Effect
    from pytest_seedshift.studies.sampler_ablation.experiment import Study
    from pytest_seedshift.studies.sampler_ablation.interactions import Interaction

UNSEEN = (
    "This is what entries and files tell. What a training did, such as distilling guidance, is in no file, and is part "
    "of the model."
)

_MARK = "†"


def differing(crossed: Crossed) -> list[tuple[str, tuple[str, ...], str]]:
    """What differs between the models: the trait, its value in each model, and what the experiment does about it."""
    (first, *others) = crossed.traits.values() or [{}]
    found: dict[str, Kind] = {}
    for other in others:
        for each in differences.between(first, other):
            found[each.name] = Kind.SETTING if found.get(each.name) is Kind.SETTING else each.kind
    return [
        (
            name,
            tuple(traits[name].value if name in traits else "none" for traits in crossed.traits.values()),
            _status(crossed, name, kind),
        )
        for name, kind in found.items()
    ]


def _status(crossed: Crossed, name: str, kind: Kind) -> str:
    if {differences.RANGE: differences.CLIPPING}.get(name, name) in crossed.factors:
        return "crossed"
    return "part of the model" if kind is Kind.BUILT_IN else "not crossed"


def summary(crossed: Crossed) -> Iterator[str]:
    """What differs between the models and is crossed, what is not, and how much is a part of them, in a sentence."""
    rows = differing(crossed)
    if not rows:
        return
    by_status = {each: tuple(name for name, _, status in rows if status == each) for *_, each in rows}
    clauses = [
        f"{listed(names)} {'differs' if len(names) == 1 else 'differ'}, {status} here"
        for status in ("crossed", "not crossed")
        if (names := by_status.get(status, ()))
    ]
    if names := by_status.get("part of the model", ()):
        clauses.append(f"part of what each model is: {listed(names)}")
    yield f"Between {listed(tuple(crossed.traits))}: {'; '.join(clauses)}."


def differing_lines(crossed: Crossed) -> Iterator[str]:
    """What differs between the models, a line each; nothing of one model."""
    rows = differing(crossed)
    if rows:
        yield "What differs between the models"
        yield from tables.table(
            [("", *crossed.traits, "here"), *((name, *values, status) for name, values, status in rows)]
        )
        yield f"  {UNSEEN}"
        yield ""


def mark(effect: Effect) -> str:
    """What stands behind an effect: a star where it is significant, a dagger where it is not attributed."""
    return _MARK if not effect.is_attributed else "*" if effect.significant else ""


def legend(study: Study) -> str:
    """What the marks behind effects mean."""
    meaning = f"* significant: the simultaneous {messages.percent(study.certainty)} interval excludes 0"
    if all(each.is_attributed for each in study.effects):
        return meaning
    return f"{meaning}; {_MARK} not attributed: the arms differ in more than one thing"


def listed(names: tuple[str, ...]) -> str:
    """`model, guidance and steps`."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def not_attributed(effect: Effect) -> str:
    """Why an effect is not attributed: `model and guidance differ: this experiment cannot tell them apart`."""
    return apart(effect.causes)


def apart(causes: tuple[str, ...]) -> str:
    """The same of what an effect can be the effect of."""
    return f"{listed(causes)} differ: this experiment cannot tell them apart"


def sentences(study: Study) -> Iterator[str]:
    """What stands for the model, what would tell apart what is not attributed, and which effects depend on which."""
    yield from _of_models(study)
    yield from _remedies(study)
    yield from _interactions(study)


def _of_models(study: Study) -> Iterator[str]:
    """What the effect of another model is the effect of."""
    levels = dict.fromkeys((each.level, each.against, each.causes) for each in study.effects if each.factor == MODEL)
    for level, against, causes in levels:
        if causes == (MODEL,):
            traits = study.crossed.traits
            apart = differences.between(traits[against], traits[level]) if level in traits else ()
            built_in = [_valued(each) for each in apart if each.kind is Kind.BUILT_IN]
            if built_in:
                yield (
                    f"The effect of {level} in place of {against} is that of all that is built into them, which no "
                    f"experiment on these two takes apart: {', '.join(built_in)}."
                )
        elif len(causes) == 1:
            yield f"{level} and {against} differ in nothing but {causes[0]}: the effect is that of {causes[0]}."


def _valued(each: Difference) -> str:
    return each.name if each.name == "weights" else f"{each.name} ({each.values[0]}, {each.values[1]})"


def _remedies(study: Study) -> Iterator[str]:
    """What would tell apart what is not attributed, a sentence a way."""
    causes = dict.fromkeys(name for each in study.effects if not each.is_attributed for name in each.causes)
    ways: dict[str, list[str]] = {}
    for name in causes:
        if name not in (MODEL, *study.crossed.factors):
            ways.setdefault(_way(study, name), []).append(name)
    for way, names in ways.items():
        yield f"To tell {listed(tuple(names))} apart, {way.format(','.join([*_crossed(study), *names]))}."


def _way(study: Study, name: str) -> str:
    if name in study.crossed.left_out:
        return "give the models the same in their names or entries: it could not be crossed"
    if name in (*conditions.FACTORS, *conditions.NUMBERS, conditions.REPAIR):
        return "cross what differs (--factors {}) or give the models the same in their names"
    if name == "number type":
        return "give both models the same: --dtype float32"
    return "give both models the same: [models.NAME] in thresholds.toml says it"


def _crossed(study: Study) -> list[str]:
    return [each for each in study.crossed.factors if each != MODEL]


def _interactions(study: Study) -> Iterator[str]:
    """A sentence a pair of factors and of levels whose interaction is significant, by any score."""
    found = [each for each in study.interactions if each.significant]
    for _, same in groupby(found, lambda each: (each.factors, each.levels)):
        each = list(same)
        clauses = " and ".join(_depends(one) for one in each)
        yield f"{_of(each[0])} it is {clauses} at {messages.percent(study.certainty)}."


def _of(found: Interaction) -> str:
    other = found.factors[1]
    return (
        f"The effect of {change(found, 0)} depends on {other}. With {other} {conditions.title(found.against[1])} and "
        f"{conditions.title(found.levels[1])}"
    )


def _depends(found: Interaction) -> str:
    low, high = found.change.low, found.change.high
    return (
        f"{found.at[0]:+.2f} and {found.at[1]:+.2f} of retained {BUILT_IN[found.score].title}, a significant change of "
        f"{found.change.value:+.2f} ({low:+.2f} to {high:+.2f})"
    )


def change(found: Interaction, which: int) -> str:
    """`sampler: DDIM → ancestral`."""
    return f"{found.factors[which]}: {conditions.title(found.against[which])} → {conditions.title(found.levels[which])}"


def at(found: Interaction, which: int) -> str:
    """`guidance 1: +0.40`, the effect of the first factor at a level of the second one."""
    level = found.against[1] if which == 0 else found.levels[1]
    return f"{found.factors[1]} {conditions.title(level)}: {found.at[which]:+.2f}"


def tested(study: Study) -> str:
    """How many pairs of factors were looked at, and that their intervals are a family of their own."""
    significant = sum(each.significant for each in study.interactions)
    count = len(study.interactions)
    if not count:
        return "There are no two factors whose effects could depend on each other."
    return (
        f"{significant or 'None'} of {messages.count(count, 'comparison')} of two factors "
        f"{'is' if significant <= 1 else 'are'} significant. Their {messages.percent(study.certainty)} intervals are "
        "simultaneous among themselves, as those of the effects are."
    )
