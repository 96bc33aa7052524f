"""Per tag of the prompts: the mean of each score over its pairs, with and without a shift, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_seedshift.core.tags import score_of
from pytest_seedshift.reporting.page.section import Section, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_seedshift.reporting.page.album import Album
    from pytest_seedshift.results.run import CaseRun, Run


def build(run: Run, _: Album) -> Section | None:
    """A table a model and score; nothing where no prompt has a tag."""
    tables = [
        (model, score, *found)
        for model in run.models
        for score in run.scores
        if (found := _table(run, model, score))[1]
    ]
    early = any(case.early for case in run.cases)
    return section("tags", "Tag by tag", run.kinds, tables=tables, early=early) if tables else None


def _table(run: Run, model: str, score: str) -> tuple[list[str], list[dict[str, Any]]]:
    cases = [
        case for case in run.of(model) if not case.null and any(score in each.scores for each in case.tags.values())
    ]
    shifted = [case for case in cases if not case.case.is_control]
    shifts = [shift for shift in run.shifts if any(case.case.shift == shift for case in cases)]
    rows = []
    for tag in dict.fromkeys(tag for case in cases for tag in case.tags):
        of_case = [(case, mean) for case in shifted if (mean := _mean([case], tag, score)) is not None]
        by_shift = ([case for case in cases if case.case.shift == shift] for shift in shifts)
        rows.append(
            {
                "tag": tag,
                "control": _mean((case for case in cases if case.case.is_control), tag, score),
                "shifted": _mean(shifted, tag, score),
                "by_shift": [_mean(each, tag, score) for each in by_shift],
                "worst": min(of_case, key=lambda each: each[1][0], default=None),
                "broken": [case for case in cases if case.breaks(score_of(score, tag))],
            }
        )
    return shifts, sorted(rows, key=_place)


def _place(row: Mapping[str, Any]) -> tuple[int, float, str]:
    """Those that break bounds first, then the lowest."""
    mean = row["shifted"] or row["control"]
    return -len(row["broken"]), 0.0 if mean is None else mean[0], row["tag"]


def _mean(cases: Iterable[CaseRun], tag: str, score: str) -> tuple[float, int] | None:
    """The mean over the tag's pairs of some cases, and how many these are; None of none."""
    found = [(each.pairs, each.scores[score].mean) for case in cases if (each := case.tags.get(tag)) and each.pairs]
    pairs = sum(count for count, _ in found)
    return (sum(count * mean for count, mean in found) / pairs, pairs) if pairs else None
