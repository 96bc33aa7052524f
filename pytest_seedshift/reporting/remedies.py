"""What remedies do, in words, as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.studies.remedies import recommendation
from pytest_seedshift.studies.remedies.findings import TIMED, TOLERANCE

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.seed_shares import Sensitivity
    from pytest_seedshift.studies.remedies.findings import Remedies, Treated, Tried


def table(found: Remedies) -> list[tuple[str, ...]]:
    """A row for the model as it is and for each remedy, the head first: what each holds, and what it costs."""
    cases = [each.case.describe() for each in found.before]
    rows = [("", "heals", *cases, "without a shift", "time", "seed use")]
    use = "" if found.seed_use is None else _use(found.seed_use)
    rows.append((found.model, "", *(_cell(each, each) for each in found.before), "", "", use))
    for tried in found.tried:
        if tried.error:
            rows.append((tried.candidate.title, "!"))
            continue
        if not tried.holds:
            rows.append((tried.candidate.title, "0", *("·" for _ in cases), "breaks", _time(tried, found), ""))
            continue
        rows.append(
            (
                tried.candidate.title,
                f"{tried.healed} of {len(found.before)}",
                *(_cell(each, was) for each, was in zip(tried.treated, found.before, strict=True)),
                _costs(tried, found),
                _time(tried, found),
                _use_of(tried),
            )
        )
    return rows


@dataclass(frozen=True, slots=True)
class Figure:
    """A score of a case, as it is shown: `top-1`, `0.95`, `0.66–1.00`, `≈0.97`, whether it breaks a bound."""

    score: str
    title: str
    mean: str
    interval: str
    left: str
    """How much of it is left, where that is known, else empty."""
    broken: bool


def figures(treated: Treated, before: Treated | None = None) -> list[Figure]:
    """The scores that a case breaks, with those that the model as it is breaks there; the first where none does."""
    wanted = dict.fromkeys([*(before.broken if before else ()), *treated.broken])
    shown = [score for score in wanted if score in treated.scores] or list(treated.scores)[:1]
    found = []
    for score in shown:
        one = treated.scores[score]
        left = "" if score not in treated.retained else f"≈{treated.retained[score]:.2f}"
        span = f"{_format(score, one.low)}–{_format(score, one.high)}"
        broken = score in treated.broken or (not treated.holds and not treated.broken)
        found.append(Figure(score, recommendation.title(score), _format(score, one.mean), span, left, broken))
    return found


def _cell(treated: Treated, before: Treated) -> str:
    told = [
        f"{each.title} {each.mean} ({each.interval}){f', {each.left} left' if each.left else ''}"
        f"{' ✗' if each.broken else ''}"
        for each in figures(treated, before)
    ]
    if not treated.holds and "✗" not in "".join(told):  # by a bound on what is no score of all pictures
        told.append("✗")
    return "; ".join(told)


def _format(score: str, value: float) -> str:
    return SHIPPED[score].format(value) if score in SHIPPED else f"{value:.3g}"


def _costs(tried: Tried, found: Remedies) -> str:
    """The change of the first score without a shift, with its interval; which others are lower, or not known."""
    if not tried.costs:
        return "too few pairs to say"
    unclear = tried.unclear(found.control)
    first = next(iter(tried.costs))
    change = tried.costs[first]
    said = [f"{change.value:+.2f} ({change.low:+.2f} to {change.high:+.2f})".replace("-", "\N{MINUS SIGN}")]
    if unclear:
        told = ", ".join(
            f"{'' if score == first else f'{recommendation.title(score)} '}{recommendation.interval(score, each)}"
            for score, each in unclear.items()
        )
        said = [*([] if first in unclear else said), f"too few pairs to say ({told})"]
    if tried.harms:
        said = [*([] if first in unclear else said[:1]), *said[1:], f"lower: {', '.join(tried.harms)}"]
    return ", ".join(dict.fromkeys(said))


def _time(tried: Tried, found: Remedies) -> str:
    return f"{tried.seconds / found.seconds:.1f}×" if tried.seconds and found.seconds else "–"


def _use(measured: Sensitivity) -> str:
    return f"{measured.vector('pixel').value:.2g}"


def _use_of(tried: Tried) -> str:
    said = [*([] if tried.seed_use is None else [_use(tried.seed_use)]), *(["ignored"] if tried.ignores else [])]
    return ", ".join(said)


def sentences(found: Remedies) -> list[str]:
    """The recommendation, and how many images it took."""
    told = list(recommendation.make(found).sentences)
    if found.before and not found.tried:
        told = [
            f"{found.model} does not hold without a shift: no remedy is tried. A seed vector that is as it should be "
            "is not what breaks it."
        ]
    if found.not_looked_at:
        cases = "; ".join(f"{case}: {reason}" for case, reason in found.not_looked_at.items())
        told.append(f"Failing in the run, and left out here: {cases}.")
    if found.crossing:
        share = messages.percent(round(found.images / found.crossing, 2))
        told.append(
            f"{found.images} images looked at, {share} of the {found.crossing} of whole designs. That any verdict "
            f"here is wrong has a probability of at most {messages.percent(1 - found.certainty)}."
        )
    return told


def lines(found: Remedies) -> list[str]:
    """For a terminal."""
    left_out = [f"not tried: {title}: {reason}" for title, reason in found.left_out.items()]
    errors = [f"{each.candidate.title}: {each.error}" for each in found.tried if each.error]
    shown = tables.table(table(found), "<") if found.before else []
    return [*shown, *(f"  {each}" for each in (*LEGEND, *errors, *left_out) if shown), *sentences(found)]


LEGEND = (
    "by case: each score that breaks there, or broke in the model as it is, with its interval",
    "left: how much of the mean without a shift is retained (≈: early verdict); ✗: it breaks",
    f"time: if {TIMED} images or more were timed after a model's first case, else –",
    f"too few pairs to say: the interval reaches more than {TOLERANCE:.0%} of the mean without a shift below 0",
    "seed use: how much another seed vector changes pixels, relative to another label",
)


def document(found: Remedies) -> dict[str, Any]:
    """All of it in built-in types."""
    made = recommendation.make(found)
    return {
        "version": 1,
        "model": found.model,
        "certainty": found.certainty,
        "images": found.images,
        "crossing": found.crossing,
        "recommended": None if made.tried is None else made.tried.candidate.model,
        "sentences": sentences(found),
        "before": [_treated(each) for each in found.before],
        "remedies": [
            {
                "changes": list(each.candidate.changes),
                "model": each.candidate.model,
                "holds_unshifted": each.holds,
                "healed": each.healed,
                "cases": [_treated(one) for one in each.treated],
                "costs": {
                    score: {"change": change.value, "low": change.low, "high": change.high}
                    for score, change in each.costs.items()
                },
                "pairs": each.pairs,
                "too_few_pairs": list(each.unclear(found.control)),
                "seconds_per_image": each.seconds,
                "ignores_seed": each.ignores,
                "error": each.error,
            }
            for each in found.tried
        ],
        "left_out": dict(found.left_out),
        "left_out_cases": dict(found.not_looked_at),
    }


def _treated(treated: Treated) -> dict[str, Any]:
    return {
        "shift": treated.case.shift,
        "magnitude": treated.case.magnitude,
        "holds": treated.holds,
        "images": treated.images,
        "scores": {
            score: {"mean": each.mean, "low": each.low, "high": each.high} for score, each in treated.scores.items()
        },
        "retained": dict(treated.retained),
        "broken": list(treated.broken),
    }
