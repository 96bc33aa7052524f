"""What is said of cases that pass though some of their pictures are of one colour: a note beside the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.reporting import tally
from pytest_seedshift.runner import records as recorded

if TYPE_CHECKING:
    from pytest_seedshift.results.run import CaseRun
    from pytest_seedshift.results.schema import Record

_MOST = 3
"""How many cases are named."""


def of_records(records: Sequence[Record]) -> list[str]:
    """For the terminal: a sentence for each model of which there is something to say."""
    told = tally.distinct_records(records)
    found = {
        model: [(each.subject, each.blank, each.images) for each in told if each.model == model and each.blank]
        for model in recorded.models(told)
    }
    return [_sentence(model, cases) for model, cases in found.items() if cases]


def of_cases(cases: Iterable[CaseRun]) -> list[str]:
    """For the pages: the same of a model's cases."""
    found = [(each.case.describe(), each.blank, each.images) for each in cases if each.blank]
    return [_sentence("", found)] if found else []


def _sentence(model: str, cases: Sequence[tuple[str, int, int]]) -> str:
    named = ", ".join(f"{name} ({blank} of {images})" for name, blank, images in cases[:_MOST])
    more = f" and {len(cases) - _MOST} more" if len(cases) > _MOST else ""
    whose = f"{model}: " if model else ""
    return (
        f"{whose}some pictures of cases that pass are of one colour: {named}{more}. Half precision that a VAE does not "
        "bear gives black pictures: try --seedshift-dtype=float32 or bfloat16"
    )
