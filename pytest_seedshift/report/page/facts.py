"""The end: how the run was made, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.facts import portable_path
from pytest_seedshift.report.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.report.page.album import Album
    from pytest_seedshift.run import Run


def build(run: Run, _: Album) -> Section:
    """Command, versions, fingerprints, hardware; images, seconds and cost of each case."""
    started = run.facts[0].folder if run.facts else ""
    return section("facts", "How this was measured", run=run, cases=run.cases, path=portable_path(run.path, started))
