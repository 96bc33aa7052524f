"""What `versus` reads of one run: its samples, its cases that are not passed, and what its model costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_seedshift.results.run import CaseRun, Run
    from pytest_seedshift.results.sample_rows import Pace
    from pytest_seedshift.studies.costs import Costs
    from pytest_seedshift.studies.versus import Cost, Side


def side(model: str, run: Run, costs: Costs, *, failed: bool = False) -> Side:
    """A model and what its run has shown; where that `failed`, also by what beside its cases."""
    from pytest_seedshift.results import baseline_sources
    from pytest_seedshift.studies.versus import Side
    from pytest_seedshift.studies.versus_verdicts import Failed

    cases = tuple(Failed(case.case, case.status, why(case), case.findings) for case in run.cases if case.failed)
    return Side(model, baseline_sources.of_run(run), _cost(run, model, costs), cases, _beside(run) if failed else ())


def _beside(run: Run) -> tuple[str, ...]:
    """What fails a run beside its cases, in words."""
    from pytest_seedshift.reporting import regressions, seed_use_gate
    from pytest_seedshift.results import comparison

    against = comparison.compared(run).comparison
    worse = [] if against is None else [each.sentence for each in regressions.beyond_cases(against, run.failed)]
    uses = seed_use_gate.failures(run.seed_use_bounds, run.certainty)
    return (*worse, *(reason for _, reason in uses))


def why(case: CaseRun) -> str:
    """The bound that a case breaks first, with what that rests on; else why it is an error."""
    from pytest_seedshift.reporting import reasons

    found = reasons.failure(case)
    return found.bound if found is not None else next(iter(reasons.lines(case)), "")


def _cost(run: Run, model: str, costs: Costs) -> Cost:
    """What a model costs; of an image in this run, or where all were there already, when they were made."""
    from pytest_seedshift.studies.versus import Cost

    cases = [case for case in run.cases if case.case.model == model]
    generated, seconds = sum(case.generated for case in cases), sum(case.seconds for case in cases)
    found = Cost(disk=costs.disk, weights=costs.weights, speed=costs.speed, untimed=costs.untimed)
    if generated and seconds:
        peaks = [facts.peak_memory for facts in run.facts if facts.peak_memory]
        memory = peaks[-1].get("gpu", peaks[-1].get("process")) if peaks else None
        return replace(found, seconds=seconds / generated, memory=memory)
    kept = pace(run, model)
    return found if kept is None else replace(found, seconds=kept.seconds)


def pace(run: Run, model: str) -> Pace | None:
    """How a model ran, as its run folder remembers it."""
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.results.sample_store import Store

    known = [each for facts in run.facts for each in facts.models if each.name == model]
    store = Store(RunFolder(run.path).samples_file)
    try:
        paces = [store.pace(each.fingerprint, each.hardware) for each in known]
    finally:
        store.close()
    return next((each for each in paces if each is not None), None)
