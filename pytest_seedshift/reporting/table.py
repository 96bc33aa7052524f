"""The summary: each score in a table of shifts × magnitudes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, tables
from pytest_seedshift.core.cases import format_magnitude
from pytest_seedshift.core.score_registry import SHIPPED, in_order
from pytest_seedshift.core.shifts import NONE
from pytest_seedshift.runner import marks, verdict_messages
from pytest_seedshift.runner import records as recorded

if TYPE_CHECKING:
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.schema import Record


def table(records: Sequence[Record], kinds: Mapping[str, ScoreKind] = SHIPPED) -> list[str]:
    """A model's scores, shifts down and magnitudes across; below them what the marks say that stand in them."""
    magnitudes = sorted({record.magnitude for record in records if record.shift != NONE})
    shift_names = recorded.shifts(records)
    control = recorded.control(records)
    cells = {(record.shift, record.magnitude): record for record in records}
    asked = {constraint.score for record in records for constraint in record.constraints}
    lines, scores = [records[0].model], in_order(kinds.keys() & asked if asked else kinds)
    for score in scores:
        width = max(1, *(len(_mark(record, score)) for record in records))
        rows = [[kinds[score].title, *map(format_magnitude, magnitudes)]]
        rows += [["control", _cell(control, score, kinds, width)]] if control is not None else []
        rows += [
            [name, *(_cell(cells.get((name, at)), score, kinds, width) for at in magnitudes)] for name in shift_names
        ]
        lines += tables.table(rows, "<>", least=(len("control"), 8, 6))
    return lines + _legend(records, scores)


def _legend(records: Sequence[Record], scores: Sequence[str]) -> list[str]:
    """What the marks say that stand in a table of these scores; no line where there are none."""
    there = {marks.of(record, score) for record in records for score in scores}
    short = marks.legends(there, (marks.BROKEN, marks.KNOWN_FAILURE, marks.UNJUDGED)) + _early(records)
    long = marks.legends(there, (marks.OPEN, marks.ELSEWHERE))
    return [f"  {line}" for line in (", ".join(short), *long) if line]


def _early(records: Sequence[Record]) -> list[str]:
    """What ≈ says, and of how many images such means are: `≈ early mean of 24 to 215 images`."""
    early = [record.images for record in records if record.early]
    if not early:
        return []
    noun = "image" if max(early) == 1 else "images"
    return [f"≈ early mean of {messages.span(early)} {noun}, which leans towards its verdict"]


def _cell(record: Record | None, score: str, kinds: Mapping[str, ScoreKind], width: int) -> str:
    if record is not None and record.verdict == "error":
        return f"{marks.UNJUDGED:{width + 1}}"
    if record is None or score not in record.scores:
        return f"{'·':{width + 1}}"
    mean = verdict_messages.mean(record.scores[score], kinds[score], early=record.early)
    return f"{mean}{_mark(record, score):{width}}"


def _mark(record: Record, score: str) -> str:
    return "" if record.verdict == "error" else marks.of(record, score)
