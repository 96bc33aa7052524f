"""How like the pictures of a case are to the baseline's: what its record says, over the pairs that it looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_seedshift.core import likeness

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Estimate
    from pytest_seedshift.runner.case_result import CaseResult
    from pytest_seedshift.runner.samples import Sample


@dataclass(frozen=True, slots=True)
class Likeness:
    """The likeness of a case's pictures to the baseline's.

    Attributes:
        pairs: of how many pairs it is.
        equal: how many of these are the same to the last level.
        scores: by score of likeness, those with floors too, the mean with its interval; see `core.likeness`.
        least: the pair that is least alike, by SSIM, and of equal ones by PSNR; the first of those that are alike.
    """

    pairs: int
    equal: int
    scores: Mapping[str, Estimate]
    least: Sample


def of(result: CaseResult) -> Likeness | None:
    """The likeness of a case's pictures to the baseline's; None where it was not asked for.

    Its intervals are confidence sequences, which hold wherever a case has stopped.
    """
    from pytest_seedshift.core.stats import sequential  # numpy, not where tests are collected

    scores = [each.score for each in result.findings if likeness.measure_of(each.score) is not None]
    compared = [sample for sample in result.samples if sample.likeness]
    if not compared or not scores:
        return None
    measures = [each for each in likeness.MEASURES if all(each in sample.likeness for sample in compared)]
    asked = [score for score in scores if likeness.measure_of(score) in measures]
    found = {}
    for score in dict.fromkeys([*map(likeness.score_of, measures), *asked]):
        kind, values = likeness.kind_of(score), [sample.value(score) for sample in compared]
        assert kind is not None
        found[score] = sequential.estimate(kind, values, certainty=result.certainty, stopped=True)
    least = min(compared, key=lambda sample: (sample.likeness["ssim"], sample.likeness["psnr"]))
    equal = sum(bool(sample.likeness.get(likeness.EQUAL)) for sample in compared)
    return Likeness(len(compared), equal, found, least)
