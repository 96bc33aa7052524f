"""The search for the worst seed vectors of some pairs, its null, and the confirmation of both.

- **The search** is a walk of each pair by itself (`walk`) among typical vectors (`typical`): over fresh ones at first,
  then in shorter steps from the worst so far.
- **The null** is as many fresh seed vectors for the same prompt, of which the worst is taken.
- In both the pair's later noise is that of its own picture, the same in all. What was chosen by pictures of one later
  noise is **confirmed** on others: the pair's own vector, the null's worst and the search's worst are drawn again, with
  the same fresh later noises, and nothing is chosen any more.

Where later noise changes nothing in the pairs' own pictures there is nothing to confirm: a picture depends on its
prompt and its seed vector alone, and would be the same again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.pairs import Noise, digest
from pytest_seedshift.core.scores import CERTAINTY, check_certainty
from pytest_seedshift.models import rng
from pytest_seedshift.models.seed_vector import from_images
from pytest_seedshift.studies.worst import typical as typical_sets
from pytest_seedshift.studies.worst.findings import Found, Seed, Worst
from pytest_seedshift.studies.worst.painter import Painter
from pytest_seedshift.studies.worst.walk import FRESH, Walk, candidates

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.worst.painter import Picture
    from pytest_seedshift.studies.worst.typical import Typical

PAIRS, BUDGET, CONFIRM = 16, 64, 8
"""How many pairs, images of each search and fresh later noises there are unless said otherwise."""

LEAST = 8
"""Images of a search: with fewer a walk takes no step that is shorter than its first."""

_ROUNDING = 1
"""Pictures of which no value differs by more of the 256 levels are the same: a device may round now so, now so."""

Report = Callable[[str], None]


def check(pairs: int, budget: int, confirm: int) -> None:
    """Make sure of what is asked for.

    Raises:
        InvalidValueError: the numbers do not make an experiment.
    """
    if pairs < 2:
        raise InvalidValueError(f"--pairs {pairs}: give at least 2, better {PAIRS}")
    if budget < LEAST:
        raise InvalidValueError(f"--budget {budget}: give at least {LEAST} images, better {BUDGET}")
    if confirm < 1:
        raise InvalidValueError(f"--confirm {confirm}: give at least 1 fresh later noise, better {CONFIRM}")


def most_images(pairs: int, budget: int, confirm: int) -> int:
    """How many images an experiment makes at most: those of searches, of nulls and of confirmations."""
    return pairs * (2 * budget + 3 * confirm)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A vector, and the picture by which it was chosen."""

    vector: Tensor
    picture: Picture


def run(
    bench: Workbench,
    model: str,
    pairs: Sequence[Pair],
    *,
    score: str = "clip",
    budget: int = BUDGET,
    confirm: int = CONFIRM,
    certainty: float = CERTAINTY,
    report: Report | None = None,
) -> Worst:
    """Search, draw the null, confirm both.

    Args:
        bench: where the model is held.
        model: its name.
        pairs: of which each is searched by itself; all different.
        score: that is to be low; a name of a score that the model's samples have.
        budget: images of each search, and of each null.
        confirm: fresh later noises.
        certainty: of each interval, and of the test.
        report: is told a line now and then.

    Raises:
        InvalidValueError: numbers that make no experiment, or seed vectors of which no range is known.
        CaseError: pictures cannot be made or scored.
    """
    check(len(pairs), budget, confirm)
    check_certainty(certainty)
    if not bench.pool.is_here:
        raise InvalidValueError(f"{model} is held by a cluster: a search takes place in one process, leave it out")
    return _Experiment(bench, model, pairs, score, report or (lambda _: None)).run(budget, confirm, certainty)


