"""What a run's verdicts are a part of: all cases of its grid, what is asked of them, and of which models they speak.

It stands at the head of verdicts.json, so that runs can be held against each other and a case without a verdict is
noticed. Built-in types only; nothing in it depends on where or when the run took place, nor on its shard, which it
names.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import pairs, scores
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.core.searches import Search
from pytest_seedshift.models.needed_scorers import CLASSIFIER, CLIP
from pytest_seedshift.plugin import border, breaking_session
from pytest_seedshift.runner import records
from pytest_seedshift.scorers import fingerprint

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Subject
    from pytest_seedshift.plugin.grid import Grid
    from pytest_seedshift.plugin.session import State

_LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch")


def make(state: State, grid: Grid) -> dict[str, Any]:
    """The head of verdicts.json: see the README.

    Raises:
        pytest.UsageError: the settings or the thresholds cannot be used.
    """
    from pytest_seedshift.results import schema  # pydantic, not where tests are collected

    with border.usage_errors():
        entries = [_entry(state, item, case) for item, case in grid.items]
    made: dict[str, Any] = {
        "certainty": state.thresholds.certainty,
        "thresholds": state.thresholds.fingerprint,
        "prompt": pairs.PROMPT,
        "libraries": {name: version(name) for name in _LIBRARIES},
        "models": {model: _model(state, model) for model in grid.models},  # a shard needs no weights of others
        "grid": entries,
    }
    if state.gating.against is not None:
        made["baseline"] = state.gating.against.head() | {"family": state.gating.holds_family}
    if state.gating.thresholds:
        made["threshold_tests"] = state.gating.thresholds
    if mine := scores.own():  # whoever reads the run may not have their scorers
        made["scores"] = {name: asdict(kind) for name, kind in mine.items()}
    shard, split = state.settings.shard, grid.split
    if shard is not None and split is not None:
        made["shard"] = {"number": shard.number, "of": shard.of, "by": split.by, "split": split.fingerprint}
    return schema.Head(**made).built_in()


def _model(state: State, model: str) -> dict[str, Any]:
    """A model's fingerprints; None of one whose weights cannot be read: its cases are errors."""
    bench = state.workbench
    made: dict[str, Any] = {"device": bench.device.partition(":")[0], "dtype": bench.dtype(model)}
    try:
        samples = bench.samples(model)
    except CaseError:
        return {**made, "fingerprint": None, "classifier": None, "clip": None}
    prints = bench.pool.scorers.fingerprints(model)
    made |= {"fingerprint": samples.model, "classifier": prints.get(CLASSIFIER), "clip": prints.get(CLIP)}
    entry = state.entry(model)
    made["scorer_weights"] = [each or None for each in fingerprint.weights_of_scorers(entry.classifier, entry.clip)]
    made["run_with"] = dict(bench.service.run_with(model))
    if scores.own():
        made["own"] = {score: prints[score] for score in scores.own()}
        made["own_given"] = {score: bench.pool.scorers.own(score).given for score in scores.own()}
    return made


def _entry(state: State, item: pytest.Item, case: Subject) -> dict[str, Any]:
    if isinstance(case, Search):
        return _search_entry(state, item, case)
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
        **records.design_seed(design[0]),
    }


def _search_entry(state: State, item: pytest.Item, search: Search) -> dict[str, Any]:
    """A search's entry: its magnitude is where it ends; it asks for what each magnitude is held against, and more."""
    test, design = breaking_session.test_of(state, item, search), breaking_session.design(state, item, search)
    minimum = breaking_session.minimum(state, item, search)
    asks = {name: bound for each in test.constraints for name, bound in _bounds(each).items()}
    return {
        "id": search.id,
        "test": item.nodeid,
        "kind": "breaking",
        "model": search.model,
        "shift": search.shift,
        "magnitude": search.magnitude,
        "asks": asks if minimum is None else {**asks, "breaking point min": minimum},
        "exact": test.exact,
        "images": test.size,
        "design": pairs.fingerprint(design),
        **records.design_seed(design[0]),
    }


def _bounds(constraint: Constraint) -> dict[str, float]:
    bounds = {
        "min": constraint.minimum,
        "max_drop": constraint.max_drop,
        "max_regression": constraint.max_regression,
        "significant": None if constraint.significant is not False else 0.0,
        "any change": 1.0 if constraint.significant == scores.ANY else None,
    }
    return {f"{constraint.score} {name}": bound for name, bound in bounds.items() if bound is not None}
