"""What a history shows, in words, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.score_registry import SHIPPED
from pytest_seedshift.results import history

if TYPE_CHECKING:
    from pytest_seedshift.results.history import CaseLine, Line
    from pytest_seedshift.results.history_changes import Changes, Loss, Step
    from pytest_seedshift.results.schema.records import Score


_TAGS = 3
"""How many tags a sentence names."""


@dataclass(frozen=True)
class Course:
    """A score of a case over the versions of its model.

    Attributes:
        case: which.
        score: its name.
        points: the versions that have it, oldest first, each with its mean and interval.
        step: the last at which it has changed; None where it has not.
    """

    case: Case
    score: str
    points: Sequence[tuple[Line, CaseLine, Score]]
    step: Step | None
    loss: Loss | None = None
    """What has become of it, where it was worse."""

    @property
    def lowest(self) -> tuple[Line, CaseLine, Score]:
        """The version with the lowest mean, the first of several."""
        return min(self.points, key=lambda point: point[2].mean)


def courses(changes: Changes) -> list[Course]:
    """All scores of all cases of a model, in the order in which they come."""
    points: dict[tuple[Case, str], list[tuple[Line, CaseLine, Score]]] = {}
    for line in changes.lines:
        for each in line.cases:
            if each.model == changes.model:
                case = Case(each.model, each.shift, each.magnitude)
                for score, found in each.scores.items():
                    points.setdefault((case, score), []).append((line, each, found))
    last = {(step.case, step.score): step for step in changes.steps}
    losses = {(each.step.case, each.step.score): each for each in changes.losses}
    return [Course(*key, found, last.get(key), losses.get(key)) for key, found in points.items()]


def format_score(score: str, value: float) -> str:
    """A mean: of what ships by its kind, of any other with three digits."""
    return SHIPPED[score].format(value) if score in SHIPPED else f"{value:.3g}"


def title(score: str, changes: Changes) -> str:
    """A score's title."""
    known: Mapping[str, str] = history.titles(changes.lines)
    return SHIPPED[score].title if score in SHIPPED else known.get(score, score)


def head(changes: Changes) -> str:
    """Such as `toy-latent: 30 versions, v0 (2026-01-01) to v29 (2026-01-30)`."""
    first, last = changes.lines[0], changes.lines[-1]
    if first is last:
        return f"{changes.model}: 1 version, {first.name} ({first.time[:10]})"
    ends = " to ".join(f"{line.name} ({line.time[:10]})" for line in (first, last))
    return f"{changes.model}: {len(changes.lines)} versions, {ends}"


def sentences(changes: Changes) -> list[str]:
    """What has changed, oldest first; that nothing has, where that is so."""
    if not changes.steps:
        if len(changes.lines) < 2:
            return ["One version has nothing to be compared with."]
        return ["No version is significantly worse or better than the one that its level began with."]
    lasting = {id(loss.step): loss for loss in changes.losses}
    return [_sentence(step, changes) + _standing(lasting.get(id(step))) for step in changes.steps]


def _standing(loss: Loss | None) -> str:
    """Where the newest version stands, behind the sentence of a score's last step."""
    if loss is None or (loss.newest is loss.step.line and loss.step.worse):
        return ""
    score, before, now = loss.step.score, loss.before.name, f"{loss.newest.name} with "
    now += f"{format_score(loss.step.score, loss.now)}"
    level = f"{before}'s {format_score(score, loss.level)}"
    if loss.state == "back":
        assert loss.since is not None
        above = "" if loss.p_above is None else f", and above {loss.step.line.name} (p {loss.p_above:.1g})"
        return f". Back at {before}'s level since {loss.since.name}: {now} is not below {level}{_p(loss.p)}{above}"
    if loss.state == "worse":
        return f". {now} is still below {level}{_p(loss.p)}"
    if loss.p is None and loss.step.p is not None:
        return f". Undecided: {loss.newest.name} cannot be compared with it"
    above = "" if loss.p_above is None else f" (p {loss.p_above:.1g})"
    return f". Undecided: {now} is neither below {level}{_p(loss.p)} nor above {loss.step.line.name}{above}"


def _p(p: float | None) -> str:
    return "" if p is None else f" (p {p:.1g})"


GATE = (
    "A gate asks whether more is lost than max_regression allows; this history whether anything at all is lost beyond "
    "chance."
)


def _sentence(step: Step, changes: Changes) -> str:
    became = "worse" if step.worse else "better"
    values = " → ".join(format_score(step.score, value) for value in (step.before, step.after))
    test = "their intervals lie apart" if step.p is None else f"p {step.p:.1g}, pair by pair"
    late = f", which {step.line.name} shows" if step.line is not step.since else ""
    return (
        f"{step.case.describe()}, {title(step.score, changes)}: {became} since {step.since.name}{late}: {values} "
        f"({test}, against {step.reference.name}){_most_changed(step)}"
    )


