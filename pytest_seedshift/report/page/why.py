"""The page of a crossed experiment: one HTML file that needs nothing else."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

from pytest_seedshift.report import why as told
from pytest_seedshift.report.page import plots
from pytest_seedshift.report.page.section import fill
from pytest_seedshift.scores import SCORES
from pytest_seedshift.why import arms
from pytest_seedshift.why.experiment import SHOWN

if TYPE_CHECKING:
    from pytest_seedshift.why.experiment import Study


def make(study: Study, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    return fill(
        "why.html.jinja2",
        title=f"Why {', '.join(dict.fromkeys(each.arm.level(arms.MODEL) for each in study.found))} holds or breaks",
        style=Markup(files(__package__).joinpath("templates", "page.css").read_text(encoding="utf-8")),
        sentences=told.sentences(study),
        caveat=told.CAVEAT,
        study=study,
        under=told.under(study),
        scores=SHOWN,
        effects=[(f"{e.factor}: {arms.title(e.level)} against {arms.title(e.against)}", e) for e in study.effects],
        figures={score: _figure(study, score) for score in SHOWN},
        change=told.change,
        looks=told.looks,
        weight=told.weight,
        command=command,
    )


def _figure(study: Study, score: str) -> Markup:
    """The effects on one score's drop as points with intervals about 0, in the order of the table."""
    from matplotlib.figure import Figure

    found = [each.drop for each in study.effects if each.score == score]
    figure = Figure(figsize=(4.2, 0.5 + 0.32 * max(len(found), 1)))
    axes = figure.add_axes((0.03, 0.3, 0.94, 0.66))
    for row, each in enumerate(found):
        colour = plots.series_colour(0)
        axes.plot([each.low, each.high], [-row, -row], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([each.value], [-row], color=colour, marker="o", markersize=5)
    plots.dress(axes)
    reach = 1.1 * max([abs(end) for each in found for end in (each.low, each.high)] + [SCORES[score].top / 20])
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-len(found) + 0.4, 0.6)
    axes.set_yticks([])
    axes.axvline(0, color=plots.INK, linewidth=1)
    return plots.svg(figure)
