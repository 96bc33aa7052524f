"""The curves: each score against the signed magnitude, a panel a shift, the models overlaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.reporting.page import plots
from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run


def build(run: Run, _: Album) -> Section | None:
    """Nothing where no shifted case has a score."""
    if not run.breaking and not any(each.scores for each in run.cases if not each.case.is_control):
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
        kinds=run.kinds,
        scores=scores,
        legend=legend,
        bounded=bounded,
        certainties=certainties,
        key=plots.bound_key(),
        searched=bool(run.breaking),
        early=any(each.early and each.scores for each in run.cases),
    )


def _panel(run: Run, score: str, shift: str) -> Markup:
    lines = []
    for index, model in enumerate(run.models):
        cases = [each for each in run.of(model) if each.case.shift == shift or each.case.is_control]
        points = sorted((_point(each, score) for each in cases if score in each.scores), key=lambda point: point.at)
        probes, breaks = _searched(run, model, shift, score)
        if probes or any(point.at for point in points):
            lines.append(plots.Line(index, points, probes, breaks))
    everything = [each.scores[score].high for each in run.cases if score in each.scores]
    everything += [each.scores[score].high for search in run.breaking for each in search.probes if score in each.scores]
    kind = run.kinds[score]
    low = min(everything) if kind.low < 0 else 0.0  # the range goes further than most of its scores
    top = 1.0 if kind.top <= 1 and not kind.low else max(*everything, low + 1e-6)
    return plots.panel(lines, top=top, limits=_limits(run), low=low)


def _point(case: CaseRun, score: str) -> plots.Point:
    found = case.scores[score]
    return plots.Point(
        case.case.magnitude, found.mean, found.low, found.high, case.minimum(score), case.breaks(score), case.early
    )


def _searched(
    run: Run, model: str, shift: str, score: str
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """What a model's searches add to a panel: (magnitude, mean) of their probes, and where each holds and breaks."""
    ours = [each for each in run.breaking if (each.model, each.shift) == (model, shift)]
    probes = {
        probe.magnitude: probe.scores[score].mean for each in ours for probe in each.probes if score in probe.scores
    }
    ends = [(each.holds_at, each.at) for each in ours if each.at and each.holds_at is not None]
    return sorted(probes.items()), ends


def _limits(run: Run) -> tuple[float, float]:
    probes = (probe.magnitude for search in run.breaking for probe in search.probes)
    magnitudes: list[Any] = [0.0, *run.magnitudes(), *probes]
    return min(magnitudes), max(magnitudes)
