"""Two versions held against each other, case by case on the same pairs, and pooled where small drops add up.

Pure numbers and names: no model, no file. Single cases are judged as the gate does in a run: `stats.bounds.compare`.

A pool is the cases of one shift, or all of a model. Its cases share their pairs, so outcomes are not independent across
them: what is tested is the sum of a pair's drops over the pool's cases, one number a pair. Where cases have stopped
early, a pair counts in those cases only that had not stopped before it; which these are was known before the pair was
looked at, so bets on these sums are still fair where no case has become worse than it may.

A family is all tests of the whole grid. A shard has a part of it: it holds its own cases against the whole family's
number of tests, and leaves pools, and the later steps of Holm's procedure, to the run that all shards are merged to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core.score_kinds import BUILT_IN
from pytest_seedshift.core.score_registry import ScoreRegistry, in_order
from pytest_seedshift.core.scores import ANY, CERTAINTY, Change, Constraint
from pytest_seedshift.core.stats import bounds, paired
from pytest_seedshift.core.stats.bounds import Chance
from pytest_seedshift.results import baseline, equivalences
from pytest_seedshift.results import pools as pooling
from pytest_seedshift.results.baseline import Baseline, BaselineError, Samples, differences

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked of a comparison.

    Attributes:
        certainty: with which a regression is one.
        family: whether it holds for all cases and pools together (Holm 1979), not for each.
        asked: by case of the whole grid, its constraints of `max_regression` and `within`; None where any drop beyond
            chance counts, of any score.
        models: by the name of a model, the baseline's name for it.
        partial: whether cases of the grid are still to come, as in a shard.
        decided: by case and score, whether a run found the bound to hold; None where it had ended before that.
        shown: likewise, whether it found the case to be equivalent.
    """

    certainty: float = CERTAINTY
    family: bool = False
    asked: Mapping[Case, Sequence[Constraint]] | None = None
    models: Mapping[str, str] | None = None
    partial: bool = False
    decided: Mapping[tuple[Case, str], bool | None] = field(default_factory=dict)
    shown: Mapping[tuple[Case, str], bool | None] = field(default_factory=dict)

    @property
    def tests(self) -> int | None:
        """How many tests the family of the whole grid has; None where that is not known: all that there are."""
        if self.asked is None:
            return None
        return pooling.tests(
            {
                case: [each.score for each in asked if each.max_regression is not None and each.significant]
                for case, asked in self.asked.items()
            }
        )

    def of(self, case: Case, scores: Mapping[str, ScoreKind]) -> list[Constraint]:
        """What is asked of a case's scores."""
        if self.asked is None:
            return [
                Constraint(score, max_regression=0.0, significant=ANY, own_kind=kind) for score, kind in scores.items()
            ]
        return [each for each in self.asked.get(case, ()) if each.max_regression is not None and each.score in scores]


@dataclass(frozen=True, slots=True)
class Row:
    """One score of one case: its means, its drop and what became of the pairs; `bound` is None where none is asked."""

    case: Case
    score: str
    before: float
    after: float
    change: Change
    bound: float | None
    significant: bool | str
    regressed: bool
    stepped: bool = False
    """Whether it is found only beside the others of its family, by Holm's step: its own test has let it pass."""
    own_kind: ScoreKind | None = field(default=None, repr=False, compare=False, kw_only=True)
    """What the score is, of one of the user's own."""

    @property
    def score_kind(self) -> ScoreKind:
        """What the score is."""
        return self.own_kind or BUILT_IN[self.score]

    @property
    def drop(self) -> float:
        """Of the mean, over the pairs that both have."""
        return self.before - self.after


