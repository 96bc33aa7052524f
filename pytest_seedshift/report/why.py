"""What the crossed experiment says: in sentences, as tables for the terminal, as JSON. No more than the numbers do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.cases import format_magnitude
from pytest_seedshift.report import seedlines, words
from pytest_seedshift.scores import SCORES
from pytest_seedshift.why import arms
from pytest_seedshift.why.experiment import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_seedshift.why.effects import Effect, Mean
    from pytest_seedshift.why.experiment import Found, Study

VERSION = 1

CAVEAT = (
    "A factor's effect is the mean over all arms that differ in nothing else. It says what the change did to these "
    "weights under these shifts. It does not say why, nor that another model would do the same."
)


def sentences(study: Study) -> list[str]:
    """A sentence a factor and level, and one for each arm that holds because it does not look."""
    made = []
    for factor, levels in study.crossed.factors.items():
        for level in levels[1:]:
            told = [each for each in study.effects if (each.factor, each.level) == (factor, level)]
            made.append(_of_factor(study, told))
    made += [f"The {factor} is left out: {reason}" for factor, reason in study.crossed.left_out.items()]
    made += [_not_looking(each) for each in study.found if each.sensitivity and each.sensitivity.ignores_vector]
    return made


def _of_factor(study: Study, told: list[Effect]) -> str:
    first = told[0]
    what = f"{first.factor} {arms.title(first.level)} against {arms.title(first.against)}"
    said = ", ".join(f"{SCORES[each.score].title} {change(each.score, each.drop)}" for each in told)
    if not any(each.drop.separated for each in told):
        return f"No effect of the {what} on the drop was told from none: {said}"
    better = all(each.drop.value < 0 for each in told if each.drop.separated)
    worse = all(each.drop.value > 0 for each in told if each.drop.separated)
    how = "lowers" if better else "raises" if worse else "changes, but not alike for all scores,"
    return f"The {what} {how} the drop under these shifts: {said} ({words.percent(study.certainty)} intervals)"


def _not_looking(found: Found) -> str:
    dropped = any(each.low > 0 for each in found.drop.values())
    holds = "does not look at its seed vector" if dropped else "holds, and does not look at its seed vector"
    weight = "" if found.weight is None else f", whose weight after the first step is {found.weight:.2g}"
    return f"{found.arm.name} {holds}{weight}: robust because it does not look, as far as it is robust"


def change(score: str, mean: Mean) -> str:
    """A signed mean with its interval: `−0.31 (−0.40 to −0.22)`."""
    digits = 2 if SCORES[score].top <= 1 else 1
    return f"{mean.value:+.{digits}f} ({mean.low:+.{digits}f} to {mean.high:+.{digits}f})"


def under(study: Study) -> str:
    """`mean −0.30, mean +0.30`."""
    return ", ".join(f"{shift} {format_magnitude(magnitude)}" for shift, magnitude in study.shifts)


def table(study: Study) -> Iterator[str]:
    """The arms, a line each: control, drops, seed sensitivity, the weight of the seed vector."""
    width = max(len(each.arm.name) for each in study.found)
    pairs, certainty = words.count(study.images, "pair"), words.percent(study.certainty)
    yield f"Drops under {under(study)}: means over {pairs} with {certainty} intervals"
    heads = [f"{SCORES[score].title:>8}  {'drop':<24}" for score in SHOWN]
    yield f"  {'arm':<{width}}  {'  '.join(heads)}  {'seed vector changes pixels':<28}  weight after step 1"
    for each in study.found:
        cells = [f"{SCORES[s].format(each.control[s]):>8}  {change(s, each.drop[s]):<24}" for s in SHOWN]
        yield f"  {each.arm.name:<{width}}  {'  '.join(cells)}  {looks(each):<28}  {weight(each)}"


def looks(found: Found) -> str:
    """How much of what another label changes another seed vector changes, by pixels."""
    if found.sensitivity is None:
        return f"not measured: {found.note}"
    ignored = ", ignored" if found.sensitivity.ignores_vector else ""
    return f"{seedlines.interval(found.sensitivity.vector('pixel'))}{ignored}"


def weight(found: Found) -> str:
    """The weight of the seed vector after the first step."""
    return "–" if found.weight is None else f"{found.weight:.2g}"


def as_json(study: Study) -> dict[str, Any]:
    """All of it in built-in types."""

    def mean(each: Mean) -> dict[str, float]:
        return {"mean": each.value, "low": each.low, "high": each.high}

    return {
        "version": VERSION,
        "shifts": [{"shift": shift, "magnitude": magnitude} for shift, magnitude in study.shifts],
        "images": study.images,
        "certainty": study.certainty,
        "factors": {name: list(levels) for name, levels in study.crossed.factors.items()},
        "left_out": dict(study.crossed.left_out),
        "arms": [
            {
                "name": each.arm.name,
                "levels": dict(each.arm.levels),
                "control": dict(each.control),
                "drop": {score: mean(found) for score, found in each.drop.items()},
                "weight": each.weight,
                "ignores_seed_vector": None if each.sensitivity is None else each.sensitivity.ignores_vector,
            }
            for each in study.found
        ],
        "effects": [
            {"factor": each.factor, "level": each.level, "against": each.against, "score": each.score} | mean(each.drop)
            for each in study.effects
        ],
        "sentences": sentences(study),
    }
