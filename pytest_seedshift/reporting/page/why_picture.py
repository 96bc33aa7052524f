"""The picture of a crossed experiment: what each model retains at each level of each factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting.page.plots import GRID, STYLES, dress, series_colour, svg
from pytest_seedshift.studies.sampler_ablation import conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from pytest_seedshift.studies.sampler_ablation.experiment import Study
    from pytest_seedshift.studies.sampler_ablation.marginals import Marginal

_SIZE = 2.6, 2.0  # inches
_MARKERS = "osD^vP"
_BESIDE = 0.07
"""How far models stand beside each other at a level, of the distance of two levels."""


def panels(study: Study) -> list[tuple[str, str, Markup]]:
    """A panel a score and factor: the score's name, the factor's, and the figure; all of a score have one scale."""
    found = []
    for score in dict.fromkeys(each.score for each in study.marginals):
        ours = [each for each in study.marginals if each.score == score]
        limits = min(0.0, *(each.retained.low for each in ours)), max(1.05, *(each.retained.high for each in ours))
        for factor in dict.fromkeys(each.factor for each in ours):
            figure = _panel([each for each in ours if each.factor == factor], limits)
            found.append((score, factor, figure))
    return found


def _panel(marginals: Sequence[Marginal], limits: tuple[float, float]) -> Markup:
    """A line a model over the levels of a factor; only levels of ours are text in it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.13, 0.13, 0.85, 0.84))
    levels = list(dict.fromkeys(each.level for each in marginals))
    models = list(dict.fromkeys(each.model for each in marginals))
    axes.axhline(1, color=GRID, linewidth=1.4)
    for index, model in enumerate(models):
        ours = {each.level: each.retained for each in marginals if each.model == model}
        beside = _BESIDE * (index - (len(models) - 1) / 2)
        x = [place + beside for place in range(len(levels))]
        colour = series_colour(index)
        for at, level in zip(x, levels, strict=True):
            axes.plot([at, at], [ours[level].low, ours[level].high], color=colour, linewidth=1.6)
        axes.plot(
            x,
            [ours[level].value for level in levels],
            color=colour,
            linestyle=STYLES[index % len(STYLES)],
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4.5,
            linewidth=1.2,
        )
    axes.set_xlim(-0.4, len(levels) - 0.6)
    margin = 0.04 * (limits[1] - limits[0])
    axes.set_ylim(limits[0] - margin, limits[1] + margin)
    dress(axes)
    axes.grid(visible=False, axis="x")
    axes.set_xticks(range(len(levels)), [conditions.title(each) for each in levels])
    axes.locator_params(axis="y", nbins=5)
    return svg(figure)