@dataclass(frozen=True, slots=True)
class Pool:
    """One score of a model's cases under one shift, or of all (`shift` is None)."""

    model: str
    shift: str | None
    score: str
    cases: int
    pairs: int
    """Of all cases together."""
    drop: float
    """On average over these."""
    p: float
    test: str
    level: float
    """Up to which `p` counts as beyond chance."""
    bound: float
    """The mean of the cases' bounds."""
    regressed: bool
    lost: int = 0
    """Of all cases' pairs, those that were right and are wrong now, or are lower."""
    won: int = 0
    least: float | None = None
    """See `Change.least`."""
    own_kind: ScoreKind | None = field(default=None, repr=False, compare=False, kw_only=True)
    """What the score is, of one of the user's own."""

    @property
    def score_kind(self) -> ScoreKind:
        """What the score is."""
        return self.own_kind or BUILT_IN[self.score]

    @property
    def allowed(self) -> float:
        """The drop that `p` is about at the least: see `Change.allowed`."""
        return self.bound

    @property
    def title(self) -> str:
        """Such as `mean, all magnitudes` or `all cases`."""
        return "all cases" if self.shift is None else f"{self.shift}, all magnitudes"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison shows."""

    before: Baseline
    after: Baseline
    gate: Gate
    rows: tuple[Row, ...]
    pools: tuple[Pool, ...]
    missing_before: tuple[Case, ...]
    """Cases that the baseline lacks."""
    missing_after: tuple[Case, ...]
    """Cases that only the baseline has."""
    stopped: bool
    """Whether some case of the baseline stopped early, so that only bets may judge it."""
    equivalences: tuple[equivalences.Equivalence, ...] = ()

    @property
    def kinds(self) -> ScoreRegistry:
        """What the scores of both sides are."""
        return kinds_of(self.before, self.after)

    @property
    def regressed(self) -> bool:
        """Whether anything has become worse than is allowed, or is not shown to be equivalent where that is asked."""
        unlike = any(each.finding.holds is False for each in self.equivalences)
        return unlike or any(each.regressed for each in self.rows) or any(each.regressed for each in self.pools)

    @property
    def cases(self) -> list[Case]:
        """The cases that both have."""
        return list(dict.fromkeys(each.case for each in self.rows))

    def other(self, case: Case) -> Case:
        """A case's name in the baseline."""
        found = self.before.counterpart(case.model, self.after.models, self.gate.models or {})
        return replace(case, model=found or case.model)

    def turned(self, case: Case, score: str = "top1") -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """The pairs, as label and seed index, that were right and are wrong now, and those the other way round."""
        new, old = self.after.cases[case], self.before.cases[self.other(case)]
        if score not in new.scores or score not in old.scores:
            return [], []
        drops = _drops(old, new, score, self.kinds[score])
        places = self.after.designs[new.design].places()
        return [places[at] for at in np.flatnonzero(drops > 0)], [places[at] for at in np.flatnonzero(drops < 0)]


def compare(before: Baseline, after: Baseline, gate: Gate | None = None) -> Comparison:
    """Hold a run against a baseline.

    Raises:
        BaselineError: they cannot be compared; the message names the difference.
    """
    gate = gate or Gate()
    others = {
        case: replace(case, model=name)
        for case in after.cases
        for name in [before.counterpart(case.model, after.models, gate.models or {})]
        if name is not None
    }
    both = {case: other for case, other in others.items() if other in before.cases}
    if not both:
        known = ", ".join(before.models)
        raise BaselineError(
            f"{before.name} and {after.name} have no case in common: the one is about {known}, the other about "
            f"{', '.join(after.models)}. Where a model has another name there, say so: [baseline] models = "
            f'{{ "{next(iter(after.models), "new")}" = "{next(iter(before.models), "old")}" }}'
        )
    _check(before, after, both)
    number = _family(before, after, both, gate) if gate.family else 1
    kinds = kinds_of(before, after)
    rows = [
        row
        for case, other in both.items()
        for row in _rows(before.cases[other], after.cases[case], gate, number, kinds)
    ]
    if not rows:
        sides = (f"{each.name} has {', '.join(_measured(each))}" for each in (before, after))
        raise BaselineError(f"{before.name} and {after.name} have no score in common: {', '.join(sides)}")
    pools = [] if gate.partial else _pools(before, after, both, rows, gate, number)
    if gate.family and not gate.partial:
        rows, pools = _as_family(rows, pools, number, 1 - gate.certainty)
    compared = set(both.values())
    wanted = {other.model for other in others.values()}
    return Comparison(
        before,
        after,
        gate,
        tuple(rows),
        tuple(pools),
        tuple(case for case in after.cases if case not in both),
        tuple(case for case in before.cases if case.model in wanted and case not in compared),
        any(not before.cases[other].exact for other in both.values()),
        tuple(equivalences.of(before, after, both, gate.asked or {}, gate.shown, gate.certainty)),
    )


