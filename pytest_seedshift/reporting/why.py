"""The result of the crossed experiment, in sentences and as tables for the terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.stats.seed_shares import KINDS
from pytest_seedshift.reporting import seedlines, why_attribution
from pytest_seedshift.studies.sampler_ablation import conditions
from pytest_seedshift.studies.sampler_ablation.experiment import DISCARDED, HOLDS, SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_seedshift.studies.sampler_ablation.effects import Effect, Mean
    from pytest_seedshift.studies.sampler_ablation.experiment import Found, Study

CAVEAT = (
    "A change's effect is the mean over all arms that differ in nothing else. It says what the change did to these "
    "weights under these shifts. It does not say why, nor that another model would do the same."
)

_WEAK = 0.8
"""An arm whose control has less than this part of the best arm's top-1 is reported: the change breaks it by itself."""


_MOST_NAMED = 4
"""Arms that are named one by one, where what they have in common says the same."""

_IN_PLACE = {
    "sampler": "With the sampler {} in place of {}",
    "clipping": "With clipping {} in place of {}",
    "schedule": "With a schedule of {} in place of the model's own",
    "guidance": "With guidance {} in place of {}",
    "steps": "With {} steps in place of {}",
    "repair": "With the seed vector's repair {} in place of {}",
    "model": "With {} in place of {}",
}


# Sentences -------------------------------------------------------------------------------------------------------


def sentences(study: Study) -> list[str]:
    """What differs, a sentence a change, what is left out, arms that do not use their seed vector, and weak ones."""
    changes = [list(each) for _, each in groupby(study.effects, lambda each: (each.factor, each.level))]
    return [
        *why_attribution.summary(study.crossed),
        *(_of_change(effects, study.certainty) for effects in changes),
        *why_attribution.sentences(study),
        *(f"The {factor} is left out: {reason}." for factor, reason in study.crossed.left_out.items()),
        *_not_using(study.found),
        *_weak(study.found),
    ]


def named(effect: Effect) -> str:
    """`sampler: DDIM → ancestral`."""
    return f"{effect.factor}: {conditions.title(effect.against)} → {conditions.title(effect.level)}"


_OUTCOMES = ("a significant increase in", "a significant decrease in", "no significant effect on")


def _of_change(effects: Sequence[Effect], certainty: float) -> str:
    """What one change does to each retained score; the certainty is that of all effects together."""
    if not effects[0].is_attributed:
        figures = " and ".join(_figures(each) for each in effects)
        why = why_attribution.not_attributed(effects[0])
        return f"{_in_place(effects[0])}, retained {figures}, which is not attributed: {why}."
    clauses = []
    for outcome in _OUTCOMES:
        alike = [_figures(each) for each in effects if _outcome(each.change) == outcome]
        if alike:
            clauses.append(f"{outcome} retained {' and '.join(alike)}")
    return f"{_in_place(effects[0])}, {'; '.join(clauses)} at {messages.percent(certainty)}."


def _figures(effect: Effect) -> str:
    """`top-1 (0.58 → 0.97, +0.39 (+0.22 to +0.55))`."""
    title = BUILT_IN[effect.score].title
    return f"{title} ({effect.retained[0]:.2f} → {effect.retained[1]:.2f}, {signed(effect.change)})"


def _in_place(effect: Effect) -> str:
    return _IN_PLACE[effect.factor].format(conditions.title(effect.level), conditions.title(effect.against))


def _outcome(change: Mean) -> str:
    increase, decrease, none = _OUTCOMES
    return none if not change.significant else increase if change.value > 0 else decrease


