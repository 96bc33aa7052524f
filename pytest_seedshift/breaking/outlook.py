"""How many images a search will take, as far as that can be told before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.breaking import seek
from pytest_seedshift.pairs import seed_of

if TYPE_CHECKING:
    from pytest_seedshift.breaking.searches import Search
    from pytest_seedshift.pairs import Pair
    from pytest_seedshift.verdict import SequentialTest
    from pytest_seedshift.workbench import Workbench

_BESIDE = 4
"""How many magnitudes a search is expected to look at beside its coarse sweep."""


def images(bench: Workbench, search: Search, test: SequentialTest, design: Sequence[Pair]) -> tuple[int, int, int]:
    """The most images of a search, those that it is expected to take, and those of them that exist.

    Where the coarse sweep was judged before, the search will take what was judged; else it is a guess.

    Raises:
        CaseError: the store or the weights cannot be read.
    """
    most = seek.budget(search.steps, test.size)
    of_control = _that_fails_unshifted(bench, search, test, design)
    if of_control is not None:
        return most, of_control, of_control
    seed = seed_of(design[0].seed)
    visited = {step: bench.visited(search.case(step), test.size, seed) for step in range(1, search.steps + 1)}
    sweep = seek.sweep(search.steps)
    if any(visited[step] is None for step in sweep):
        nothing: dict[str, list[float]] = {constraint.score: [] for constraint in test.constraints}
        each = test.size if test.exact else test.forecast(nothing, nothing).images
        return most, min((len(sweep) + _BESIDE) * each, most), 0
    known = {step: count for step, count in visited.items() if count is not None}
    lacking = sum(len(bench.missing(search.case(step), design[:count])) for step, count in known.items())
    expected = min(sum(known.values()), most)
    return most, expected, max(expected - lacking, 0)


def _that_fails_unshifted(bench: Workbench, search: Search, test: SequentialTest, design: Sequence[Pair]) -> int | None:
    """How many images tell that the model fails without a shift; None where that is not known, or not so."""
    found = list(bench.samples(search.model).find(search.origin, design).values())
    seen = next(
        (place for place, (pair, sample) in enumerate(zip(design, found, strict=False)) if pair != sample.pair),
        len(found),
    )
    values = {
        constraint.score: [sample.scores[constraint.score] for sample in found[:seen]]
        for constraint in test.constraints
    }
    judgement = test.judge(values, values)
    return judgement.images if judgement.decided and not judgement.passed else None
