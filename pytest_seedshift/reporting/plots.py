"""The figures of the report."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core import messages, text
from pytest_seedshift.core.score_registry import SHIPPED, in_order
from pytest_seedshift.core.shifts import NONE
from pytest_seedshift.reporting import palette
from pytest_seedshift.runner import records as recorded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.schema import Record

_COLOURS = palette.SERIES
_MARKERS = "osD^vPX"
_THRESHOLD = "threshold"


def scores_by_magnitude(records: Sequence[Record], kinds: Mapping[str, ScoreKind] = SHIPPED) -> str:
    """Each score against the signed magnitude, as SVG: a row a model, a panel a score, a line a shift.

    Args:
        records: of the cases.
        kinds: what the scores are that are drawn.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    models = recorded.models(records)
    scores = in_order({score for record in records for score in record.scores} & kinds.keys())
    # No formulas: two dollar signs in a name are two dollar signs.
    with rc_context({"text.parse_math": False, "text.usetex": False, "font.size": 9}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is drawn nothing is the tests' concern
        figure = Figure(figsize=(11, 3.1 * len(models) + 0.5), layout="constrained")
        panels = figure.subplots(len(models), len(scores), squeeze=False)
        for row, model in zip(panels, models, strict=True):
            ours = [record for record in records if record.model == model and record.scores]
            for axes, score in zip(row, scores, strict=True):
                _draw(axes, [record for record in ours if score in record.scores], score, kinds[score])
                axes.set_title(f"{text.plot(model, 40)}: {text.plot(kinds[score].title, 30)}", fontsize=10)
        entries = dict(zip(*reversed(panels[0][0].get_legend_handles_labels()), strict=True))
        if _THRESHOLD in entries:
            entries[_THRESHOLD] = entries.pop(_THRESHOLD)  # last
        labels, handles = list(entries), list(entries.values())
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    """A figure's file, with letters as outlines; as letters where matplotlib's font lacks one: a reader's has it."""
    from matplotlib import rc_context

    for letters in ("path", "none"):
        buffer = io.StringIO()
        # Fixed ids and no date: the same run draws the same bytes.
        with (
            rc_context({"svg.fonttype": letters, "svg.hashsalt": "seedshift"}),
            warnings.catch_warnings(record=True) as said,
        ):
            warnings.simplefilter("always")
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        if not any("missing from" in str(each.message) for each in said):
            break
    return buffer.getvalue()


def _draw(axes: Axes, records: Sequence[Record], score: str, kind: ScoreKind) -> None:
    control = [record for record in records if record.shift == NONE]
    shift_names = recorded.shifts(records)
    for index, name in enumerate(shift_names):
        points = sorted(
            [record for record in records if record.shift == name] + control, key=lambda record: record.magnitude
        )
        x = [record.magnitude for record in points]
        colour = _COLOURS[index % len(_COLOURS)]
        axes.plot(
            x,
            [record.scores[score].mean for record in points],
            color=colour,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4,
            markevery=[place for place, record in enumerate(points) if not record.early],
            linewidth=1.4,
            label=text.plot(f" {name}" if name.startswith("_") else name),  # matplotlib leaves out _names
        )
        early = [record for record in points if record.early]
        axes.plot(
            [record.magnitude for record in early],
            [record.scores[score].mean for record in early],
            color=colour,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4,
            markerfacecolor="none",
            linestyle="none",
        )
        low = [record.scores[score].low for record in points]
        high = [record.scores[score].high for record in points]
        axes.fill_between(x, low, high, color=colour, alpha=0.08, linewidth=0)
        bounds = [(record.magnitude, bound) for record in points if (bound := _minimum(record, score)) is not None]
        if bounds:
            axes.plot(
                [x for x, _ in bounds],
                [y for _, y in bounds],
                color=palette.LIGHT["bound"],
                linestyle=(0, (4, 3)),
                linewidth=1,
                label=_THRESHOLD if index == 0 else None,
            )
    if not shift_names and control:
        axes.plot([0], [control[0].scores[score].mean], color=_COLOURS[0], marker="o", label="control")
    if kind.top <= 1 and not kind.low:
        axes.set_ylim(-0.03, 1.03)
    certainties = {record.certainty for record in records if record.certainty is not None}
    band = f" (band: {messages.percent(certainties.pop())} interval)" if len(certainties) == 1 else ""
    hollow = "; hollow: early mean" if any(record.early for record in records) else ""
    axes.set_xlabel(f"magnitude{band}{hollow}")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _minimum(record: Record, score: str) -> float | None:
    return next((each.bound for each in record.constraints if (each.score, each.kind) == (score, "min")), None)
