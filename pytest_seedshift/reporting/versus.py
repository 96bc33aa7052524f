"""A base against others, as a table and in sentences: for the terminal, a pull request, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.reporting import markdown
from pytest_seedshift.studies.versus_verdicts import AS_BASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.studies.sampler_ablation.effects import Mean
    from pytest_seedshift.studies.speed import Speed
    from pytest_seedshift.studies.versus import Other, Score, Versus
    from pytest_seedshift.studies.versus_verdicts import Failed

_SHOWN, _SHOWN_SHARED = 2, 4
"""So many failing cases are told with their reasons, and so many that fail in the base too."""

_MARKS = {"pass": "passes", AS_BASE: "as the base", "fail": "✗ fails", "error": "could not be judged"}


TAKEN: tuple[tuple[Literal["memory", "weights", "disk"], str], ...] = (
    ("memory", "memory"),
    ("weights", "weights"),
    ("disk", "on disk"),
)
"""What a model takes, and the heads of their columns: see `Cost`."""

# The table ---------------------------------------------------------------------------------------------------------


def head(found: Versus) -> tuple[str, ...]:
    """The heads of the table's columns."""
    titles = [kind.title for kind in _scores(found).values()]
    under = [f"retained {title}" for title in titles] if found.shifts else []
    return ("", "verdict", "SSIM", *titles, *under, "images/s", *(title for _, title in TAKEN))


def rows(found: Versus) -> list[tuple[str, ...]]:
    """The table: the base, then a row for each other."""
    scores = _scores(found)
    base = [_controls(found, name) for name in scores]
    kept = [_base_retained(found, name) for name in scores] if found.shifts else []
    cost = found.cost
    pace = "" if cost.seconds is None else f"{1 / cost.seconds:.3g}"
    verdict = f"base, fails {messages.count(len(found.failed), 'case')}" if found.failed else "base"
    first = (found.base, verdict, "", *base, *kept, pace, *(_bytes(getattr(cost, what)) for what, _ in TAKEN))
    blank = [""] * (len(first) - 2)
    lost = [(name, "no verdicts", *blank) for name in found.lost]
    return [first, *(_row(found, each, scores) for each in found.others), *lost]


def _row(found: Versus, other: Other, scores: Iterable[str]) -> tuple[str, ...]:
    by_name = {each.name: each for each in other.scores}
    changes = [_signed(by_name[name]) if name in by_name else "" for name in scores]
    kept = [_kept_after(by_name.get(name)) for name in scores] if found.shifts else []
    taken = [found.times(other, what) for what, _ in TAKEN]
    return (
        other.name,
        _MARKS[other.verdict],
        f"≈{ssim(other)}" if other.early and ssim(other) else ssim(other),
        *changes,
        *kept,
        _pace(other.cost.speed),
        *("" if each is None else f"{each:.2f}×" for each in taken),
    )


def _pace(speed: Speed | None) -> str:
    """`1.69× (1.61–1.75)`; where the spread hides it only that."""
    if speed is None:
        return ""
    spread = f"{speed.low:.2f}–{speed.high:.2f}"
    return f"{speed.ratio:.2f}× ({spread})" if speed.is_clear else f"{spread}×"


def lines(found: Versus) -> list[str]:
    """The table and the sentences, for the terminal."""
    return [
        *tables.table([head(found), *rows(found)], f"<<{'>' * (len(head(found)) - 2)}", indent="", gap="  "),
        "",
        *sentences(found),
        caption(found),
    ]


