"""The page of a history: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages
from pytest_seedshift.core.shifts import NONE
from pytest_seedshift.reporting import history, html
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.reporting.page.plots import BOUND, INK, dress, key, name_versions, series_style, svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.reporting.history import Course
    from pytest_seedshift.results.history_changes import Changes

_SIZE = 5.2, 2.1  # inches


@dataclass(frozen=True, slots=True)
class Shown:
    """A model, as the page has it."""

    model: str
    head: str
    sentences: Sequence[str]
    notes: Sequence[str]
    rows: Sequence[tuple[str, ...]]
    figures: Sequence[tuple[str, Markup]]
    key: Sequence[tuple[str, Markup]]


def make(all_changes: Sequence[Changes], certainty: float, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    return fill(
        "history.html.jinja2",
        title="History",
        style=html.style(),
        models=[_shown(changes) for changes in all_changes],
        error=messages.percent(1 - certainty),
        command=command,
    )


def _shown(changes: Changes) -> Shown:
    found = history.courses(changes)
    scores = dict.fromkeys(each.score for each in found)
    return Shown(
        changes.model,
        history.head(changes),
        history.sentences(changes),
        [*([history.GATE] if changes.losses else []), *changes.notes],
        history.table(changes),
        [
            (history.title(score, changes), _figure(changes, [each for each in found if each.score == score]))
            for score in scores
            if len(changes.lines) > 1
        ],
        [(shift, key(index)) for index, shift in enumerate(_shifts(found))],
    )


def _figure(changes: Changes, drawn: Sequence[Course]) -> Markup:
    """A line for each case over the versions, by their names; a cross where one became worse."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.1, 0.125, 0.89, 0.85))
    places = {line.id: number for number, line in enumerate(changes.lines, 1)}
    for each in drawn:
        shift = each.case.shift
        style = {"color": INK, "linewidth": 1.8} if shift == NONE else series_style(_shifts(drawn).index(shift))
        x = [places[line.id] for line, _, _ in each.points]
        y = [score.mean for _, _, score in each.points]
        axes.plot(x, y, **{**style, "marker": ".", "markersize": 3})
    for step in changes.steps:
        if step.worse and drawn and step.score == drawn[0].score:
            axes.plot([places[step.line.id]], [step.after], marker="x", markersize=8, markeredgewidth=1.8, color=BOUND)
    axes.set_xlim(0.5, len(changes.lines) + 0.5)
    dress(axes)
    name_versions(axes, [line.name for line in changes.lines], _SIZE[0])
    axes.locator_params(axis="y", nbins=5)
    return svg(figure)


def _shifts(drawn: Sequence[Course]) -> list[str]:
    """Cases of one shift are drawn alike."""
    return list(dict.fromkeys(each.case.shift for each in drawn if each.case.shift != NONE))