def kinds_of(before: Baseline, after: Baseline) -> ScoreRegistry:
    """What the scores of two sides are; where they differ in one, what it is in the new one."""
    return after.scores | before.scores


def _measured(side: Baseline) -> list[str]:
    return [
        kind.title for name, kind in side.scores.items() if any(name in each.scores for each in side.cases.values())
    ]


def _check(before: Baseline, after: Baseline, both: Mapping[Case, Case]) -> None:
    for case, other in both.items():
        old, new = before.cases[other], after.cases[case]
        said = differences(
            (before.models[other.model], old.design, before.designs.get(old.design)),
            (after.models[case.model], new.design, after.designs.get(new.design)),
            (before.name, after.name),
        )
        said += [
            f"the score {score}: {before.kinds[score]} in {before.name}, {after.kinds[score]} in {after.name}"
            for score in after.kinds
            if score in before.kinds and before.kinds[score] != after.kinds[score]
        ]
        if said:
            raise BaselineError(f"{case.model}: not comparable: {'; '.join(said)}")


def _drops(before: Samples, after: Samples, score: str, kind: ScoreKind) -> NDArray[np.float64]:
    pairs = min(before.pairs, after.pairs)
    return paired.changes(kind, before.scores[score][:pairs], after.scores[score][:pairs])


def _family(before: Baseline, after: Baseline, both: Mapping[Case, Case], gate: Gate) -> int:
    """How many tests the family has."""
    if gate.tests is not None:
        return max(1, gate.tests)
    shared = {case: in_order(_shared(before.cases[other], after.cases[case])) for case, other in both.items()}
    return max(1, pooling.tests(shared))


def _shared(before: Samples, after: Samples) -> set[str]:
    return before.scores.keys() & after.scores.keys()


def _rows(before: Samples, after: Samples, gate: Gate, family: int, kinds: ScoreRegistry) -> list[Row]:
    shared = _shared(before, after)
    scores = {score: kind for score, kind in kinds.items() if score in shared}
    asked = {each.score: each for each in gate.of(after.case, scores)}
    level = (1 - gate.certainty) / max(1, sum(bool(each.significant) for each in asked.values()), family)
    pairs = min(before.pairs, after.pairs)
    rows = []
    for score, kind in scores.items():
        bound = asked[score].max_regression if score in asked else None
        significant = asked[score].significant if score in asked else ANY
        if significant is False and not before.exact:
            raise BaselineError(baseline.unfit(before.case.id, score))
        drops = _drops(before, after, score, kind)
        gain = paired.gain(kind, before.scores[score])
        chance = Chance(level, baseline.how(before.exact, after.exact), significant, gain)
        change = bounds.compare(kind, drops, chance, bound or 0.0, before.pairs)
        old, new = (math.fsum(each.scores[score][:pairs]) / pairs for each in (before, after))
        # The mean of a few pairs, where another bound has ended the case, is no finding by itself.
        known = change.beyond_chance if significant else pairs == before.pairs or _decided(gate, after.case, score)
        regressed = bound is not None and drops.mean() > bound + 1e-9 and known
        row = Row(after.case, score, old, new, change, bound, significant, bool(regressed), own_kind=kind)
        rows.append(row)
    return rows


