"""Figures, drawn by matplotlib as SVG that stands in the page itself and takes its colours from the page's style.

But for the names of versions on an axis, no text of a user's is in a figure: what it shows is said by the page around
it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pytest_seedshift.reporting import palette
from pytest_seedshift.reporting.page import unstyled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = 3.1, 2.0  # inches, of 72 units each
STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))
_APART = 5
"""How far labels stand apart at least, in units."""

_MARKERS = "osD^vP"
SERIES = len(palette.SERIES)
"""How many lines have a colour of their own."""

# matplotlib is given colours that nobody uses; the page's style has the real ones, for light and dark.
INK, GRID, BOUND, PAPER = "#010101", "#020202", "#030303", "#050505"
_COLOURS = {INK: "var(--ink-soft)", GRID: "var(--line)", BOUND: "var(--bound)", PAPER: "var(--paper)"} | {
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
    early: bool = False
    """Whether it is a mean of the images up to an early verdict."""


@dataclass(frozen=True, slots=True)
class Line:
    """A model's curve; `index` is the model's place, which gives it colour, dashes and marks."""

    index: int
    points: Sequence[Point]
    probes: Sequence[tuple[float, float]] = ()
    """Magnitude and mean of what a search for a breaking point looked at."""
    breaks: Sequence[tuple[float, float]] = ()
    """Of each breaking point the magnitude below it that holds, and its own."""


def panel(lines: Sequence[Line], *, top: float, limits: tuple[float, float], low: float = 0.0) -> Markup:
    """One panel, from `low` to `top`: means with intervals, the threshold, and a cross on each case that breaks it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.115, 0.125, 0.87, 0.85))
    for line in lines:
        _draw(axes, line)
    _draw_bounds(axes, lines)
    margin = 0.04 * (limits[1] - limits[0]) or 0.05
    axes.set_xlim(limits[0] - margin, limits[1] + margin)
    axes.set_ylim(low - 0.03 * (top - low), top + 0.05 * (top - low))
    dress(axes)
    fit_labels(axes, _SIZE[0])
    axes.locator_params(axis="y", nbins=5)
    axes.axvline(0, color=GRID, linewidth=1.2, zorder=0.5)
    return svg(figure)


def dress(axes: Axes) -> None:
    """Give axes the page's grid and figures, and no frame."""
    axes.grid(color=GRID, linewidth=0.6)
    axes.tick_params(colors=INK, which="both", length=0, pad=3)
    axes.spines[:].set_visible(False)


def fit_labels(axes: Axes, width: float, most: int = 7) -> None:
    """Mark the x-axis at round numbers, at most one more than `most`, so few that their labels stand apart.

    `width` is the figure's, in inches.
    """
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_xlim()
    room = width * 72 * axes.get_position().width / (high - low)  # for a step of 1
    size = float(axes.xaxis.get_major_ticks(1)[0].label1.get_fontsize())
    for bins in range(most, 0, -1):
        axes.xaxis.set_major_locator(MaxNLocator(bins, steps=[1, 2, 2.5, 5, 10]))
        ticks = [each for each in axes.xaxis.get_majorticklocs() if low <= each <= high]
        labels = axes.xaxis.get_major_formatter().format_ticks(ticks)
        widest = size * max((sum(map(_width, each)) for each in labels), default=0.0)
        if len(ticks) < 2 or (ticks[1] - ticks[0]) * room >= widest + _APART:
            return


_LONGEST = 14
"""Signs of a version's name on an axis; what is longer is cut."""


