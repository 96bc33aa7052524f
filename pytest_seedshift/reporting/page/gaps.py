"""Robustness: what each model keeps of its scores under each shift, and the gaps between models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting import gaps
from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Run


def build(run: Run, _: Album) -> Section | None:
    """A table a score; nothing where no shifted case has its samples; of scores without one, why."""
    found, without = gaps.of_run(run), gaps.without_share(run)
    if found is None and not without:
        return None
    over = "" if found is None else gaps.over(found)
    return section("gaps", "Robustness", kinds=run.kinds, found=found, over=over, without=without)
