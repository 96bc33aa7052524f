"""The page of a crossed experiment: one HTML file that needs nothing else."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from pytest_seedshift.report import why as told
from pytest_seedshift.report.page import plots
from pytest_seedshift.report.page.section import fill
from pytest_seedshift.why import arms
from pytest_seedshift.why.experiment import HOLDS, SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_seedshift.why.effects import Mean
    from pytest_seedshift.why.experiment import Study

_ROW = 0.3  # inches


def make(study: Study, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    models = dict.fromkeys(each.arm.level(arms.MODEL) for each in study.found)
    return fill(
        "why.html.jinja2",
        title=f"What makes {', '.join(models)} hold or break",
        style=Markup(files(__package__).joinpath("templates", "page.css").read_text(encoding="utf-8")),
        study=study,
        told=told,
        scores=SHOWN,
        holds=HOLDS,
        effects={score: [each for each in study.effects if each.score == score] for score in SHOWN},
        figures={score: _of_effects(study, score) for score in SHOWN},
        arms={score: _of_arms(study, score) for score in SHOWN},
        command=command,
    )


def _of_effects(study: Study, score: str) -> Markup:
    """The changes of what is kept of a score, in the order of the table, about 0."""
    found = [each.change for each in study.effects if each.score == score]
    reach = 1.1 * max([0.05, *(abs(end) for each in found for end in (each.low, each.high))])
    return _intervals(found, (-reach, reach), 0.0)


def _of_arms(study: Study, score: str) -> Markup:
    """What each arm keeps of a score, in the order of the table, from nothing to all of it."""
    found = [each.kept.get(score) for each in study.found]
    most = max([1.0, *(each.high for each in found if each is not None)])
    return _intervals(found, (-0.04, most + 0.04), 1.0)


def _intervals(found: Sequence[Mean | None], limits: tuple[float, float], mark: float) -> Markup:
    """Points with their intervals, a row each; a line at what they are held against."""
    from matplotlib.figure import Figure

    height = _ROW * (max(len(found), 1) + 1.2)
    figure = Figure(figsize=(4.6, height))
    axes = figure.add_axes((0.03, 0.9 * _ROW / height, 0.94, 1 - _ROW / height))
    for row, each in enumerate(found):
        if each is not None:
            colour = plots.series_colour(0)
            axes.plot([each.low, each.high], [-row, -row], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([each.value], [-row], color=colour, marker="o", markersize=5)
    plots.dress(axes)
    axes.set_xlim(limits)
    axes.set_ylim(-len(found) + 0.4, 0.6)
    axes.set_yticks([])
    axes.axvline(mark, color=plots.INK, linewidth=1)
    return plots.svg(figure)
