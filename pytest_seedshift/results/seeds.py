"""The seed indices of a run: which are worse than others over all labels, where their pictures and vectors lie."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.core.errors import DataError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.stats import seed_effects

if TYPE_CHECKING:
    from pytest_seedshift.core.stats.seed_effects import SeedEffect
    from pytest_seedshift.results.data import CaseRun, Run, Sample


LOWEST = 3
"""How many indices are looked at where none is worse beyond chance."""


class SeedsError(DataError):
    """A run whose seed indices cannot be compared; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class VectorFacts:
    """What a seed vector is like; of N(0, 1) the norm is about 1, mean 0, standard deviation 1, excess kurtosis 0.

    Attributes:
        shared: how many of the run's labels have the very same vector at this index.
        norm: over the root of the number of its elements.
        mean: of its elements.
        spread: their standard deviation.
        kurtosis: their excess kurtosis.
        largest: the largest absolute value.
    """

    shared: int
    norm: float
    mean: float
    spread: float
    kurtosis: float
    largest: float


@dataclass(frozen=True, slots=True)
class Seeds:
    """What was found.

    Attributes:
        model: its name.
        score: by which indices were compared.
        cases: the ids of the cases whose scores count, each pair's averaged over them.
        left_out: those whose designs were not visited whole.
        labels: how many there are.
        certainty: over all indices together.
        effects: of each index, the worst first.
        confirmed: of those that are worse, the same on the labels of another run alone; None without one.
        pictures: of those that are worse, by index, the pictures that were kept.
        vectors: likewise, what is known of the vector; of the lowest where none is worse.
        samples: likewise, the samples of each case, whose name stands in front.
    """

    model: str
    score: str
    cases: tuple[str, ...]
    left_out: tuple[str, ...]
    labels: int
    certainty: float
    effects: tuple[SeedEffect, ...]
    confirmed: tuple[SeedEffect, ...] | None
    pictures: Mapping[int, tuple[Path, ...]]
    vectors: Mapping[int, VectorFacts]
    samples: Mapping[int, tuple[tuple[str, Sample], ...]] = field(default_factory=dict, repr=False)

    @property
    def worse(self) -> tuple[SeedEffect, ...]:
        """Those that are worse beyond chance."""
        return tuple(each for each in self.effects if each.p <= 1 - self.certainty)

    @property
    def holds(self) -> tuple[int, ...]:
        """Those of them that another run has confirmed."""
        found = self.confirmed or ()
        return tuple(each.seed for each in found if each.p <= 1 - self.certainty)


def of_run(
    run: Run,
    *,
    model: str | None = None,
    score: str | None = None,
    certainty: float,
    confirm: Run | None = None,
    latents: Path | None = None,
) -> Seeds:
    """Compare the seed indices of a model in a run.

    Args:
        run: with its samples.
        model: its name; None where the run has one.
        score: None for the first that the run has.
        certainty: that no index is found where none differs.
        confirm: another run, of whose labels those that `run` lacks confirm what was found.
        latents: the file of seed vectors that the model was run with.

    Raises:
        SeedsError: there is nothing to compare; the message says why.
    """
    name = _model(run, model)
    cases = [case for case in run.of(name) if case.samples]
    whole = [case for case in cases if case.complete and not case.early]
    if not whole:
        raise SeedsError(
            f"{run.path}: no case of {name} has its whole design: where a case ends early, its images decide which "
            "pairs there are. Run it with --seedshift-exact"
        )
    values, by = _values(whole, score, run.path)
    effects = tuple(seed_effects.effects(values))
    found = [each.seed for each in effects if each.p <= 1 - certainty]
    shown = found or [each.seed for each in effects[:LOWEST]]
    return Seeds(
        model=name,
        score=by,
        cases=tuple(case.id for case in whole),
        left_out=tuple(case.id for case in cases if case not in whole),
        labels=len({label for label, _ in values}),
        certainty=certainty,
        effects=effects,
        confirmed=None if confirm is None else _confirmed(confirm, name, by, values, found),
        pictures=_pictures(whole, found),
        vectors={} if latents is None else vectors(latents, values, shown),
        samples=_samples(whole, shown),
    )


