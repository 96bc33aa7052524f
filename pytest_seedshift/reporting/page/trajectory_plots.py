"""Figures of trajectories: the plane with the shift beside the plane without, and curves over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.reporting.page.plots import INK, STYLES, dress, series_colour, svg

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_PLANE = 2.6, 2.2  # inches, of 72 units each
_STEPS = 3.1, 2.0
_ONE_LINE = 0.5, 0.2

CONTROL = -1
"""In place of a line's index: the control, in the colour of text."""


@dataclass(frozen=True, slots=True, eq=False)
class StepLine:
    """A value for each step; `index` gives the line its colour and dashes."""

    index: int
    values: NDArray[np.floating[Any]]


def planes(*sides: NDArray[np.floating[Any]]) -> list[Markup]:
    """A panel for each side, with the same axes, in which a pair's line looks the same.

    A ring is where a trajectory starts, a dot where it ends.

    Args:
        sides: coordinates, (pairs, states, 2).
    """
    from matplotlib.figure import Figure

    everything = np.concatenate([side.reshape(-1, 2) for side in sides])
    finite = everything[np.isfinite(everything).all(axis=1)]
    low, high = finite.min(axis=0), finite.max(axis=0)
    margin = np.maximum(0.06 * (high - low), 1e-6)
    made = []
    for side in sides:
        figure = Figure(figsize=_PLANE)
        axes = figure.add_axes((0.13, 0.11, 0.85, 0.87))
        for index, line in enumerate(side):
            _draw_way(axes, index, line[np.isfinite(line).all(axis=1)])
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        dress(axes)
        axes.locator_params(nbins=5)
        made.append(svg(figure))
    return made


def by_step(lines: Sequence[StepLine], *, first: int, logarithmic: bool = False) -> Markup:
    """A panel of values over the steps, of which the first value's is `first`."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=_STEPS)
    axes = figure.add_axes((0.135, 0.125, 0.85, 0.85))
    for line in lines:
        steps = np.arange(first, first + len(line.values))
        axes.plot(steps, line.values, **_style(line.index), marker="." if len(steps) == 1 else "")
    if logarithmic and any(bool((line.values > 0).any()) for line in lines):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="y", nbins=5)
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    return svg(figure)


def step_key(index: int) -> Markup:
    """A short piece of a line, for the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_ONE_LINE)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1], [0, 0], **_style(index))
    return svg(figure)


def _draw_way(axes: Axes, index: int, line: NDArray[np.floating[Any]]) -> None:
    if not len(line):
        return
    axes.plot(*line.T, **_style(index) | {"linewidth": 1.2})
    axes.plot(*line[0], marker="o", markersize=5, markerfacecolor="none", color=series_colour(index))
    axes.plot(*line[-1], marker="o", markersize=4.5, markeredgewidth=0, color=series_colour(index))


def _style(index: int) -> dict[str, Any]:
    if index == CONTROL:
        return {"color": INK, "linestyle": "-", "linewidth": 1.2}
    return {"color": series_colour(index), "linestyle": STYLES[index % len(STYLES)], "linewidth": 1.6}
