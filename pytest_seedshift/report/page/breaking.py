"""Breaking points: where each model breaks under each shift, in each direction, and what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.breaking import words
from pytest_seedshift.breaking.form import CLEAR
from pytest_seedshift.report.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.breaking.form import Record
    from pytest_seedshift.report.page.album import Album
    from pytest_seedshift.run import Run


def build(run: Run, _: Album) -> Section | None:
    """A row a search; nothing where none was made."""
    if not run.breaking:
        return None
    return section(
        "breaking",
        "Breaking points",
        searches=[(record, words.point(record), words.monotony(record)) for record in run.breaking],
        scores=[score for score in run.scores if any(score in p.scores for each in run.breaking for p in each.probes)],
        clear=CLEAR,
        limited=any(not record.within_budget for record in run.breaking),
    )


def in_short(run: Run, model: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """A model's breaking points: by shift, each direction's."""
    by_shift: dict[str, list[Record]] = {}
    for record in run.breaking:
        if record.model == model:
            by_shift.setdefault(record.shift, []).append(record)
    return [(shift, [(each.sign, words.point(each)) for each in found]) for shift, found in by_shift.items()]
