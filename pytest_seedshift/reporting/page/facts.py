"""The end: how the run was made, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting.page.section import Section, section
from pytest_seedshift.results.metadata import portable_path

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Run


def build(run: Run, _: Album) -> Section:
    """Command, versions, fingerprints, hardware; images, seconds and cost of each case."""
    started = run.facts[0].folder if run.facts else ""
    return section("facts", "How this was measured", run=run, cases=run.cases, path=portable_path(run.path, started))