def _not_using(found: Sequence[Found]) -> Iterator[str]:
    blind = [each for each in found if each.discards or each.ignores]
    if not blind:
        return
    discards = [each for each in blind if each.discards]
    if discards:
        most = max(each.weight or 0.0 for each in discards)
        left = f"at most {most:.2g}" if most else "0"
        yield (
            f"By the schedule the first step discards the seed vector (weight {left} after it), so that it reaches the "
            f"picture by the first guess alone: {_names(discards, found)}."
        )
    ignores = [each.sensitivity for each in blind if each.ignores and each.sensitivity is not None]
    if ignores:
        most = max(each.vector(kind).high for each in ignores for kind in KINDS)
        yield (
            f"As measured, another seed vector changes images by at most {seedlines.number(most)} of what another "
            f"label does: {_names([each for each in blind if each.ignores], found)}."
        )
    hold = [each for each in blind if each.holds]
    if hold:
        who = "All of these hold" if len(hold) == len(blind) else f"Of these hold {_names(hold, found)}"
        yield f"{who}: with little use of the seed vector, which is no sign that a shift of it is withstood."
    else:
        yield "None of these is known to hold."
    rest = [each for each in found if each.holds and each not in blind]
    if rest:
        yield f"Neither is so of these, which hold too: {_names(rest, found)}."


def _names(chosen: Sequence[Found], found: Sequence[Found]) -> str:
    """The names of some arms; of many, the levels that they and no others have, where these say it."""
    if len(chosen) > _MOST_NAMED:
        shared = set.intersection(*(set(each.arm.levels) for each in chosen))
        told = [
            level for level in chosen[0].arm.levels if level in shared and any(level not in e.arm.levels for e in found)
        ]
        if told and sum(shared <= set(each.arm.levels) for each in found) == len(chosen):
            levels = " and ".join(f"{factor} {conditions.title(level)}" for factor, level in told)
            return f"all {len(chosen)} arms with {levels}"
    return ", ".join(each.arm.name for each in chosen)


def _weak(found: Sequence[Found]) -> Iterator[str]:
    best = max(each.control["top1"] for each in found)
    weak = [each for each in found if each.control["top1"] < _WEAK * best]
    if weak:
        scores = ", ".join(f"{each.arm.name} {each.control['top1']:.2f}" for each in weak)
        yield (
            f"Weak without any shift (top-1, the best arm {best:.2f}): {scores}. Their retained scores mean little: "
            "a low score has little to lose."
        )
    for score in SHOWN:
        lacking = [each for each in found if score not in each.retained]
        if lacking:
            yield (
                f"The effect on retained {BUILT_IN[score].title} is undefined: without a shift the score is 0 for "
                f"{_names(lacking, found)}."
            )


# Tables ----------------------------------------------------------------------------------------------------------


def signed(mean: Mean) -> str:
    """A change with its interval: `+0.31 (+0.22 to +0.40)`."""
    digits = _digits(mean)
    return f"{mean.value:+.{digits}f} ({mean.low:+.{digits}f} to {mean.high:+.{digits}f})"


def _digits(mean: Mean) -> int:
    return 2 if mean.high - mean.low >= 0.02 else 4


def span(effect: Effect) -> str:
    """The least and the largest change arm by arm: `+0.02 to +0.49`."""
    return f"{effect.single[0]:+.2f} to {effect.single[1]:+.2f}"


def retained(found: Found, score: str) -> str:
    """An arm's retained score: `0.58 (0.43–0.73)`."""
    mean = found.retained.get(score)
    return "–" if mean is None else _interval(mean)


def by_shift(study: Study, score: str) -> list[tuple[str, ...]]:
    """A table of what each arm retains under each shift by itself, with its heads; none where there is one shift."""
    if len(study.shifts) < 2:
        return []
    shifts = [f"{shift} {format_magnitude(magnitude)}" for shift, magnitude in study.shifts]
    arms = [
        (found.arm.name, *(map(_interval, found.by_shift[score]) if score in found.by_shift else "–" * len(shifts)))
        for found in study.found
    ]
    return [("arm", *shifts), *arms]


def _interval(mean: Mean) -> str:
    digits = _digits(mean)
    return f"{mean.value:.{digits}f} ({mean.low:.{digits}f}–{mean.high:.{digits}f})"


