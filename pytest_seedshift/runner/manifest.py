"""What a run's verdicts are a part of: all cases of its grid, what is asked of them, and of which models they speak.

It stands at the head of verdicts.json, so that runs can be compared and a case without a verdict is
noticed. Built-in types only; nothing in it depends on where or when the run took place, nor on its shard, which it
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import pairs, scores
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.models.needed_scorers import CLASSIFIER, CLIP
from pytest_seedshift.runner import records
from pytest_seedshift.scorers import fingerprint

if TYPE_CHECKING:
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.results import schema
    from pytest_seedshift.runner.job import Job
    from pytest_seedshift.runner.job_resolution import Jobs, Terms
    from pytest_seedshift.runner.workbench import Workbench

LIBRARIES = ("torch", "torchvision", "diffusers", "transformers", "open_clip_torch")


def make(
    jobs: Jobs,
    terms: Terms,
    bench: Workbench,
    entry: Callable[[str], Entry],
    *,
    models: Iterable[str],
    shard: Mapping[str, Any] | None = None,
) -> schema.Head:
    """The head of verdicts.json: see docs/reference/files.md.

    Args:
        jobs: of the whole grid, those of other shards too.
        terms: by which they were resolved.
        bench: where the models are run.
        entry: what a model's name stands for, without the sources of scorers that the run does not need.
        models: those that this run, or its shard, is about: a shard needs no weights of others.
        shard: which part of the grid this run is; None for all of it.

    Raises:
        SeedshiftError: a job could not be resolved.
    """
    from pytest_seedshift.results import schema  # pydantic, not where tests are collected

    jobs.check()
    made: dict[str, Any] = {
        "certainty": terms.thresholds.certainty,
        "thresholds": terms.thresholds.fingerprint,
        "prompt": " | ".join(dict.fromkeys(terms.catalogue.find(job.model).prompt_set.template for job in jobs)),
        "libraries": {name: version(name) for name in LIBRARIES},
        "models": {model: _model(bench, model, entry(model)) for model in models},
        "grid": [_entry(job) for job in jobs],
    }
    if terms.against is not None:
        made["baseline"] = terms.against.head() | {"family": terms.holds_family}
    if jobs.threshold_tests:
        made["threshold_tests"] = jobs.threshold_tests
    if mine := bench.pool.scorers.kinds.own:  # whoever reads the run may not have their scorers
        made["scores"] = {name: kind.document() for name, kind in mine.items()}
    if shard is not None:
        made["shard"] = dict(shard)
    return schema.Head(**made)


def _model(bench: Workbench, model: str, entry: Entry) -> dict[str, Any]:
    """A model's fingerprints; None of one whose weights cannot be read: its cases are errors."""
    made: dict[str, Any] = {"device": bench.device.partition(":")[0], "dtype": bench.dtype(model)}
    try:
        samples = bench.samples(model)
    except CaseError:
        return {**made, "fingerprint": None, "classifier": None, "clip": None}
    prints = bench.pool.scorers.fingerprints(model)
    made |= {"fingerprint": samples.model, "classifier": prints.get(CLASSIFIER), "clip": prints.get(CLIP)}
    made["scorer_weights"] = [each or None for each in fingerprint.weights_of_scorers(entry.classifier, entry.clip)]
    made["run_with"] = dict(bench.service.run_with(model))
    if mine := bench.pool.scorers.own_of(model):
        made["own"] = {score: prints[score] for score in mine}
        made["own_given"] = {score: bench.pool.scorers.own(score).given for score in mine}
    return made


def _entry(job: Job) -> dict[str, Any]:
    """A job's entry. A search's magnitude is where it ends."""
    subject, test = job.subject, job.test
    asks = {name: bound for each in test.constraints for name, bound in _bounds(each).items()}
    if job.minimum is not None:
        asks["breaking point min"] = job.minimum
    return {
        "id": subject.id,
        "test": job.nodeid,
        **({} if job.search is None else {"kind": "breaking"}),
        "model": subject.model,
        "shift": subject.shift,
        "magnitude": subject.magnitude,
        "asks": asks,
        "exact": test.exact,
        "images": test.size,
        "design": pairs.fingerprint(job.design),
        **records.design_seed(job.design[0]),
    }


def _bounds(constraint: Constraint) -> dict[str, float]:
    bounds = {
        "min": constraint.minimum,
        "max_drop": constraint.max_drop,
        "max_regression": constraint.max_regression,
        "significant": None if constraint.significant is not False else 0.0,
        "any change": 1.0 if constraint.significant == scores.ANY else None,
        "within": None if constraint.within is None else constraint.within.value,
        "within share": None if constraint.within is None else constraint.within.share,
    }
    return {f"{constraint.score} {name}": bound for name, bound in bounds.items() if bound is not None}
