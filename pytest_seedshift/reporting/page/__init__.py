"""The robustness report: one HTML file that needs nothing else, made from a run folder alone.

`SECTIONS` are its parts from the top. Each is a function of the run and of the album of pictures, which returns a
`Section`, or None where the run has nothing to say about it. A new part is a new function in the list.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from markupsafe import Markup

from pytest_seedshift.core import atomic_files
from pytest_seedshift.reporting import html
from pytest_seedshift.reporting.anchors import slug
from pytest_seedshift.reporting.html import fill
from pytest_seedshift.reporting.page import (
    breaking,
    cases,
    classes,
    curves,
    facts,
    gaps,
    growth,
    heat,
    likeness,
    regressions,
    seed_sensitivity,
    shifted,
    tags,
    trajectories,
    verdicts,
)
from pytest_seedshift.reporting.page.album import NUMBER, Album
from pytest_seedshift.reporting.page.section import Section
from pytest_seedshift.results import comparison
from pytest_seedshift.results import run as runs
from pytest_seedshift.results.run import Run, RunError
from pytest_seedshift.runner import verdict_messages

__all__ = ["FILE_NAME", "SECTIONS", "Builder", "RunError", "make", "write"]

FILE_NAME = "report.html"

Builder: TypeAlias = Callable[[Run, Album], Section | None]

SECTIONS: tuple[Builder, ...] = (
    verdicts.build,
    regressions.build,
    likeness.build,
    heat.build,
    curves.build,
    breaking.build,
    gaps.build,
    seed_sensitivity.build,
    shifted.build,
    cases.build,
    growth.build,
    trajectories.build,
    tags.build,
    classes.build,
    facts.build,
)


def write(folder: Path, out: Path | None = None, *, run: Run | None = None) -> Path:
    """Make the report of a run folder.

    Args:
        folder: of the run.
        out: the file to write; `report.html` in the run folder where it is None.
        run: what the folder holds, where it has been read before.

    Returns:
        The file that was written, whole or not at all.

    Raises:
        RunError: the folder cannot be read.
        OSError: the file cannot be written.
    """
    path = folder / FILE_NAME if out is None else out
    page = make(runs.load(folder) if run is None else run)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.write(path, page)
    return path


def make(run: Run, *, pictures: int = NUMBER) -> str:
    """The page of a run, as HTML; at most so many pictures are on it, those of failing cases first."""
    run = comparison.compared(run)
    album = Album(pictures)
    sections = [section for build in SECTIONS if (section := build(run, album)) is not None]
    script = html.script()
    return fill(
        "page.html.jinja2",
        title=verdict_messages.robustness_of(run.models),
        notes=run.notes,
        sections=sections,
        models=[(slug(model), model) for model in run.models],
        shifts=run.shifts,
        cases=len(run.cases),
        definitions=album.definitions(beside=sum(len(section.html) for section in sections)),
        style=html.style(),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
