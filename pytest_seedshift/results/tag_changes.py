"""What has become of the pairs of each tag, and of each prompt, in two runs that are compared.

Pure numbers, as `regression`. A tag's cases are taken together, as a pool's: what is tested is the sum of a pair's
drops over a model's cases. Nothing is required of these: the level is shared by all tags and scores, so that a version
which has not changed shows a drop in some tag with probability 1 − certainty at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core.stats import paired
from pytest_seedshift.results import pools
from pytest_seedshift.results.baseline import how

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.score_kinds import ScoreKind
    from pytest_seedshift.results.baseline import Samples
    from pytest_seedshift.results.regression import Comparison


@dataclass(frozen=True, slots=True)
class TagChange:
    """A score over the pairs of a tag, of all cases of a model that both runs have.

    Attributes:
        model: in the new run.
        tag: of the prompts, as the new run has them; the old run's where the new one has none.
        score: its name.
        cases: how many there are.
        pairs: of all of them together.
        before: the mean over these pairs in the old run.
        after: in the new one.
        lost: of the pairs, those that were right and are wrong now, or are lower.
        won: those the other way round.
        p: how probable such a drop, or a larger one, is where nothing has changed; it holds at every stop.
        test: what `p` comes from: a key of `TESTS` in `stats.paired`.
        level: up to which `p` counts as beyond chance: 1 − certainty, shared by all tags and scores.
        own_kind: what the score is.
    """

    model: str
    tag: str
    score: str
    cases: int
    pairs: int
    before: float
    after: float
    lost: int
    won: int
    p: float
    test: str
    level: float
    own_kind: ScoreKind = field(repr=False, compare=False)

    @property
    def drop(self) -> float:
        """Of the mean."""
        return self.before - self.after

    @property
    def is_lower(self) -> bool:
        """Whether it is lower, and chance is ruled out as the reason."""
        return self.drop > 0 and self.p <= self.level

    def document(self) -> dict[str, Any]:
        """In built-in types, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "own_kind"}


@dataclass(frozen=True, slots=True)
class PromptChange:
    """A score of one prompt, or label, over all cases of a model that both runs have."""

    model: str
    prompt: str
    pairs: int
    before: float
    after: float
    own_kind: ScoreKind = field(repr=False, compare=False)

    @property
    def drop(self) -> float:
        """Of the mean."""
        return self.before - self.after


def of(comparison: Comparison) -> list[TagChange]:
    """A row for each model, tag and score; none where no prompt has a tag. The largest drops of a score come first."""
    found: list[tuple[str, str, str, list[tuple[Samples, Samples, NDArray[np.intp]]]]] = []
    for model, score, sides in _of_scores(comparison):
        for tag in sorted({tag for case in sides for each in _tags(comparison, case).values() for tag in each}):
            cut = [(*pair, _places(comparison, case, tag, pair)) for case, pair in sides.items()]
            cut = [each for each in cut if each[2].size]
            if cut:
                found.append((model, tag, score, cut))
    level = (1 - comparison.gate.certainty) / max(1, len(found))
    made = [_change(comparison, *each, level) for each in found]
    order = [(each.model, each.score) for each in made]
    return sorted(made, key=lambda each: (order.index((each.model, each.score)), -each.drop))


def of_prompts(comparison: Comparison) -> list[PromptChange]:
    """Of each model the first score, prompt by prompt, the largest drops first."""
    found, seen = [], set()
    for model, score, sides in _of_scores(comparison):
        if model in seen:
            continue
        seen.add(model)
        rows: dict[str, list[tuple[float, float]]] = {}
        for old, new in sides.values():
            places = comparison.after.designs[new.design].places()
            columns = zip(places, old.scores[score], new.scores[score], strict=False)
            for (prompt, _), before, after in columns:
                rows.setdefault(prompt, []).append((before, after))
        kind = comparison.kinds[score]
        made = [PromptChange(model, prompt, len(each), *_means(each), kind) for prompt, each in rows.items()]
        found += sorted(made, key=lambda each: -each.drop)
    return found


def _means(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    before, after = zip(*values, strict=True)
    return math.fsum(before) / len(values), math.fsum(after) / len(values)


def _of_scores(comparison: Comparison) -> Iterator[tuple[str, str, dict[Case, tuple[Samples, Samples]]]]:
    """Each model and score, with both sides of the cases that have it."""
    for model in dict.fromkeys(case.model for case in comparison.cases):
        cases = [case for case in comparison.cases if case.model == model]
        for score in dict.fromkeys(row.score for row in comparison.rows if row.case.model == model):
            sides = {
                case: (comparison.before.cases[comparison.other(case)], comparison.after.cases[case]) for case in cases
            }
            yield (
                model,
                score,
                {case: (old, new) for case, (old, new) in sides.items() if score in old.scores and score in new.scores},
            )


def _tags(comparison: Comparison, case: Case) -> dict[str, tuple[str, ...]]:
    """By prompt, its tags: those of the new run, as tags can be changed at any time, else those of the old one."""
    new = comparison.after.designs[comparison.after.cases[case].design]
    old = comparison.before.designs[comparison.before.cases[comparison.other(case)].design]
    return dict(new.tags or old.tags)


def _places(comparison: Comparison, case: Case, tag: str, sides: tuple[Samples, Samples]) -> NDArray[np.intp]:
    """Where in a case's design, as far as both sides have it, the pairs of a tag stand."""
    tags, design = _tags(comparison, case), comparison.after.designs[sides[1].design]
    count = min(each.pairs for each in sides)
    places = [at for at, (prompt, _) in enumerate(design.places()[:count]) if tag in tags.get(prompt, ())]
    return np.array(places, dtype=np.intp)


def _change(
    comparison: Comparison,
    model: str,
    tag: str,
    score: str,
    cut: Sequence[tuple[Samples, Samples, NDArray[np.intp]]],
    level: float,
) -> TagChange:
    kind = comparison.kinds[score]
    old = [np.asarray(before.scores[score])[places] for before, _, places in cut]
    new = [np.asarray(after.scores[score])[places] for _, after, places in cut]
    drops = [paired.changes(kind, before, after) for before, after in zip(old, new, strict=True)]
    pairs = sum(each.size for each in drops)
    sums = _sums(comparison, cut, drops)
    if all(how(one.exact, other.exact) == "exact" for one, other, _ in cut):
        p, test = paired.signs(sums, level), "signs"
    else:
        gain = sum(paired.gain(kind, each.scores[score]) for each, _, _ in cut)
        p, test = paired.p_of_bets(sums, 0.0, gain), "bets"
    before, after = (math.fsum(map(math.fsum, each)) / pairs for each in (old, new))
    lost, won = (sum(int((sign * each > 0).sum()) for each in drops) for sign in (1, -1))
    return TagChange(model, tag, score, len(cut), pairs, before, after, lost, won, p, test, level, kind)


def _sums(
    comparison: Comparison,
    cut: Sequence[tuple[Samples, Samples, NDArray[np.intp]]],
    drops: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """The sum of each pair's drops over the cases; those of another design, which share no pairs, follow behind."""
    by_design: dict[str, list[NDArray[np.float64]]] = {}
    for (_, new, _), each in zip(cut, drops, strict=True):
        by_design.setdefault(new.design, []).append(each)
    return np.concatenate([pools.together(each, [0.0] * len(each))[0] for each in by_design.values()])
