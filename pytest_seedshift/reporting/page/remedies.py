"""The page of remedies: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting import html, remedies
from pytest_seedshift.reporting.html import fill

if TYPE_CHECKING:
    from pytest_seedshift.studies.remedies.findings import Remedies


def make(found: Remedies, command: str) -> str:
    """The page, as HTML; `command` is how it was made."""
    return fill(
        "remedies.html.jinja2",
        title=f"What heals {found.model}",
        style=html.style(),
        sentences=remedies.sentences(found),
        rows=remedies.table(found) if found.before else [],
        legend=remedies.LEGEND,
        left_out=list(found.left_out.items()),
        errors=[(each.candidate.title, each.error) for each in found.tried if each.error],
        command=command,
    )
