"""A base against others, as a table and in sentences: for the terminal, a pull request, and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.reporting import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.studies.sampler_ablation.effects import Mean
    from pytest_seedshift.studies.versus import Cost, Other, Score, Versus

VERSION = 1

_SHOWN = 2
"""So many failing cases are told with their reasons."""

_MARKS = {"pass": "passes", "fail": "✗ fails", "error": "could not be judged"}


# The table ---------------------------------------------------------------------------------------------------------


def head(found: Versus) -> tuple[str, ...]:
    """The heads of the table's columns."""
    titles = [kind.title for kind in _scores(found).values()]
    under = [f"retained {title}" for title in titles] if found.shifts else []
    return ("", "SSIM", *titles, *under, "images/s", "memory", "verdict")


def rows(found: Versus) -> list[tuple[str, ...]]:
    """The table: the base, then a row for each other."""
    scores = _scores(found)
    base = [_controls(found, name) for name in scores]
    kept = [_base_retained(found, name) for name in scores] if found.shifts else []
    first = (
        found.base,
        "",
        *base,
        *kept,
        "" if found.cost.seconds is None else f"{1 / found.cost.seconds:.3g}",
        _bytes(found.cost.memory),
        "base",
    )
    return [first, *(_row(found, each, scores) for each in found.others)]


def _row(found: Versus, other: Other, scores: Iterable[str]) -> tuple[str, ...]:
    by_name = {each.name: each for each in other.scores}
    changes = [_signed(by_name[name]) if name in by_name else "" for name in scores]
    kept = [_kept_after(by_name.get(name)) for name in scores] if found.shifts else []
    speed, memory = found.speed(other), found.memory(other)
    return (
        other.name,
        f"≈{ssim(other)}" if other.early and ssim(other) else ssim(other),
        *changes,
        *kept,
        "" if speed is None else f"{speed:.2f}×",
        "" if memory is None else f"{memory:.2f}×",
        _MARKS[other.verdict],
    )


def lines(found: Versus) -> list[str]:
    """The table and the sentences, for the terminal."""
    return [
        *tables.table([head(found), *rows(found)], f"<{'>' * (len(head(found)) - 2)}<", indent="", gap="  "),
        "",
        *sentences(found),
        caption(found),
    ]


def caption(found: Versus) -> str:
    """What the figures are of."""
    under = f"retained under {_under(found)}; " if found.shifts else ""
    return (
        f"SSIM of pictures without a shift; scores without a shift as changes from {found.base}; {under}"
        f"in brackets the interval of the change, at {messages.percent(found.certainty)}. Images a second and "
        "memory are as measured in these runs, beside whatever else the machine did."
        f"{' ≈ decided early: rough figures (--exact).' if any(each.early for each in found.others) else ''}"
    )


