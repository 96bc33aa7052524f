"""The curves: each score against the signed magnitude, a panel a shift, the models overlaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.report.page import plots
from pytest_seedshift.report.page.section import Section, section
from pytest_seedshift.scores import SCORES

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.report.page.album import Album
    from pytest_seedshift.run import CaseRun, Run


def build(run: Run, _: Album) -> Section | None:
    """Nothing where no shifted case has a score."""
    if not any(each.scores for each in run.cases if not each.case.is_control):
        return None
    scores = [
        {"score": score, "panels": [(shift, _panel(run, score, shift)) for shift in run.shifts]} for score in run.scores
    ]
    certainties = sorted({each.certainty for each in run.cases if each.certainty is not None})
    legend = [(model, plots.key(index)) for index, model in enumerate(run.models)]
    bounded = any(each.minimum(score) is not None for each in run.cases for score in run.scores)
    return section(
        "curves",
        "Curves",
        scores=scores,
        legend=legend,
        bounded=bounded,
        certainties=certainties,
        key=plots.bound_key(),
    )


def _panel(run: Run, score: str, shift: str) -> Markup:
    lines = []
    for index, model in enumerate(run.models):
        cases = [each for each in run.of(model) if each.case.shift == shift or each.case.is_control]
        points = sorted((_point(each, score) for each in cases if score in each.scores), key=lambda point: point.at)
        if any(point.at for point in points):
            lines.append(plots.Line(index, points))
    everything = [each.scores[score] for each in run.cases if score in each.scores]
    top = 1.0 if SCORES[score].top <= 1 else max(found.high for found in everything)
    return plots.panel(lines, top=top, limits=_limits(run))


def _point(case: CaseRun, score: str) -> plots.Point:
    found = case.scores[score]
    return plots.Point(case.case.magnitude, found.mean, found.low, found.high, case.minimum(score), case.breaks(score))


def _limits(run: Run) -> tuple[float, float]:
    magnitudes: list[Any] = [0.0, *run.magnitudes()]
    return min(magnitudes), max(magnitudes)
