"""Per tag of the prompts: the mean of each score over its pairs, with and without a shift, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.reporting import tags
from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import Run


def build(run: Run, _: Album) -> Section | None:
    """A table a model and score; nothing where no prompt has a tag."""
    tables = [
        (model, score, *found)
        for model in run.models
        for score in run.scores
        if (found := tags.rows(run.of(model), score))[1]
    ]
    early = any(case.early for case in run.cases)
    return section("tags", "Tag by tag", run.kinds, tables=tables, early=early) if tables else None