def _decided(gate: Gate, case: Case, score: str) -> bool:
    return gate.decided.get((case, score)) is False


# Pools -----------------------------------------------------------------------------------------------------------


def _pools(
    before: Baseline, after: Baseline, both: Mapping[Case, Case], rows: Sequence[Row], gate: Gate, family: int
) -> list[Pool]:
    bound = {(row.case, row.score): row for row in rows if row.bound is not None and row.significant}
    found, kinds = [], kinds_of(before, after)
    for _, shift, cases in pooling.of_cases(both):
        of_score = {score: [case for case in cases if (case, score) in bound] for score in kinds}
        asked = {score: ours for score, ours in of_score.items() if len(ours) > 1}
        for score, ours in asked.items():
            design = after.cases[ours[0]].design  # tests of one's own may have others
            ours = [case for case in ours if after.cases[case].design == design]
            level = (1 - gate.certainty) / max(len(asked), family)
            sides = [(before.cases[both[case]], after.cases[case], bound[case, score]) for case in ours]
            found.append(_pool(score, kinds[score], sides, shift, level))
    return found


def _pool(
    score: str, kind: ScoreKind, sides: Sequence[tuple[Samples, Samples, Row]], shift: str | None, level: float
) -> Pool:
    drops = [_drops(old, new, score, kind) for old, new, _ in sides]
    exact = all(baseline.how(old.exact, new.exact) == "exact" for old, new, _ in sides)
    pairs = sum(each.size for each in drops)
    most = [row.bound or 0.0 for _, _, row in sides]
    any_change = all(row.significant == ANY for _, _, row in sides)
    allowed = [0.0 if row.significant == ANY else row.bound or 0.0 for _, _, row in sides]
    bound = sum(each * one.size for each, one in zip(most, drops, strict=True)) / pairs
    sums, active = pooling.together(drops, allowed)
    least: float | None
    if exact and any_change:
        p, test = paired.signs(sums, level), "signs"
        least = paired.least_of_sums(sums, level)
    else:
        gain = sum(paired.gain(kind, old.scores[score]) for old, _, _ in sides)
        p, test = paired.p_of_bets(sums - active, 0.0, gain + sum(allowed)), "bets"
        least = paired.least_of_bets_on(sums - active, gain + sum(allowed), level)
        least = None if least is None else least + float(active.mean())
    drop = math.fsum(map(math.fsum, drops)) / pairs
    lost, won = (sum(int((sign * each > 0).sum()) for each in drops) for sign in (1, -1))
    return Pool(
        sides[0][1].case.model, shift, score, len(sides), pairs, drop, p, test, level, bound,
        drop > bound + 1e-9 and p <= level, lost, won, None if least is None else least * sums.size / pairs,
        own_kind=kind,
    )  # fmt: skip


def _as_family(rows: Sequence[Row], pools: Sequence[Pool], number: int, alpha: float) -> tuple[list[Row], list[Pool]]:
    """Hold all p-values against one level together, step by step."""
    places = [place for place, row in enumerate(rows) if row.bound is not None and row.significant]
    all_ = [*(rows[place].change.p for place in places), *(pool.p for pool in pools)]
    levels = paired.holm(all_, max(number, len(all_)), alpha)
    held = list(rows)
    for place, level in zip(places, levels, strict=False):
        row = rows[place]
        above = row.bound is not None and row.drop > row.bound + 1e-9
        if not row.regressed and above and row.change.p <= level:
            held[place] = replace(row, regressed=True, stepped=True, change=replace(row.change, level=level))
    pooled = [
        pool
        if pool.regressed
        else replace(pool, regressed=pool.drop > pool.bound + 1e-9 and pool.p <= level, level=level)
        for pool, level in zip(pools, levels[len(places) :], strict=True)
    ]
    return held, pooled