def _model(run: Run, model: str | None) -> str:
    if model is None and len(run.models) == 1:
        return run.models[0]
    if model is None:
        raise SeedsError(f"{run.path} has several models: choose one by --model: {', '.join(run.models)}")
    if model not in run.models:
        raise SeedsError(f"{run.path}: {unknown('model', model, run.models)}")
    return model


def _values(cases: Sequence[CaseRun], score: str | None, path: Path) -> tuple[dict[tuple[str, int], float], str]:
    """A score's mean of each pair over some cases, and which score it is."""
    known = [name for name in cases[0].kinds if all(name in sample.scores for c in cases for sample in c.samples)]
    if not known:
        raise SeedsError(f"{path}: its cases have no score in common")
    if score is not None and score not in known:
        raise SeedsError(f"{path}: {unknown('score', score, known)}")
    by = score or known[0]
    found: dict[tuple[str, int], list[float]] = {}
    for case in cases:
        for sample in case.samples:
            found.setdefault(sample.pair, []).append(sample.scores[by])
    most = max(map(len, found.values()))
    return {pair: math.fsum(each) / most for pair, each in found.items() if len(each) == most}, by


def _confirmed(
    run: Run, model: str, score: str, before: Mapping[tuple[str, int], float], found: Collection[int]
) -> tuple[SeedEffect, ...]:
    """Of indices that were found, the same on labels that were not looked at."""
    cases = [case for case in run.of(_model(run, model)) if case.complete and not case.early]
    if not cases:
        raise SeedsError(f"{run.path}: no case of {model} has its whole design: run it with --seedshift-exact")
    known = {label for label, _ in before}
    values, _ = _values(cases, score, run.path)
    fresh = {pair: value for pair, value in values.items() if pair[0] not in known}
    if not fresh:
        raise SeedsError(
            f"{run.path} has no label that the first run lacks: what was found there can only be confirmed on others. "
            "Run it on other classes or prompts, with the same design seed"
        )
    return tuple(seed_effects.effects(fresh, only=found)) if found else ()


def _samples(cases: Sequence[CaseRun], seeds: Collection[int]) -> dict[int, tuple[tuple[str, Sample], ...]]:
    """The samples of some indices, case by case and label by label."""
    return {
        seed: tuple(
            (case.case.describe(), sample)
            for case in cases
            for sample in sorted(case.samples, key=lambda each: each.label)
            if sample.seed == seed
        )
        for seed in seeds
    }


def _pictures(cases: Sequence[CaseRun], seeds: Collection[int]) -> dict[int, tuple[Path, ...]]:
    found: dict[int, list[Path]] = {seed: [] for seed in seeds}
    for case in cases:
        for sample in case.samples:
            if sample.seed in found and sample.picture is not None:
                found[sample.seed].append(sample.picture)
    return {seed: tuple(each) for seed, each in found.items()}


def vectors(path: Path, pairs: Collection[tuple[str, int]], seeds: Collection[int]) -> dict[int, VectorFacts]:
    """What the seed vectors of some indices are like, of a file that has a tensor for each pair.

    Raises:
        SeedsError: it cannot be read.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    labels = {seed: sorted(label for label, index in pairs if index == seed) for seed in seeds}
    made = {}
    try:
        with safe_open(path, "np") as file:
            names = set(file.keys())
            for seed, own in labels.items():
                found = [file.get_tensor(f"{label} {seed}") for label in own if f"{label} {seed}" in names]
                if not found:
                    continue
                one = np.asarray(found[0], dtype=np.float64).ravel()
                spread = float(one.std())
                made[seed] = VectorFacts(
                    shared=sum(np.array_equal(found[0], each) for each in found),
                    norm=float(np.linalg.norm(one) / math.sqrt(one.size)),
                    mean=float(one.mean()),
                    spread=spread,
                    kurtosis=float(((one - one.mean()) ** 4).mean() / spread**4 - 3) if spread else math.nan,
                    largest=float(np.abs(one).max()),
                )
    except (OSError, SafetensorError, TypeError) as error:  # TypeError: a number type that numpy does not have
        raise SeedsError(f"{path} cannot be read as seed vectors: {str(error).splitlines()[0]}") from None
    if not made and seeds:
        raise SeedsError(f"{path} has no tensor named such as '{next(iter(pairs))[0]} {min(seeds)}'")
    return made
