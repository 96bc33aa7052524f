"""The page of a base against others: one HTML file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_seedshift.reporting import html, thumbnails, versus
from pytest_seedshift.reporting.anchors import fragment
from pytest_seedshift.reporting.html import data_uri, fill
from pytest_seedshift.reporting.page.plots import GRID, INK, dress, fit_labels, key, series_colour, svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_seedshift.studies.sampler_ablation.effects import Mean
    from pytest_seedshift.studies.speed import Speed
    from pytest_seedshift.studies.versus import Changed, Other, Versus

_SIZE = 4.2, 2.6  # inches
_SIDE = 192
"""The longer side of a picture, in pixels."""

BASE = ""
"""How the base is called among `reports`: another may have its name."""

_MARKERS = "osD^vP"


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair of pictures, as the page has them."""

    label: str
    seed: int
    ssim: float
    before: str
    after: str
    where: str


def make(
    found: Versus, command: str, *, reports: Mapping[str, Path] = MappingProxyType({}), beside: Path = Path()
) -> str:
    """The page, as HTML.

    Args:
        found: what it shows.
        command: how it was made.
        reports: of models, and of the base as `BASE`, the report of the run, to whose cases the reasons lead.
        beside: the folder where the page is to lie.

    Raises:
        FileError: a picture cannot be read any more.
    """
    named = ["itself" if each.name == found.base else each.name for each in found.others]
    return fill(
        "versus.html.jinja2",
        title=f"{found.base} against {', '.join(named)}",
        style=html.style(),
        sentences=[(each, _link(each, reports, beside)) for each in versus.told(found)],
        caption=versus.caption(found),
        head=versus.head(found),
        rows=versus.rows(found),
        figure=_figure(found),
        legend=[(each.name, key(index)) for index, each in enumerate(found.others) if _point(each)],
        base=found.base,
        changed=[(each, [_shown(pair) for pair in each.least]) for each in found.others if each.least],
        command=command,
    )


def _link(sentence: versus.Sentence, reports: Mapping[str, Path], beside: Path) -> Mapping[str, str]:
    """By id of a case that is named as a reason, where the report of its run describes it."""
    name = BASE if sentence.other is None else sentence.other.name
    if name not in reports:
        return {}
    page = quote(Path(os.path.relpath(reports[name], beside)).as_posix())
    return {each.case.id: f"{page}{fragment(each.case.id)}" for each in sentence.why}


def _shown(pair: Changed) -> Shown:
    before, after = (
        data_uri(thumbnails.encode(thumbnails.read(path, _SIDE), _SIDE), thumbnails.MEDIA_TYPE)
        for path in (pair.before, pair.after)
    )
    where = "" if pair.case.is_control else pair.case.describe()
    return Shown(pair.label, pair.seed, pair.ssim, before, after, where)


@dataclass(frozen=True, slots=True)
class _Point:
    """Speed, and the change of the first score without a shift, each with its interval."""

    speed: Speed
    change: Mean


def _point(other: Other) -> _Point | None:
    if other.cost.speed is None or not other.scores:
        return None
    return _Point(other.cost.speed, other.scores[0].change)


def _figure(found: Versus) -> Markup | None:
    """Harm against speed: to the right is faster, up is better; the base is at 1 and 0."""
    from matplotlib.figure import Figure

    points = [(index, point) for index, each in enumerate(found.others) if (point := _point(each)) is not None]
    if not points:
        return None
    figure = Figure(figsize=_SIZE)
    axes = figure.add_axes((0.13, 0.12, 0.85, 0.86))
    axes.axhline(0, color=GRID, linewidth=1.2)
    axes.axvline(1, color=GRID, linewidth=1.2)
    axes.plot([1], [0], color=INK, marker="x", markersize=6, linestyle="none")
    for index, point in points:
        colour, speed, change = series_colour(index), point.speed, point.change
        axes.plot([speed.ratio, speed.ratio], [change.low, change.high], color=colour, linewidth=1.6)
        axes.plot([speed.low, speed.high], [change.value, change.value], color=colour, linewidth=1.6)
        marker = _MARKERS[index % len(_MARKERS)]
        axes.plot([speed.ratio], [change.value], color=colour, marker=marker, markersize=6)
    speeds = [1.0, *(end for _, point in points for end in (point.speed.low, point.speed.high))]
    margin = 0.08 * (max(speeds) - min(speeds)) or 0.1
    axes.set_xlim(min(speeds) - margin, max(speeds) + margin)
    dress(axes)
    fit_labels(axes, _SIZE[0])
    axes.locator_params(axis="y", nbins=5)
    return svg(figure)