def summary(found: Versus) -> str:
    """The same in Markdown, for a pull request."""
    cells = [[markdown.code(row[0]), *row[1:]] for row in rows(found)]
    parts = [
        f"### Against {markdown.code(found.base)}",
        markdown.table(head(found), cells),
        "\n".join(f"- {_plain(each)}" for each in sentences(found)),
        _plain(caption(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(sentence: str) -> str:
    from pytest_seedshift.core import text

    return text.markdown(sentence)


def ssim(other: Other) -> str:
    """`0.982`, `the same`, or nothing where there are no pictures to compare."""
    if other.likeness is None:
        return ""
    if other.likeness.equal == other.likeness.pairs:
        return "the same"
    return f"{other.likeness.estimate('ssim').mean:.3f}"


# Sentences ---------------------------------------------------------------------------------------------------------


def sentences(found: Versus) -> list[str]:
    """One for each other: its verdict with the reasons, its pictures, its scores and its speed."""
    return [f"{each.name} {'; '.join(_clauses(found, each))}." for each in found.others]


def _clauses(found: Versus, other: Other) -> list[str]:
    said = [_of_verdict(other), *([_of_early(other)] if other.early else []), _of_pictures(other), _of_scores(other)]
    if found.shifts:
        said.append(_of_robustness(other))
    speed = found.speed(other)
    if speed is not None:
        said.append(f"{speed:.2f}× the images a second")
    return [each for each in said if each]


def _of_early(other: Other) -> str:
    return f"it was decided early, after {other.pairs} of {other.design} pairs, so that all figures are rough"


def _of_pictures(other: Other) -> str:
    if other.likeness is None:
        return f"likeness is not known ({other.note})" if other.note else "no pictures of the same pairs"
    if other.likeness.equal == other.likeness.pairs:
        return f"the same pictures ({messages.count(other.likeness.pairs, 'pair')})"
    found = other.likeness.estimate("ssim")
    psnr = other.likeness.estimate("psnr")
    return f"SSIM of its pictures {found.mean:.3f} ({found.low:.2f}–{found.high:.2f}), PSNR {psnr.mean:.1f} dB"


def _of_scores(other: Other) -> str:
    if not other.scores:
        return "too few pairs for figures of scores" if other.pairs else "no scores on the base's pairs"
    worse = [each for each in other.scores if each.change.high < 0]
    better = [each for each in other.scores if each.change.low > 0]
    if not worse and not better:
        return f"no significant change of {_listed(other.scores)} without a shift"
    said = [f"{verb} {_listed(part)} without a shift" for verb, part in (("loses", worse), ("gains", better)) if part]
    return " and ".join(said)


def _of_robustness(other: Other) -> str:
    measured = [each for each in other.scores if each.robustness is not None]
    if not measured:
        return ""
    worse = [each for each in measured if each.robustness is not None and each.robustness.high < 0]
    better = [each for each in measured if each.robustness is not None and each.robustness.low > 0]
    if not worse and not better:
        return "no significant change of what is retained under shifts"
    said = [f"{verb} robust by {_retained(part)}" for verb, part in (("less", worse), ("more", better)) if part]
    return " and ".join(said)


def _of_verdict(other: Other) -> str:
    if not other.failed:
        return "passes its thresholds"
    said = [f"{case}: {reason}" if reason else case for case, reason in list(other.failed.items())[:_SHOWN]]
    rest = len(other.failed) - len(said)
    more = f" and {messages.count(rest, 'more case')}" if rest else ""
    return f"{_MARKS[other.verdict].removeprefix('✗ ')} ({'; '.join(said)}{more})"


def _listed(scores: Sequence[Score]) -> str:
    return ", ".join(f"{each.kind.title} ({_signed(each)})" for each in scores)


def _retained(scores: Sequence[Score]) -> str:
    return ", ".join(f"retained {each.kind.title} ({_kept(each)})" for each in scores)


def _kept(score: Score | None) -> str:
    """`0.97 → 0.95 (−0.05 to +0.01)`."""
    if score is None or score.retained is None or score.robustness is None:
        return ""
    before, after = score.retained
    apart = score.robustness
    return f"{before:.2f} → {after:.2f} ({_number(apart.low, 2)} to {_number(apart.high, 2)})"


def _kept_after(score: Score | None) -> str:
    """`0.95 (−0.05 to +0.01)`: the model's, and the interval of what that is less the base's."""
    return _kept(score).partition(" → ")[2]


def _signed(score: Score) -> str:
    """`−0.02 (−0.05 to +0.01)`, in the score's own units."""
    change = score.change
    digits = 2 if score.kind.top <= 1 else 1
    parts = (_number(each, digits) for each in (change.value, change.low, change.high))
    value, low, high = parts
    return f"{value} ({low} to {high})"


def _number(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _scores(found: Versus) -> dict[str, ScoreKind]:
    """The scores of the table, which some of the others have."""
    return {each.name: each.kind for other in found.others for each in other.scores}


def _controls(found: Versus, name: str) -> str:
    found_of = next(each for other in found.others for each in other.scores if each.name == name)
    return found_of.kind.format(found_of.controls[0])


def _base_retained(found: Versus, name: str) -> str:
    means = [each.retained[0] for other in found.others for each in other.scores if each.name == name and each.retained]
    return f"{means[0]:.2f}" if means else ""


def _under(found: Versus) -> str:
    by_shift: dict[str, list[str]] = {}
    for shift, magnitude in found.shifts:
        by_shift.setdefault(shift, []).append(format_magnitude(magnitude))
    return ", ".join(f"{shift} {' '.join(magnitudes)}" for shift, magnitudes in by_shift.items())


# JSON --------------------------------------------------------------------------------------------------------------


def document(found: Versus) -> dict[str, Any]:
    """All of it, in built-in types."""
    return {
        "version": VERSION,
        "base": {"model": found.base, **_cost(found.cost)},
        "shifts": [{"shift": shift, "magnitude": magnitude} for shift, magnitude in found.shifts],
        "certainty": found.certainty,
        "others": [_document(found, each) for each in found.others],
        "sentences": sentences(found),
    }


def _document(found: Versus, other: Other) -> dict[str, Any]:
    return {
        "model": other.name,
        "verdict": other.verdict,
        "failed": dict(other.failed),
        "pairs": other.pairs,
        "design": other.design,
        **_cost(other.cost),
        "speed": found.speed(other),
        "memory": found.memory(other),
        "likeness": None if other.likeness is None else _alike(other),
        "note": other.note,
        "scores": {
            each.name: {
                "control": {"base": each.controls[0], "model": each.controls[1]},
                "change": _mean(each.change),
                "retained": None if each.retained is None else {"base": each.retained[0], "model": each.retained[1]},
                "robustness": None if each.robustness is None else _mean(each.robustness),
            }
            for each in other.scores
        },
    }


def _alike(other: Other) -> dict[str, Any]:
    assert other.likeness is not None
    made = other.likeness.document()
    return {key: made[key] for key in ("pairs", "equal", "ssim", "psnr")}


def _cost(cost: Cost) -> dict[str, Any]:
    return {"seconds_per_image": cost.seconds, "peak_memory": cost.memory}


def _bytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**30:.1f} GiB"


def _mean(found: Mean) -> dict[str, float]:
    return {key: float(getattr(found, key)) for key in ("value", "low", "high") if math.isfinite(getattr(found, key))}
