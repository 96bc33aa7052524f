"""Breaking points: where each model breaks under each shift, in each direction, and what that rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core.messages import count as counted
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.results.schema import CLEAR
from pytest_seedshift.results.statuses import KNOWN, SKIPPED
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


def of_searches(searches: Sequence[Search], *, alone: bool) -> list[str]:
    """What a model's verdict has to say of its searches: those that fail, those without a verdict.

    `alone` tells that there is nothing else to say of the model.
    """
    by_verdict: dict[str, list[Search]] = {}
    for each in searches:
        by_verdict.setdefault(each.status, []).append(each)
    early = ", ".join(f"{each.shift} {messages.point(each)}" for each in by_verdict.get("fail", ()))
    said = [f"breaks earlier than required: {early}"] if early else []
    if alone and "pass" in by_verdict and not early:
        said.append("breaks nowhere earlier than required")
    if alone and "measured" in by_verdict:
        said.append(f"has {counted(len(by_verdict['measured']), 'breaking point')} measured, none required")
    if KNOWN in by_verdict:
        places = ", ".join(f"{each.shift} {messages.point(each)}" for each in by_verdict[KNOWN])
        said.append(f"{counted(len(by_verdict[KNOWN]), 'known failure')} among its breaking points: {places}")
    if SKIPPED in by_verdict:
        said.append(f"{counted(len(by_verdict[SKIPPED]), 'breaking point')} skipped")
    if "error" in by_verdict:
        said.append(f"has {counted(len(by_verdict['error']), 'breaking point')} that could not be judged")
    return said


def in_short(run: Run, model: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """A model's breaking points: by shift, each direction's."""
    by_shift: dict[str, list[Search]] = {}
    for record in run.searches(model):
        by_shift.setdefault(record.shift, []).append(record)
    return [(shift, [(each.sign, messages.point(each)) for each in found]) for shift, found in by_shift.items()]
