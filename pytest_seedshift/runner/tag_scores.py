"""The scores of a case over the pairs of each tag of its prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Estimate
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.runner.samples import Sample


def of(result: CaseResult) -> dict[str, dict[str, Estimate]]:
    """By tag, and by score, the mean over the tag's pairs with its interval; empty where prompts have no tags.

    The interval is the confidence sequence of the bets: how many of a tag's pairs there are chance has decided.
    """
    from pytest_seedshift.core.stats.sequential import estimate  # numpy

    found: dict[str, list[Sample]] = {}
    for sample in result.samples:
        for tag in sample.pair.label.tags:
            found.setdefault(tag, []).append(sample)
    made: dict[str, dict[str, Estimate]] = {}
    for tag, samples in sorted(found.items()):
        values = {score: [each.scores[score] for each in samples] for score in result.scores}
        made[tag] = {
            score: estimate(result.kinds[score], each, certainty=result.certainty, stopped=True)
            for score, each in values.items()
        }
    return made
