"""Scores by tag of the prompts, of a run and of two that are compared, for page, terminal and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.tags import score_of
from pytest_seedshift.core.text import markdown
from pytest_seedshift.reporting.markdown import table
from pytest_seedshift.results import tag_changes
from pytest_seedshift.runner import verdict_messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.regression import Comparison
    from pytest_seedshift.results.run import CaseRun
    from pytest_seedshift.results.tag_changes import PromptChange, TagChange

_PROMPTS = 3
"""How many prompts of a model, those that have lost most, are named."""

Mean = tuple[float, int]
"""A mean, and of how many pairs it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A tag's means of one score; None where no pair was looked at.

    Attributes:
        tag: its name.
        control: without a shift.
        shifted: of all shifted cases.
        by_shift: of the cases of each shift.
        worst: the shifted case with the lowest mean, with that.
        broken: the cases that break a bound of the tag's.
    """

    tag: str
    control: Mean | None
    shifted: Mean | None
    by_shift: Sequence[Mean | None]
    worst: tuple[CaseRun, Mean] | None
    broken: Sequence[CaseRun]


def rows(cases: Sequence[CaseRun], score: str) -> tuple[list[str], list[Row]]:
    """The shifts of a model's cases, and a row for each tag: those that break bounds first, then the lowest."""
    cases = [case for case in cases if not case.null and any(score in each.scores for each in case.tags.values())]
    shifted = [case for case in cases if not case.case.is_control]
    shifts = list(dict.fromkeys(case.case.shift for case in shifted))
    made = []
    for tag in dict.fromkeys(tag for case in cases for tag in case.tags):
        of_case = [(case, found) for case in shifted if (found := _mean([case], tag, score)) is not None]
        by_shift = ([case for case in cases if case.case.shift == shift] for shift in shifts)
        made.append(
            Row(
                tag,
                _mean((case for case in cases if case.case.is_control), tag, score),
                _mean(shifted, tag, score),
                [_mean(each, tag, score) for each in by_shift],
                min(of_case, key=lambda each: each[1][0], default=None),
                [case for case in cases if case.breaks(score_of(score, tag))],
            )
        )
    return shifts, sorted(made, key=_place)


def _place(row: Row) -> tuple[int, float, str]:
    found = row.shifted or row.control
    return -len(row.broken), 0.0 if found is None else found[0], row.tag


def _mean(cases: Iterable[CaseRun], tag: str, score: str) -> Mean | None:
    """The mean over the tag's pairs of some cases, and how many these are; None of none."""
    found = [
        (each.pairs, each.scores[score].mean)
        for case in cases
        if (each := case.tags.get(tag)) and each.pairs and score in each.scores
    ]
    pairs = sum(count for count, _ in found)
    return (sum(count * mean for count, mean in found) / pairs, pairs) if pairs else None


def summary(cases: Sequence[CaseRun]) -> str:
    """A model's scores by tag as tables in Markdown, one a score; empty where no prompt has a tag."""
    made = []
    for score in dict.fromkeys(score for case in cases for score in case.scores):
        shifts, found = rows(cases, score)
        if not found:
            continue
        kind = cases[0].kinds[score]
        head = [f"{markdown(kind.title)} by tag", "control", *map(markdown, shifts), "breaks its bound"]
        body = [
            [
                markdown(row.tag),
                _cell(row.control, kind),
                *(_cell(each, kind) for each in row.by_shift),
                f"in {messages.count(len(row.broken), 'case')}" if row.broken else "no",
            ]
            for row in found
        ]
        made.append(table(head, body, numbers=True))
    if made:
        made.append("By tag: the mean over its pairs, and in brackets how many were looked at.")
    return "\n\n".join(made)


def _cell(found: Mean | None, kind: ScoreKind) -> str:
    return "·" if found is None else f"{kind.format(found[0])} ({found[1]})"


# Comparisons ----------------------------------------------------------------------------------------------------------


def compared(comparison: Comparison) -> list[str]:
    """What has become of each tag, as lines of a table, and which prompts have lost most; nothing without tags."""
    found = tag_changes.of(comparison)
    if not found:
        return []
    made = [("by tag", "", "old", "", "new", "  pairs")]
    for each in found:
        kind = each.own_kind
        values = kind.format(each.before), "→", kind.format(each.after)
        made.append((f"{each.model} {each.tag}", kind.title, *values, f"  {turned(each)}"))
    return [*tables.table(made, "<<><><", least=(33, 6, 6, 1, 7, 0), indent="", gap=" "), *prompts(comparison), NOTE]


NOTE = (
    "by tag nothing is required: max_regression and within are of all pairs. The level of p is shared by all tags and "
    "scores"
)


def turned(change: TagChange) -> str:
    """`12 of 80 turned wrong and 1 right, p 0.0004, level 0.005: lower`."""
    down, up = ("wrong", "right") if change.own_kind.binary else ("lower", "higher")
    told = verdict_messages.probability(change.p, change.level)
    mark = ": lower, beyond chance" if change.is_lower else ""
    return f"{change.lost} of {change.pairs} turned {down} and {change.won} {up}, {told}{mark}"


def prompts(comparison: Comparison) -> list[str]:
    """Of each model the prompts that have lost most, in a line."""
    by_model: dict[str, list[PromptChange]] = {}
    for each in tag_changes.of_prompts(comparison):
        if each.drop > 0:
            by_model.setdefault(each.model, []).append(each)
    return [
        f"{model}: prompts that lost most: {', '.join(map(_prompt, found[:_PROMPTS]))}"
        for model, found in by_model.items()
    ]


def _prompt(change: PromptChange) -> str:
    kind = change.own_kind
    return f"{change.prompt} {kind.format(change.before)} → {kind.format(change.after)}"
