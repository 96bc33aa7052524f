"""Breaking points: where each model breaks under each shift, in each direction, and what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.results.schema import CLEAR
from pytest_seedshift.studies.breaking_point import messages

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Run
    from pytest_seedshift.results.schema import Search


def build(run: Run, _: Album) -> Section | None:
    """A row a search; nothing where none was made."""
    if not run.breaking:
        return None
    return section(
        "breaking",
        "Breaking points",
        kinds=run.kinds,
        searches=[(record, messages.point(record), messages.monotony(record)) for record in run.breaking],
        scores=[score for score in run.scores if any(score in p.scores for each in run.breaking for p in each.probes)],
        clear=CLEAR,
        limited=any(not record.within_budget for record in run.breaking),
    )


def in_short(run: Run, model: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """A model's breaking points: by shift, each direction's."""
    by_shift: dict[str, list[Search]] = {}
    for record in run.searches(model):
        by_shift.setdefault(record.shift, []).append(record)
    return [(shift, [(each.sign, messages.point(each)) for each in found]) for shift, found in by_shift.items()]
