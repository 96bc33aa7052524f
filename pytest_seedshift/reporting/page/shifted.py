"""How far each shift moves the pictures: to the control's of the same pairs, within this run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.core import likeness as measures
from pytest_seedshift.reporting import likeness
from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.results import shifted_likeness

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Run


def build(run: Run, album: Album) -> Section | None:
    """A row a shifted case; None where the run folder has nothing of it."""
    found = shifted_likeness.read(run.path)
    cases = [(case, found[case.case]) for case in run.cases if case.case in found and not case.null]
    if not cases:
        return None
    columns = [name for name in measures.MEASURES if any(name in each.scores for _, each in cases)]
    return section(
        "shifted",
        "How far shifts move the picture",
        kinds=run.kinds,
        titles=[likeness.TITLES[name] for name in columns],
        rows=[(case, each.pairs, [_cell(name, each.scores.get(name)) for name in columns]) for case, each in cases],
    )


def _cell(measure: str, value: float | None) -> tuple[str, float | None]:
    """What is shown, and by what the column is sorted."""
    if value is None:
        return "–", None
    return measures.MEASURES[measure].format(value), value
