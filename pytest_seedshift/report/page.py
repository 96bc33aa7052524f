"""One self-contained HTML page of joined runs: verdicts, curves, tables by score, and why cases fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.cases import format_magnitude
from pytest_seedshift.report import elements
from pytest_seedshift.report import records as recorded
from pytest_seedshift.scores import SCORES

if TYPE_CHECKING:
    from pytest_seedshift.report.records import Record


def render(records: Sequence[Record], missing: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """The page. Pictures are taken from the run folder; one that is not there is left out.

    Args:
        records: at least one.
        missing: entries of the grid without a record.
        folder: what the pictures' paths are relative to.
    """
    from markupsafe import Markup

    figure = None
    if any(record["scores"] for record in records):
        from pytest_seedshift.report import plots

        figure = elements.data_uri(plots.scores_by_magnitude(records).encode(), "image/svg+xml")
    broken = []
    for record in records:
        if record["verdict"] != "pass":
            there = [kept for kept in record["pictures"] if _are_there(folder, kept["picture"], kept["control"])]
            strip = elements.strip({**record, "pictures": there}, folder) if there else ""
            broken.append({**record, "strip": Markup(strip)})  # escaped where it was made
    return (
        elements.templates()
        .get_template("merged.html.jinja2")
        .render(
            models=recorded.models(records),
            sentences=recorded.sentences(records),
            figure=figure,
            tables=[table for model in recorded.models(records) for table in _tables(model, records)],
            broken=broken,
            missing=missing,
        )
    )


def _are_there(folder: Path, *names: str) -> bool:
    return all((folder / name).is_file() for name in names)


def _tables(model: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    """A table a score: shifts down, magnitudes across."""
    ours = [record for record in records if record["model"] == model]
    cells = {(record["shift"], record["magnitude"]): record for record in ours}
    control = recorded.control(ours)
    magnitudes = sorted({record["magnitude"] for record in ours if record is not control})
    tables = []
    for score in (score for score in SCORES if any(score in record["scores"] for record in ours)):
        rows = [
            {"name": shift, "cells": [_cell(cells.get((shift, at)), score) for at in magnitudes]}
            for shift in recorded.shifts(ours)
        ]
        tables.append(
            {
                "title": f"{model}: {SCORES[score].title}",
                "magnitudes": list(map(format_magnitude, magnitudes)),
                "control": None if control is None else _cell(control, score),
                "rows": rows,
            }
        )
    return tables


def _cell(record: Record | None, score: str) -> dict[str, Any]:
    if record is None or score not in record["scores"]:
        return {"text": "no verdict" if record else "", "interval": "", "broken": record is not None}
    shown, found = SCORES[score].format, record["scores"][score]
    interval = f"{shown(found['low'])}–{shown(found['high'])}"
    return {"text": shown(found["mean"]), "interval": interval, "broken": recorded.breaks(record, score)}
