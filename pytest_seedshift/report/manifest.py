"""What a run's verdicts are a part of: all cases of its grid, what is asked of them, and of which models they speak.

It stands at the head of verdicts.json, so that runs can be held against each other and a case without a verdict is
noticed. Built-in types only; nothing in it depends on where or when the run took place, nor on its shard, which it
names.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from pytest_seedshift import identity, pairs, scores
from pytest_seedshift.cases import CaseError

if TYPE_CHECKING:
    from pytest_seedshift.cases import Case
    from pytest_seedshift.grid import Grid
    from pytest_seedshift.scores import Constraint
    from pytest_seedshift.session import State

_LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch")


def make(state: State, grid: Grid) -> dict[str, Any]:
    """The head of verdicts.json: see the README.

    Raises:
        pytest.UsageError: the settings or the thresholds cannot be used.
    """
    try:
        entries = [_entry(state, item, case) for item, case in grid.items]
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    made: dict[str, Any] = {
        "certainty": state.thresholds.certainty,
        "thresholds": state.thresholds.fingerprint,
        "prompt": pairs.PROMPT,
        "libraries": {name: version(name) for name in _LIBRARIES},
        "models": {model: _model(state, model) for model in grid.models},  # a shard needs no weights of others
        "grid": entries,
    }
    if state.against is not None:
        made["baseline"] = state.against.head() | {"family": state.thresholds.family}
    if mine := scores.own():  # whoever reads the run may not have their scorers
        made["scores"] = {name: asdict(kind) for name, kind in mine.items()}
    shard, split = state.settings.shard, grid.split
    if shard is not None and split is not None:
        made["shard"] = {"number": shard.number, "of": shard.of, "by": split.by, "split": split.fingerprint}
    return made


def _model(state: State, model: str) -> dict[str, Any]:
    """A model's fingerprints; None of one whose weights cannot be read: its cases are errors."""
    bench = state.workbench
    made: dict[str, Any] = {"device": bench.device.partition(":")[0], "dtype": bench.dtype(model)}
    try:
        samples = bench.samples(model)
    except CaseError:
        return {**made, "fingerprint": None, "classifier": None, "clip": None}
    classifier, clip, *others = samples.scorers
    made |= {"fingerprint": samples.model, "classifier": classifier, "clip": clip}
    entry = state.catalogue.find(model)
    made["scorer_weights"] = list(identity.weights_of_scorers(entry.classifier, entry.clip))
    if others:
        made["own"] = dict(zip(scores.own(), others, strict=True))
        made["own_given"] = {score: bench.own_scorer(score).given for score in scores.own()}
    return made


def _entry(state: State, item: pytest.Item, case: Case) -> dict[str, Any]:
    test, design = state.test(item, case), state.design(item, case)
    return {
        "id": case.id,
        "test": item.nodeid,
        "model": case.model,
        "shift": case.shift,
        "magnitude": case.magnitude,
        "asks": {name: bounds for each in test.constraints for name, bounds in _bounds(each).items()},
        "exact": test.exact,
        "images": test.size,
        "design": pairs.fingerprint(design),
    }


def _bounds(constraint: Constraint) -> dict[str, float]:
    bounds = {
        "min": constraint.minimum,
        "max_drop": constraint.max_drop,
        "max_regression": constraint.max_regression,
        "significant": None if constraint.significant else 0.0,
    }
    return {f"{constraint.score} {name}": bound for name, bound in bounds.items() if bound is not None}
