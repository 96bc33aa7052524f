"""Which cases are shown to be equivalent to their baseline's: what `within` asks, of two runs that are compared.

Judged as a run judges it: see `stats.equivalence`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.scores import mean_of
from pytest_seedshift.core.stats import equivalence, paired
from pytest_seedshift.results.baseline import how

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.scores import Constraint, Finding
    from pytest_seedshift.results.baseline import Baseline, Samples


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A bound of a case on both sides, held against both runs; it holds only where that is shown."""

    case: Case
    finding: Finding

    def document(self) -> dict[str, Any]:
        """In built-in types, for JSON."""
        found = self.finding
        assert found.change is not None
        names = ("score", "bound", "measured", "holds", "low", "high", "half_width")
        told = {name: getattr(found, name) for name in names}
        return {"id": self.case.id, **told, "change": asdict(found.change)}


def of(
    before: Baseline,
    after: Baseline,
    both: Mapping[Case, Case],
    asked: Mapping[Case, Sequence[Constraint]],
    decided: Mapping[tuple[Case, str], bool | None],
    certainty: float,
) -> Iterator[Equivalence]:
    """What is shown of each case.

    Args:
        before: the baseline.
        after: the run.
        both: by case of the run, its name in the baseline.
        asked: by case, its constraints.
        decided: by case and score, what the run itself has found; None where it had ended before that.
        certainty: with which a bound is shown.
    """
    for case, other in both.items():
        sides = before.cases[other], after.cases[case]
        told = {score: holds for (of_case, score), holds in decided.items() if of_case == case}
        test = how(sides[0].exact, sides[1].exact)
        yield from _of_case(sides, asked.get(case, ()), 1 - certainty, test, told)


def _of_case(
    sides: tuple[Samples, Samples],
    asked: Sequence[Constraint],
    level: float,
    test: str,
    decided: Mapping[str, bool | None],
) -> Iterator[Equivalence]:
    before, after = sides
    for constraint in asked:
        score, kind = constraint.score, constraint.score_kind
        if constraint.within is None or score not in before.scores or score not in after.scores:
            continue
        old, new = (np.asarray(each.scores[score], dtype=np.float64) for each in sides)
        margin = constraint.within.of(mean_of(kind, old))
        if not margin.value:  # relative to a mean of 0: a run refuses it
            continue
        half = paired.differences(kind, old[: new.size], new[: old.size]) / (2 * kind.span)
        pairs, found = half.size, []
        for side in equivalence.sides(replace(constraint, within=margin), old, level, test):
            seen = side.with_values(0.5 + half if side.turned else 0.5 - half)
            holds = decided[score] if score in decided else seen.holds(pairs)
            found.append(seen.with_interval(seen.finding(pairs, holds), pairs, 1 - level))
        yield Equivalence(after.case, equivalence.merged(found)[0])
