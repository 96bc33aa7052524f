"""The heat map: shift × magnitude, a table for each model and score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.runner import marks

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run

_GONE = 0.5
"""The share of the control's score at which a cell has the colour of "nothing left"."""

_MEANING = {marks.OPEN: "beyond its bound, not decided", marks.ELSEWHERE: "fails", marks.UNJUDGED: "no verdict"}
"""What marks that a cell shows as they are say by ear."""


def build(run: Run, _: Album) -> Section | None:
    """Real tables, so that they can be read by ear and by keyboard; the control stands in the middle of each row."""
    if not any(case.scores for case in run.cases):
        return None
    return section(
        "heat",
        "Every case at a glance",
        kinds=run.kinds,
        models=[_model(run, model) for model in run.models if run.of(model)],
        early=any(case.early and case.scores for case in run.cases),
        legends=marks.legends({marks.of(each, score) for each in run.cases for score in each.scores}, tuple(_MEANING)),
        meaning=_MEANING,
    )


def _model(run: Run, model: str) -> dict[str, Any]:
    cases = {(each.case.shift, each.case.magnitude): each for each in run.of(model)}
    control = run.control(model)
    columns = sorted({*run.magnitudes(model), 0.0})
    shifts = [shift for shift in run.shifts if any(key[0] == shift for key in cases)]
    tables = [
        {
            "score": score,
            "rows": [
                (shift, [_cell(control if at == 0 else cases.get((shift, at)), score, control) for at in columns])
                for shift in shifts
            ],
            "alone": _cell(control, score, control),
        }
        for score in run.scores
        if any(score in case.scores for case in cases.values())
    ]
    return {"name": model, "columns": columns, "tables": tables}


def _cell(case: CaseRun | None, score: str, control: CaseRun | None) -> dict[str, Any] | None:
    if case is None:
        return None
    found = case.scores.get(score)
    reference = control.scores.get(score) if control is not None else None
    left = 1.0
    if found is not None and reference is not None and reference.mean > 0:
        left = min(max((found.mean / reference.mean - _GONE) / (1 - _GONE), 0.0), 1.0)
    early = found is not None and case.early
    return {
        "case": case,
        "found": found,
        "mark": "" if found is None else marks.of(case, score),
        "breaks": case.breaks(score),
        "left": f"{left:.2f}",
        "early": early,
    }