def under(study: Study) -> str:
    """`mean -0.30, mean +0.30`; of more than four, `random, mean, std at -0.30, +0.30`."""
    if len(study.shifts) <= 4:
        return ", ".join(f"{shift} {format_magnitude(magnitude)}" for shift, magnitude in study.shifts)
    names, magnitudes = (dict.fromkeys(column) for column in zip(*study.shifts, strict=True))
    return f"{', '.join(names)} at {', '.join(map(format_magnitude, magnitudes))}"


def base(study: Study) -> str:
    """`64 pairs of 16 labels`."""
    return f"{messages.count(study.images, 'pair')} of {messages.count(study.labels, 'label')}"


def meanings() -> list[tuple[str, str]]:
    """What the columns of the table of arms mean."""
    return [
        ("holds", f"at least {HOLDS:g} of both scores is retained, intervals included; no: less of one is"),
        ("seed vector", "how much another one changes pixels, relative to another label"),
        (
            "step 1 leaves",
            f"the weight of the seed vector after the first step, by the schedule; below {DISCARDED:g} it is discarded",
        ),
    ]


def seed_vector_use(found: Found) -> str:
    """How much another seed vector changes pixels, relative to another label."""
    if found.sensitivity is None:
        return f"not measured: {found.note}"
    return f"{seedlines.interval(found.sensitivity.vector('pixel'))}{', ignored' if found.ignores else ''}"


def weight(found: Found) -> str:
    """The weight of the seed vector after the first step."""
    return "–" if found.weight is None else f"{found.weight:.2g}"


def weight_left(found: Found) -> str:
    """The same with what that means: `0, discarded`."""
    return f"{weight(found)}, discarded" if found.discards else weight(found)


def holds(found: Found) -> str:
    """Whether an arm holds: `yes`, `no`, or `inconclusive`."""
    return "yes" if found.holds else "no" if found.breaks else "inconclusive"


def table(study: Study) -> Iterator[str]:
    """What differs between the models; a line each: all arms, all effects by score, the arms (or shifts) by shift."""
    yield from why_attribution.differing_lines(study.crossed)
    certainty = messages.percent(study.certainty)
    yield f"Retained scores (shifted / unshifted) under {under(study)}; {base(study)}, {certainty} intervals"
    heads = (
        "arm",
        *(head for s in SHOWN for head in (BUILT_IN[s].title, "retained")),
        "holds",
        "seed vector",
        "step 1 leaves",
    )
    yield from tables.table(
        [
            heads,
            *(
                (
                    each.arm.name,
                    *(cell for s in SHOWN for cell in (BUILT_IN[s].format(each.control[s]), retained(each, s))),
                    holds(each),
                    seed_vector_use(each),
                    weight_left(each),
                )
                for each in study.found
            ),
        ]
    )
    yield from (f"  {head}: {what}" for head, what in meanings())
    if study.effects:
        yield ""
        yield f"Effects of each change on retained scores ({why_attribution.legend(study)})"
        heads = ("change", "score", "without a shift", "retained", "effect", "arm by arm")
        yield from tables.table([heads, *_rows(study)])
    apart = by_shift(study, SHOWN[0])
    if apart:
        yield ""
        yield f"Retained {BUILT_IN[SHOWN[0]].title} under each shift by itself, {certainty} intervals"
        turned = list(zip(*apart, strict=True)) if len(apart) < len(apart[0]) else apart
        yield from tables.table(turned)


def _rows(study: Study) -> list[tuple[str, ...]]:
    return [
        (
            named(each),
            BUILT_IN[each.score].title,
            " → ".join(BUILT_IN[each.score].format(value) for value in each.controls),
            f"{each.retained[0]:.2f} → {each.retained[1]:.2f}",
            signed(each.change) + why_attribution.mark(each),
            span(each),
        )
        for each in study.effects
    ]
