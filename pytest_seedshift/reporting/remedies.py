"""What remedies do, in words, as a table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.studies.remedies import recommendation

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.seed_shares import Sensitivity
    from pytest_seedshift.studies.remedies.findings import Remedies, Treated, Tried


def table(found: Remedies) -> list[tuple[str, ...]]:
    """A row for the model as it is and for each remedy, the head first: what each holds, and what it costs."""
    cases = [each.case.describe() for each in found.before]
    rows = [("", "heals", *cases, "without a shift", "time", "seed use")]
    use = "" if found.seed_use is None else _use(found.seed_use)
    rows.append((found.model, "", *(_cell(each) for each in found.before), "", "", use))
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
                *(_cell(each) for each in tried.treated),
                _costs(tried),
                _time(tried, found),
                _use_of(tried),
            )
        )
    return rows


def figures(treated: Treated) -> tuple[str, str, str]:
    """The first score, its interval, and how much of it is left, where that is known: `0.95`, `0.66–1.00`, `≈0.97`."""
    score = next(iter(treated.scores))
    found = treated.scores[score]
    kept = "" if score not in treated.retained else f"≈{treated.retained[score]:.2f}"
    return _format(score, found.mean), f"{_format(score, found.low)}–{_format(score, found.high)}", kept


def _cell(treated: Treated) -> str:
    mean, interval, kept = figures(treated)
    return f"{mean} ({interval}){f', {kept} left' if kept else ''}{'' if treated.holds else ' ✗'}"


def _format(score: str, value: float) -> str:
    return SHIPPED[score].format(value) if score in SHIPPED else f"{value:.3g}"


def _costs(tried: Tried) -> str:
    """The change of the first score without a shift, with its interval, and of which others it is significant."""
    if not tried.costs:
        return "· (few pairs)"
    score = next(iter(tried.costs))
    change = tried.costs[score]
    harmed = f", lower: {', '.join(tried.harms)}" if tried.harms else ""
    return f"{change.value:+.2f} ({change.low:+.2f} to {change.high:+.2f}){harmed}"


def _time(tried: Tried, found: Remedies) -> str:
    return f"{tried.seconds / found.seconds:.1f}×" if tried.seconds and found.seconds else ""


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
    "by case: the first score with its interval, and how much of the mean without a shift is retained (≈: early "
    "verdict); ✗: it breaks",
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
                "seconds_per_image": each.seconds,
                "ignores_seed": each.ignores,
                "error": each.error,
            }
            for each in found.tried
        ],
        "left_out": dict(found.left_out),
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
    }
