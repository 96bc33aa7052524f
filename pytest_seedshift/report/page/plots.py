"""Figures, drawn by matplotlib as SVG that stands in the page itself and takes its colours from the page's style.

No text of a user's is in a figure: what it shows is said by the page around it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = 3.1, 2.0  # inches, of 72 units each
STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
_MARKERS = "osD^vP"
SERIES = 6
"""How many lines have a colour of their own."""

# matplotlib is given colours that nobody uses; the page's style has the real ones, for light and dark.
INK, _GRID, _BOUND = "#010101", "#020202", "#030303"
_COLOURS = {INK: "var(--ink-soft)", _GRID: "var(--line)", _BOUND: "var(--bound)"} | {
    f"#0401{index:02x}": f"var(--series-{index})" for index in range(SERIES)
}


@dataclass(frozen=True, slots=True)
class Point:
    """A case in a curve: its magnitude, its mean with the interval, the least that is asked, and whether it breaks."""

    at: float
    mean: float
    low: float
    high: float
    minimum: float | None
    breaks: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A model's curve; `index` is the model's place, which gives it colour, dashes and marks."""

    index: int
    points: Sequence[Point]


def panel(lines: Sequence[Line], *, top: float, limits: tuple[float, float]) -> Markup:
    """One panel: means with their intervals, the threshold, and a cross on each case that breaks it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.115, 0.125, 0.87, 0.85))
    for line in lines:
        _draw(axes, line)
    _draw_bounds(axes, lines)
    margin = 0.04 * (limits[1] - limits[0]) or 0.05
    axes.set_xlim(limits[0] - margin, limits[1] + margin)
    axes.set_ylim(-0.03 * top, 1.05 * top)
    dress(axes)
    axes.locator_params(axis="x", nbins=7)
    axes.locator_params(axis="y", nbins=5)
    axes.axvline(0, color=_GRID, linewidth=1.2, zorder=0.5)
    return svg(figure)


def dress(axes: Axes) -> None:
    """Give axes the page's grid and figures, and no frame."""
    axes.grid(color=_GRID, linewidth=0.6)
    axes.tick_params(colors=INK, which="both", length=0, pad=3)
    axes.spines[:].set_visible(False)


def key(index: int) -> Markup:
    """A short piece of a model's line, for the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.5, 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1, 2], [0, 0, 0], **_style(index), markevery=[1])
    return svg(figure)


def bound_key() -> Markup:
    """The same for the threshold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.5, 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1], [0, 0], color=_BOUND, linestyle=(0, (4, 3)), linewidth=1.2)
    return svg(figure)


def _draw(axes: Axes, line: Line) -> None:
    x = [point.at for point in line.points]
    name = f"series-{line.index}"
    colour = series_colour(line.index)
    low, high = [point.low for point in line.points], [point.high for point in line.points]
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, gid=name)
    axes.plot(x, [point.mean for point in line.points], **_style(line.index), gid=name, zorder=3)
    broken = [point for point in line.points if point.breaks]
    if broken:
        axes.plot(
            [point.at for point in broken],
            [point.mean for point in broken],
            linestyle="none",
            marker="x",
            markersize=9,
            markeredgewidth=1.8,
            color=_BOUND,
            gid=name,
            zorder=4,
        )


def _draw_bounds(axes: Axes, lines: Sequence[Line]) -> None:
    """The thresholds; models that share them share the line."""
    drawn = set()
    for line in lines:
        bounds = tuple((point.at, math.nan if point.minimum is None else point.minimum) for point in line.points)
        if repr(bounds) not in drawn and any(not math.isnan(y) for _, y in bounds):
            drawn.add(repr(bounds))
            x, y = zip(*bounds, strict=True)
            axes.plot(x, y, color=_BOUND, linestyle=(0, (4, 3)), linewidth=1.1, zorder=2)


def _style(index: int) -> dict[str, Any]:
    return {
        "color": series_colour(index),
        "linestyle": STYLES[index % len(STYLES)],
        "linewidth": max(2.4 - 0.6 * index, 1.2),  # what is drawn later does not hide what lies below it
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 4,
        "markeredgewidth": 0,
    }


def series_colour(index: int) -> str:
    """The stand-in for the colour of a series."""
    return f"#0401{index % SERIES:02x}"


def svg(figure: Figure) -> Markup:
    """A figure as an element for the page: no prologue, no ids that two figures could share, the page's colours."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "seedshift", "font.size": 8, "svg.id": None}):
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="(series-\d+)">', r'<g class="\1">', text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text)
    text = text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    return Markup(text)