class _Experiment:
    def __init__(self, bench: Workbench, model: str, pairs: Sequence[Pair], score: str, report: Report) -> None:
        self._model, self._pairs, self._score, self._report = bench.model(model), list(pairs), score, report
        self._kind = bench.pool.scorers.measures(model)[score]
        self._painter = Painter(bench.service.engine(model), score)

    def run(self, budget: int, confirm: int, certainty: float) -> Worst:
        pictures, vectors = self._painter.own(self._pairs)
        typical = typical_sets.find(tuple(vectors[0].shape))
        own = [_Chosen(*each) for each in zip(vectors, pictures, strict=True)]
        nulls = self._nulls(own, budget)
        walks, found = self._walks(own, budget, typical)
        groups = {"control": own, "null": nulls, "found": found}
        first = self._again([each.vector for each in own], 0)
        deterministic = all(map(_same, pictures, first))
        self._say("later noise changes nothing" if deterministic else f"confirmed on {confirm} fresh later noises")
        seeds = {
            name: [_seed(each.picture, [each.picture]) for each in group]
            if deterministic
            else self._confirmed(group, confirm, first if name == "control" else None)
            for name, group in groups.items()
        }
        made = [
            self._found(place, walk, {name: group[place] for name, group in seeds.items()}, vectors[place], typical)
            for place, walk in enumerate(walks)
        ]
        return Worst(
            self._model.name,
            self._score,
            self._kind,
            budget,
            0 if deterministic else confirm,
            certainty,
            typical,
            tuple(made),
            self._painter.made,
            deterministic,
        )

    def _nulls(self, own: Sequence[_Chosen], budget: int) -> list[_Chosen]:
        """The worst of `budget` fresh seed vectors of each pair."""
        worst: list[_Chosen] = []
        for number in range(budget):
            fresh = [
                torch.randn(each.vector.shape, generator=rng.generator(pair, f"worst null {number}"))
                for pair, each in zip(self._pairs, own, strict=True)
            ]
            drawn = [_Chosen(*each) for each in zip(fresh, self._painter.paint(self._pairs, fresh), strict=True)]
            worst = [min(each, key=lambda one: one.picture.score) for each in zip(worst or drawn, drawn, strict=True)]
            self._tell("null", number + 1, budget)
        return worst

    def _walks(self, own: Sequence[_Chosen], budget: int, typical: Typical) -> tuple[list[Walk], list[_Chosen]]:
        """The searches, of which the first image is the pair's own, and where each has come to."""
        fresh = round(budget * FRESH)
        walks = [
            Walk(pair, each.vector, each.picture.score, typical, fresh)
            for pair, each in zip(self._pairs, own, strict=True)
        ]
        found = list(own)
        for number in range(1, budget):
            tried = candidates(walks, typical)
            for place, picture in enumerate(self._painter.paint(self._pairs, tried)):
                if walks[place].judge(picture.score):
                    found[place] = _Chosen(tried[place], picture)
            self._tell("search", number + 1, budget)
        return walks, found

    def _again(self, vectors: Sequence[Tensor], number: int) -> list[Picture]:
        """The pictures of vectors with another later noise, the same for all vectors of a pair."""
        return self._painter.paint([_with_later_noise(pair, number) for pair in self._pairs], vectors)

    def _confirmed(self, group: Sequence[_Chosen], confirm: int, first: list[Picture] | None) -> list[Seed]:
        vectors = [each.vector for each in group]
        rounds = [first or self._again(vectors, 0), *(self._again(vectors, number) for number in range(1, confirm))]
        return [_seed(each.picture, drawn) for each, drawn in zip(group, zip(*rounds, strict=True), strict=True)]

    def _found(self, place: int, walk: Walk, seeds: dict[str, Seed], own: Tensor, typical: Typical) -> Found:
        pair, z = self._pairs[place], walk.z
        reach = typical.reach(typical_sets.statistics(z.unsqueeze(0))[1])[0]
        furthest = int(reach.argmax())
        cosine = torch.nn.functional.cosine_similarity(z.flatten(), own.flatten(), dim=0).clamp(-1, 1)
        shape = torch.Size([1, *self._model.seed_shape])
        return Found(
            pair.label.name,
            pair.seed,
            seeds["control"],
            seeds["null"],
            seeds["found"],
            from_images(z.unsqueeze(0), self._model.seed_axes, shape)[0],
            typical.names[furthest],
            float(reach[furthest]),
            math.degrees(math.acos(float(cosine))),
            walk.discarded,
        )

    def _tell(self, what: str, number: int, budget: int) -> None:
        if number % max(1, budget // 4) == 0 or number == budget:
            self._say(f"{what}: {number} of {budget} images a pair")

    def _say(self, what: str) -> None:
        self._report(f"{self._model.name}: {what} ({self._painter.made} images)")


def _same(one: Picture, other: Picture) -> bool:
    return int((one.levels.short() - other.levels.short()).abs().max()) <= _ROUNDING


def _with_later_noise(pair: Pair, number: int) -> Pair:
    """A pair with later noise that no other has; its seed vector is given anyway."""
    key = int.from_bytes(digest("worst confirmation", number, pair.label.name, pair.seed)[:6], "big")
    return replace(pair, noise=Noise(key, key))


def _seed(chosen: Picture, drawn: Sequence[Picture]) -> Seed:
    right = [each.right for each in drawn if each.right is not None]
    return Seed(
        chosen.score,
        fmean(each.score for each in drawn),
        fmean(right) if right else None,
        drawn[0].levels.permute(1, 2, 0).contiguous().numpy(),
    )