def by_tag(step: Step) -> dict[str, tuple[float, float]]:
    """By tag that both versions have, the means before and after a step; those that changed most its way first."""
    ends = [_tags(line, step) for line in (step.reference, step.line)]
    sign = 1 if step.worse else -1
    both = {tag: (ends[0][tag], ends[1][tag]) for tag in ends[0] if tag in ends[1]}
    return dict(sorted(both.items(), key=lambda each: -sign * (each[1][0] - each[1][1])))


def _tags(line: Line, step: Step) -> dict[str, float]:
    found = next((each for each in line.cases if Case(each.model, each.shift, each.magnitude) == step.case), None)
    tags = {} if found is None else found.tags or {}
    return {tag: each.scores[step.score].mean for tag, each in tags.items() if step.score in each.scores}


def _most_changed(step: Step) -> str:
    """The tags that have changed most, the way that the whole has; empty without any."""
    told = [
        f"{tag} {' → '.join(format_score(step.score, value) for value in ends)}"
        for tag, ends in by_tag(step).items()
        if (ends[0] > ends[1]) is step.worse and ends[0] != ends[1]
    ]
    return f"; by tag: {', '.join(told[:_TAGS])}" if told else ""


def table(changes: Changes, *, changed: bool = False) -> list[tuple[str, ...]]:
    """A row for each score of each case, or only of those that have changed, the head first."""
    first, last = changes.lines[0].name, changes.lines[-1].name
    rows: list[tuple[str, ...]] = [("", "score", first, last, "lowest", "last change")]
    for each in (each for each in courses(changes) if each.step is not None or not changed):
        by_line = {point[0].id: point[2] for point in each.points}
        ends = [by_line.get(changes.lines[at].id) for at in (0, -1)]
        lowest = each.lowest
        step = each.step
        rows.append(
            (
                each.case.describe(),
                title(each.score, changes),
                *("·" if end is None else format_score(each.score, end.mean) for end in ends),
                f"{format_score(each.score, lowest[2].mean)} ({lowest[0].name})",
                "" if step is None else _last(step, each.loss),
            )
        )
    return rows


def _last(step: Step, loss: Loss | None) -> str:
    """The last change of a row, and what has become of it."""
    if loss is not None and loss.since is not None:
        return f"back since {loss.since.name}"
    said = f"{'worse' if step.worse else 'better'} since {step.since.name}"
    if loss is not None and loss.state == "undecided":
        return f"{said}, undecided now"
    return said if loss is None or step.worse else f"worse than {loss.before.name}, {said}"


def lines(changes: Changes) -> list[str]:
    """For a terminal."""
    notes = [*([GATE] if changes.losses else []), *(f"note: {note}" for note in changes.notes)]
    told = [f"  {each}" for each in (*sentences(changes), *notes)]
    changed = table(changes, changed=True)
    return [head(changes), *told, *(tables.table(changed, "<<>>><") if len(changed) > 1 else [])]


def summary(all_changes: Sequence[Changes]) -> str:
    """One line on what is open: worse, and not known to be back."""
    found = [(changes, loss) for changes in all_changes for loss in changes.open()]
    if not found:
        return "nothing is worse than it was and has stayed so"
    models = ", ".join(dict.fromkeys(changes.model for changes, _ in found))
    unclear = sum(loss.state == "undecided" for _, loss in found)
    undecided = f" ({unclear} undecided)" if unclear else ""
    return f"{messages.count(len(found), 'score')} worse than before, and not known to be back{undecided}: of {models}"


def document(all_changes: Sequence[Changes], certainty: float) -> dict[str, Any]:
    """All of it in built-in types."""
    return {
        "version": 1,
        "certainty": certainty,
        "models": {
            changes.model: {
                "versions": [
                    {"name": line.name, "time": line.time, "fingerprint": line.models[changes.model]}
                    for line in changes.lines
                ],
                "changes": [_step(step) for step in changes.steps],
                "open": [_step(loss.step) for loss in changes.open()],
                "losses": [_loss(loss) for loss in changes.losses],
                "notes": list(changes.notes),
            }
            for changes in all_changes
        },
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "shift": loss.step.case.shift,
        "magnitude": loss.step.case.magnitude,
        "score": loss.step.score,
        "level_of": loss.before.name,
        "level": loss.level,
        "newest": loss.newest.name,
        "now": loss.now,
        "state": loss.state,
        "back_since": None if loss.since is None else loss.since.name,
        "p_below": loss.p,
        "p_above": loss.p_above,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "shift": step.case.shift,
        "magnitude": step.case.magnitude,
        "score": step.score,
        "became": "worse" if step.worse else "better",
        "since": step.since.name,
        "found_with": step.line.name,
        "against": step.reference.name,
        "before": step.before,
        "after": step.after,
        "by": step.by,
        "p": step.p,
        "level": step.level,
        **({"tags": {tag: list(ends) for tag, ends in tags.items()}} if (tags := by_tag(step)) else {}),
    }