def name_versions(axes: Axes, names: Sequence[str], width: float) -> None:
    """Mark the x-axis at versions 1, 2, … by their names, at so many that these stand apart and none is cut off.

    Args:
        axes: whose limits are set.
        names: of all versions.
        width: the figure's, in inches.
    """
    low, high = axes.get_xlim()
    room = width * 72 * axes.get_position().width / (high - low)  # for a step of 1
    left, right = width * 72 * axes.get_position().x0, width * 72 * (1 - axes.get_position().x1)
    size = float(axes.xaxis.get_major_ticks(1)[0].label1.get_fontsize())
    shown = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]
    widest = max(size * sum(map(_width, name)) for name in shown)
    # Half of a label at either end stands over what the version has to the left or to the right of it.
    inner = [
        at
        for at in range(1, len(shown) + 1)
        if (at - low) * room + left >= widest / 2 and (high - at) * room + right >= widest / 2
    ]
    step = max(1, math.ceil((widest + _APART) / room))
    ticks = inner[::-1][::step][::-1]  # the newest has its name
    axes.set_xticks(ticks, [shown[at - 1] for at in ticks], parse_math=False)


def _width(sign: str) -> float:
    """How wide a sign of a label is in a wide font of a browser, of the font's size."""
    return {"\N{MINUS SIGN}": 0.84, "-": 0.84, ".": 0.32}.get(sign, 0.64)


def key(index: int) -> Markup:
    """A short piece of a model's line, for the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.5, 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1, 2], [0, 0, 0], **series_style(index), markevery=[1])
    return svg(figure)


def bound_key() -> Markup:
    """The same for the threshold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.5, 0.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.plot([0, 1], [0, 0], color=BOUND, linestyle=(0, (4, 3)), linewidth=1.2)
    return svg(figure)


def _draw(axes: Axes, line: Line) -> None:
    x = [point.at for point in line.points]
    name = f"series-{line.index}"
    colour = series_colour(line.index)
    low, high = [point.low for point in line.points], [point.high for point in line.points]
    _draw_search(axes, line, name, colour)
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, gid=name)
    axes.plot(
        x, [point.mean for point in line.points], **{**series_style(line.index), "marker": ""}, gid=name, zorder=3
    )
    for early in (False, True):
        if marked := [point for point in line.points if point.early is early]:
            # of the page's colour within, so that the curve does not show through
            hollow = {"markerfacecolor": PAPER, "markeredgewidth": 1.2, "markersize": 5} if early else {}
            style = {**series_style(line.index), "linestyle": "none", **hollow}
            axes.plot([point.at for point in marked], [point.mean for point in marked], **style, gid=name, zorder=3.5)
    broken = [point for point in line.points if point.breaks]
    if broken:
        axes.plot(
            [point.at for point in broken],
            [point.mean for point in broken],
            linestyle="none",
            marker="x",
            markersize=9,
            markeredgewidth=1.8,
            color=BOUND,
            gid=name,
            zorder=4,
        )


def _draw_search(axes: Axes, line: Line, name: str, colour: str) -> None:
    """Probes as small dots on a thin line; each breaking point as an upright line beside the last step that holds."""
    if line.probes:
        x, y = zip(*line.probes, strict=True)
        axes.plot(x, y, color=colour, linewidth=0.7, marker=".", markersize=3, alpha=0.75, gid=name, zorder=2.5)
    for holds, at in line.breaks:
        axes.axvspan(min(holds, at), max(holds, at), color=colour, alpha=0.3, linewidth=0, gid=name, zorder=1)
        axes.axvline(at, color=colour, linestyle=STYLES[line.index % len(STYLES)], linewidth=1.1, gid=name, zorder=2)


def _draw_bounds(axes: Axes, lines: Sequence[Line]) -> None:
    """The thresholds; models that share them share the line."""
    drawn = set()
    for line in lines:
        bounds = tuple((point.at, math.nan if point.minimum is None else point.minimum) for point in line.points)
        if repr(bounds) not in drawn and any(not math.isnan(y) for _, y in bounds):
            drawn.add(repr(bounds))
            x, y = zip(*bounds, strict=True)
            axes.plot(x, y, color=BOUND, linestyle=(0, (4, 3)), linewidth=1.1, zorder=2)


def series_style(index: int) -> dict[str, Any]:
    """How the line of a series is drawn, as arguments of matplotlib's `plot`: colour, dashes and marks."""
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
    return Markup(unstyled.with_attributes(text))
