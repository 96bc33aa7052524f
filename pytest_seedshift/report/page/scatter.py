"""The picture of a displacement: a point a pair, the mean with its intervals, and where the shift points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_seedshift.report.page.plots import BOUND, GRID, INK, series_colour, svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.scores import Estimate

_SIZE = 2.2, 2.2  # inches


@dataclass(frozen=True, slots=True)
class Cloud:
    """What a panel shows, in widths, rightwards and downwards.

    Attributes:
        points: the pairs' displacements.
        right: their mean rightwards, with its interval.
        down: downwards.
        direction: where the shift points; None if it has no direction.
    """

    points: Sequence[tuple[float, float]]
    right: Estimate
    down: Estimate
    direction: tuple[float, float] | None


def panel(cloud: Cloud, reach: float) -> Markup:
    """One panel, from −reach to reach each way, down as in the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.14, 0.11, 0.84, 0.86))
    axes.axvline(0, color=GRID, linewidth=1)
    axes.axhline(0, color=GRID, linewidth=1)
    if cloud.points:
        x, y = zip(*cloud.points, strict=True)
        dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 3, "markeredgewidth": 0}
        axes.plot(x, y, color=series_colour(0), alpha=0.45, **dots)
    if cloud.direction is not None:
        x_end, y_end = (0.9 * reach * part for part in cloud.direction)
        style = {"arrowstyle": "->", "color": BOUND, "linewidth": 1.2, "linestyle": (0, (4, 3))}
        axes.annotate("", xy=(x_end, y_end), xytext=(0, 0), arrowprops=style)
    bar: dict[str, Any] = {"color": series_colour(1), "linewidth": 2.4, "zorder": 4}
    axes.plot([cloud.right.low, cloud.right.high], [cloud.down.mean] * 2, **bar)
    axes.plot([cloud.right.mean] * 2, [cloud.down.low, cloud.down.high], **bar)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(reach, -reach)
    axes.tick_params(colors=INK, length=0, pad=3)
    axes.locator_params(nbins=5)
    axes.spines[:].set_visible(False)
    return svg(figure)
