"""The picture of a displacement: a point a pair, the mean with its intervals, and where the shift points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.reporting.page.plots import BOUND, GRID, INK, series_colour, svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.core.scores import Estimate

_SIZE = 2.2, 2.2  # inches
_INSIDE = 0.98
"""The share of all points' coordinates that panels reach to: a few that are far out would make all others small."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """What a panel shows, in % of the picture's width, rightwards and downwards.

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


def reach_of(clouds: Sequence[Cloud]) -> float:
    """How far panels that are compared go each way: most of all points, and every interval; a multiple of 10."""
    parts = [abs(part) for cloud in clouds for point in cloud.points for part in point]
    ends = [abs(end) for cloud in clouds for mean in (cloud.right, cloud.down) for end in (mean.low, mean.high)]
    most = float(np.quantile(parts, _INSIDE)) if parts else 0.0
    return 10.0 * max(1, math.ceil(max([most, *ends]) / 10))


def panel(cloud: Cloud, reach: float) -> Markup:
    """One panel, from −reach to reach each way, down as in the picture; points beyond it stand on its edge."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.16, 0.11, 0.82, 0.86))
    axes.axvline(0, color=GRID, linewidth=1)
    axes.axhline(0, color=GRID, linewidth=1)
    edge = 1.12 * reach
    if cloud.points:
        x, y = np.clip(np.asarray(cloud.points), -edge, edge).T
        dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 3, "markeredgewidth": 0}
        axes.plot(x, y, color=series_colour(0), alpha=0.45, clip_on=False, **dots)
    if cloud.direction is not None:
        x_end, y_end = (reach * part for part in cloud.direction)
        style = {"arrowstyle": "->", "color": BOUND, "linewidth": 1.2, "linestyle": (0, (4, 3))}
        axes.annotate("", xy=(x_end, y_end), xytext=(0, 0), arrowprops=style)
    bar: dict[str, Any] = {"color": series_colour(1), "linewidth": 2.4, "zorder": 4}
    axes.plot([cloud.right.low, cloud.right.high], [cloud.down.mean] * 2, **bar)
    axes.plot([cloud.right.mean] * 2, [cloud.down.low, cloud.down.high], **bar)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(edge, -edge)
    axes.set_xticks(reach * np.array([-1, -0.5, 0, 0.5, 1]))
    axes.set_yticks(reach * np.array([-1, -0.5, 0, 0.5, 1]))
    axes.tick_params(colors=INK, length=0, pad=3)
    axes.spines[:].set_visible(False)
    return svg(figure)
