"""What a version loses at most against its baseline: the sentence that somebody signs.

Pure numbers, as `regression`. A loss is of one case, of the cases of one shift, or of all of a model. Its bound is one-
sided and speaks of the version's own mean drop over all possible pairs; each sentence holds for itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.score_kinds import BUILT_IN, ScoreKind
from pytest_seedshift.core.stats import betting, paired, proportions
from pytest_seedshift.results import tag_changes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.baseline import Samples
    from pytest_seedshift.results.regression import Comparison, Pool


VERSION = 1


@dataclass(frozen=True, slots=True)
class Loss:
    """The largest mean drop of a score that some cases are compatible with.

    `most` is its upper end at `certainty`, in the score's units; below 0 it is a gain. `pairs`, `lost` and `won` are of
    all `cases` together, as far as the bound rests on them. `shift` is None where all cases of the model are meant.
    """

    model: str
    other: str
    baseline: str
    score: str
    shift: str | None
    cases: int
    pairs: int
    lost: int
    won: int
    drop: float
    most: float
    certainty: float
    compared: int = 0
    """How many pairs of these cases are compared in all, where the bound rests on those before a case stopped."""
    own_kind: ScoreKind | None = field(default=None, repr=False, compare=False, kw_only=True)
    """What the score is, of one of the user's own."""

    @property
    def sentence(self) -> str:
        """`At 99 %, mine loses at most 0.021 of top-1 against original of base.json under mean shifts (…)`."""
        kind = self.own_kind or BUILT_IN[self.score]
        decimals = 3 if kind.top <= 1 else 2
        size = math.ceil(abs(self.most) * 10**decimals - 1e-9) / 10**decimals
        if self.most < 0:  # rounded so that the sentence stays true
            size = math.floor(abs(self.most) * 10**decimals + 1e-9) / 10**decimals
        what = f"{'loses at most' if self.most >= 0 else 'gains at least'} {size:.{decimals}f} of {kind.title}"
        where = {None: f"over all {self.cases} cases", "none": "without a shift"}.get(
            self.shift, f"under {self.shift} shifts"
        )
        cases = f"{self.cases} cases, " if self.cases > 1 and self.shift is not None else ""
        down, up = ("wrong", "right") if kind.binary else ("lower", "higher")
        fewer = f" of {self.compared}, up to where a case stopped" if self.compared > self.pairs else ""
        return (
            f"At {100 * self.certainty:.6g} %, {self.model} {what} against {self.other} of {self.baseline} {where} "
            f"({cases}{self.pairs} pairs{fewer}, {self.lost} {down}, {self.won} {up})"
        )


def of(comparison: Comparison) -> list[Loss]:
    """The losses of a comparison: of each model and score that is asked for over all cases, then shift by shift.

    Where nothing is asked, of the first score. Nothing can be said against cases of a baseline that stopped early: it
    has ended on a streak.
    """
    asked = {row.score for row in comparison.rows if row.bound is not None} if comparison.gate.asked else set()
    scores = [score for score in comparison.kinds if score in asked] or [comparison.rows[0].score]
    found = []
    for model in dict.fromkeys(case.model for case in comparison.cases):
        for score in scores:
            for shift, cases in _groups([case for case in comparison.cases if case.model == model]):
                before, after = comparison.before.cases, comparison.after.cases
                sides = [(before[comparison.other(case)], after[case]) for case in cases]
                if all(old.exact and score in old.scores and score in new.scores for old, new in sides):
                    found.append(_loss(comparison, sides, score, shift))
    return found


def _groups(cases: Sequence[Case]) -> Iterator[tuple[str | None, list[Case]]]:
    shifts = list(dict.fromkeys(case.shift for case in cases))
    if len(shifts) > 1:
        yield None, list(cases)
    for shift in shifts:
        yield shift, [case for case in cases if case.shift == shift]


def _loss(comparison: Comparison, sides: Sequence[tuple[Samples, Samples]], score: str, shift: str | None) -> Loss:
    designs = {new.design for _, new in sides}
    have = [min(old.pairs, new.pairs) for old, new in sides]
    pairs = min(have)  # those that no case had ended before
    kind = comparison.kinds[score]
    drops = [paired.changes(kind, old.scores[score][:pairs], new.scores[score][:pairs]) for old, new in sides]
    lost, won = (sum(int((sign * each > 0).sum()) for each in drops) for sign in (1, -1))
    mean, certainty = np.mean(drops, axis=0), comparison.gate.certainty
    exact = all(new.exact for _, new in sides)
    if len(sides) == 1 and exact and kind.binary:
        most = proportions.most(lost, won, pairs, certainty)
    elif len(designs) > 1:  # tests of one's own: the cases share no pairs, so each has its part of what may go wrong
        part = 1 - (1 - certainty) / len(sides)
        most = float(np.mean([upper(each, kind.span, part) for each in drops]))
    else:
        most = upper(mean, kind.span, certainty)
    first = sides[0]
    return Loss(
        first[1].case.model, first[0].case.model, comparison.before.name, score, shift, len(sides), pairs * len(sides),
        lost, won, float(mean.mean()), most, certainty, sum(have), own_kind=kind,
    )  # fmt: skip


def upper(drops: NDArray[np.float64], top: float, certainty: float) -> float:
    """The upper end of a one-sided confidence sequence of the mean of drops; it holds at every stop.

    Args:
        drops: of each pair, from −top to top.
        top: of the score.
        certainty: of the sequence.
    """
    goodness = 0.5 - drops / (2 * top)
    return top * (1 - 2 * betting.lowest(goodness, 2 * certainty - 1))


def document(comparison: Comparison) -> dict[str, Any]:
    """A comparison in built-in types: what was found, and the sentences; of merged shards the same as of one run."""
    gate, name = comparison.gate, Path(comparison.before.name).name
    told = [replace(each, baseline=name) for each in of(comparison)]
    return {
        "version": VERSION,
        "baseline": {"name": name, "checksum": comparison.before.checksum},
        "certainty": gate.certainty,
        "family": gate.tests if gate.family else None,
        "partial": gate.partial,
        "regressed": comparison.regressed,
        "cases": [
            {
                "id": row.case.id,
                "score": row.score,
                "before": row.before,
                "after": row.after,
                "max_regression": row.bound,
                "regressed": row.regressed,
                "change": asdict(row.change),
            }
            for row in comparison.rows
        ],
        "pools": [_values(pool) for pool in comparison.pools],
        "sentences": [{**_values(each), "sentence": each.sentence} for each in told],
        **({"equivalence": [each.document() for each in found]} if (found := comparison.equivalences) else {}),
        **({"tags": [each.document() for each in of_tags]} if (of_tags := tag_changes.of(comparison)) else {}),
    }


def _values(found: Loss | Pool) -> dict[str, Any]:
    """Its fields in built-in types; what a score is stands once in the file, and not with each."""
    return {name: value for name, value in asdict(found).items() if name != "own_kind"}
