"""Which cases are pooled, how many tests a family has with them, and what a pair's drops over a pool add up to.

What a pool is, and why: `regression`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case


def of_cases(cases: Iterable[Case]) -> list[tuple[str, str | None, tuple[Case, ...]]]:
    """The pools of two or more cases: by shift, and the model's own if it has more than one shift, or the control."""
    cases = list(cases)
    found: list[tuple[str, str | None, tuple[Case, ...]]] = []
    for model in dict.fromkeys(case.model for case in cases):
        ours = [case for case in cases if case.model == model]
        found += [
            (model, shift, tuple(case for case in ours if case.shift == shift))
            for shift in dict.fromkeys(case.shift for case in ours if not case.is_control)
        ]
        if any(case.shift != ours[0].shift for case in ours):
            found.append((model, None, tuple(ours)))
    return [pool for pool in found if len(pool[2]) > 1]


def tests(asked: Mapping[Case, Sequence[str]]) -> int:
    """How many tests a family has, of single cases and of pools; `asked` are the scores of each case."""
    pooled = sum(
        sum(number > 1 for number in Counter(score for case in cases for score in asked[case]).values())
        for _, _, cases in of_cases(asked)
    )
    return sum(map(len, asked.values())) + pooled


def together(
    drops: Sequence[NDArray[np.float64]], allowed: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum of each pair's drops over the cases that it was looked at in, and the sum of what these are allowed."""
    sums, active = (np.zeros(max(each.size for each in drops)) for _ in "ab")
    for each, most in zip(drops, allowed, strict=True):
        sums[: each.size] += each
        active[: each.size] += most
    return sums, active