def caption(found: Versus) -> str:
    """What the figures are of."""
    under = f"retained under {_under(found)}; " if found.shifts else ""
    timed = [each.cost.speed.rounds for each in found.others if each.cost.speed is not None]
    turns = (
        f"Images a second: of {found.base} as in its run, of others as a multiple, from {min(timed)} or more turns. If "
        "the spread hides any difference, only the spread is given. "
        if timed
        else ""
    )
    return (
        f"SSIM of pictures without a shift; scores without a shift as changes from {found.base}; {under}"
        f"in brackets the interval of the change, at {messages.percent(found.certainty)}. {turns}Memory: the peak of "
        "the run. Weights: what they take when they are loaded. On disk: their files, with adapters."
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

_SAME, _SIMILAR = 0.95, 0.7
"""From which mean SSIM on pictures are called the same, and from which on similar."""

_WORTH_SAYING = 0.05
"""By so much what a model's weights take differs from the base's, where a sentence says it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said of a model.

    Attributes:
        text: its verdict, its pictures, its losses, its speed.
        why: cases with the reasons of that verdict.
        more: how much of that is left out.
        other: whom it is of; None of the base.
    """

    text: str
    why: Sequence[Failed] = ()
    more: str = ""
    other: Other | None = None

    def __str__(self) -> str:
        """All of it."""
        reasons = [f"{each.case.id}: {each.reason}" if each.reason else each.case.id for each in self.why]
        said = "; ".join([*reasons, *filter(None, [self.more])])
        return f"{self.text} Why: {said}." if said else self.text


def sentences(found: Versus) -> list[str]:
    """One for each model, as text; see `told`."""
    return [str(each) for each in told(found)]


def told(found: Versus) -> list[Sentence]:
    """One for each other, and before them one for a base that fails itself."""
    made = []
    if found.failed:
        own = f"{found.base}, the base, fails {messages.count(len(found.failed), 'case')} itself."
        made.append(Sentence(own, *_reasons(found.failed)))
    for each in found.others:
        mine = [one for one in each.failed if one.case not in each.shared]
        why, more = _reasons(mine)
        more = "; ".join([*filter(None, [more]), *each.beside])
        text = f"{_called(found, each)} {_verdict(found, each)}: {'; '.join(_clauses(found, each))}."
        made.append(Sentence(text, why, more, each))
    return made + [Sentence(f"{name} came to no verdicts: {reason}.") for name, reason in found.lost.items()]


def _verdict(found: Versus, other: Other) -> str:
    """`passes`, or `is as the base, fails only where toy-latent fails too (mixed -0.30)`."""
    where = ", ".join(case.describe() for case in other.shared[:_SHOWN_SHARED])
    rest = len(other.shared) - _SHOWN_SHARED
    where += f" and {messages.count(rest, 'more case')}" if rest > 0 else ""
    if other.verdict == AS_BASE:
        return f"is as the base, fails only where {found.base} fails too ({where})"
    also = f" by itself, and where {found.base} fails too ({where})" if other.shared else ""
    return f"{_MARKS[other.verdict].removeprefix('✗ ')}{also}"


def _called(found: Versus, other: Other) -> str:
    """`+int8` of a change of the base."""
    if other.name == found.base:
        return f"{other.name} itself"
    return other.name.removeprefix(found.base) if other.name.startswith(f"{found.base}+") else other.name


def _clauses(found: Versus, other: Other) -> list[str]:
    said = [_of_pictures(other), *_of_losses(found, other), _of_speed(other), _of_weights(found, other)]
    if other.early:
        said.append(f"decided early, after {other.pairs} of {other.design} pairs, so that all figures are rough")
    return [each for each in said if each]


def _of_pictures(other: Other) -> str:
    if other.likeness is None:
        return f"likeness is not known ({other.note})" if other.note else "no pictures of the same pairs"
    if other.likeness.equal == other.likeness.pairs:
        return f"the same pictures ({messages.count(other.likeness.pairs, 'pair')})"
    mean = other.likeness.estimate("ssim").mean
    shown = "SSIM above 0.999" if mean > _FINEST else f"SSIM {mean:.3f}" if mean >= _FINE else f"SSIM {mean:.2f}"
    if mean >= _SAME:
        return f"same pictures to {shown}"
    return f"{'similar' if mean >= _SIMILAR else 'other'} pictures, {shown}"


_FINE, _FINEST = 0.99, 0.9995
"""From here on two digits of an SSIM would say that there is no difference, and three."""


def _of_losses(found: Versus, other: Other) -> list[str]:
    if not other.scores:
        return ["too few pairs for figures of scores" if other.pairs else "no scores on the base's pairs"]
    plain = _changed(other.scores, lambda each: each.change, "loses", "gains", _listed)
    shifted = _changed(other.scores, lambda each: each.robustness, "less robust by", "more robust by", _retained)
    if not plain and not shifted:
        first = other.scores[0]
        worst = _number(min(first.change.low, 0.0), _digits(first))
        return [f"no significant loss ({first.kind.title} at worst {worst})"]
    said = [f"{each} without a shift" for each in plain] or ["no significant loss without a shift"]
    return said + (shifted or (["no significant loss under shifts"] if found.shifts else []))


def _changed(
    scores: Sequence[Score],
    change: Callable[[Score], Mean | None],
    worse: str,
    better: str,
    words: Callable[[Sequence[Score]], str],
) -> list[str]:
    changes = [(each, found) for each in scores if (found := change(each)) is not None]
    lost = [each for each, found in changes if found.high < 0]
    gained = [each for each, found in changes if found.low > 0]
    return [f"{verb} {words(part)}" for verb, part in ((worse, lost), (better, gained)) if part]


def _of_speed(other: Other) -> str:
    speed = other.cost.speed
    if speed is None:
        return f"its speed was not measured ({other.cost.untimed})" if other.cost.untimed else ""
    if not speed.is_clear:
        return f"neither faster nor slower beyond the spread ({speed.low:.2f}–{speed.high:.2f}×)"
    faster = speed.ratio > 1
    ratio, low, high = (
        (speed.ratio, speed.low, speed.high) if faster else (1 / speed.ratio, 1 / speed.high, 1 / speed.low)
    )
    digits = 1 if ratio >= _ROUGH else 2
    return f"{ratio:.{digits}f}× {'faster' if faster else 'slower'} ({low:.{digits}f}–{high:.{digits}f})"


_ROUGH = 1.2
"""From here on a digit of a ratio is enough."""


def _of_weights(found: Versus, other: Other) -> str:
    times = found.times(other, "weights")
    return "" if times is None or abs(times - 1) < _WORTH_SAYING else f"its weights take {times:.2f}× the memory"


def _reasons(failed: Sequence[Failed]) -> tuple[Sequence[Failed], str]:
    """The first of some cases, and how many more there are."""
    rest = len(failed) - _SHOWN
    return failed[:_SHOWN], f"and {messages.count(rest, 'more case')}" if rest > 0 else ""


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
    digits = _digits(score)
    parts = (_number(each, digits) for each in (change.value, change.low, change.high))
    value, low, high = parts
    return f"{value} ({low} to {high})"


def _digits(score: Score) -> int:
    return 2 if score.kind.top <= 1 else 1


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


def _bytes(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
