"""A case on its way to a verdict: pairs are visited until the test has decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import judging_case
from pytest_seedshift.core.pairs import seed_of
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.core.stats import sequential
from pytest_seedshift.runner import broken, flat_images
from pytest_seedshift.runner.case_result import CaseResult, OnProgress, Progress
from pytest_seedshift.runner.kept_pictures import strip

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import Forecast, Judgement, SequentialTest
    from pytest_seedshift.runner.samples import Sample
    from pytest_seedshift.runner.sampling import Sampling
    from pytest_seedshift.runner.workbench import Workbench

_STRETCH = 4
"""How many batches are made in one go at most, where it is certain that all of them are needed."""


def run(
    bench: Workbench,
    case: Case,
    test: SequentialTest | NullTest,
    design: Sequence[Pair],
    progress: OnProgress | None = None,
) -> CaseResult:
    """Visit the pairs of a case's design until the verdict stands.

    Args:
        bench: where samples are found and made.
        case: which model under which shift.
        test: what is asked of it.
        design: as many pairs as the test's size.
        progress: called before every batch.

    Raises:
        CaseError: the case cannot be judged; a UnusableModelError where the model is broken without any shift.
    """
    with judging_case(case):
        sampling = bench.sampling(case, design)
        watch = broken.Watch(bench, sampling, test)
        watch.begin()
        seen: list[Sample] = []
        while True:
            control = sampling.control(len(seen)) if test.compares else []
            values, reference = _columns(seen, test), _columns(control, test)
            judgement = test.judge(values, reference)
            if case.is_control and seen:
                watch.look()
            if judgement.decided:
                watch.end(judgement)
                return _result(bench, sampling, test, judgement, seen)
            forecast = test.forecast(values, reference)
            if progress is not None:
                leading = forecast.leading
                at = len(seen), sampling.work.generated, test.about(values, reference), test.size
                progress(Progress(case, *at, leading, values[leading.score], test.certainty))
            soonest = test.soonest(values, reference) if bench.pool.overlaps else 0
            further = step(bench, case, forecast, len(seen), soonest)
            if case.is_control:
                seen = sampling.control(len(seen) + further)
            else:
                seen += sampling.collect(design[len(seen) : len(seen) + further])


def opening(bench: Workbench, case: Case, test: SequentialTest | NullTest) -> int:
    """How many pairs a case visits first, before anything is known of it."""
    nothing: dict[str, list[float]] = {constraint.score: [] for constraint in test.constraints}
    soonest = test.soonest(nothing, nothing) if bench.pool.overlaps else 0
    return step(bench, case, test.forecast(nothing, nothing), 0, soonest)


def step(bench: Workbench, case: Case, forecast: Forecast, seen: int, soonest: int) -> int:
    """How many pairs a case visits next, after the first `seen`; no verdict can stand before the pair `soonest`."""
    likely = min(forecast.images, forecast.at_best) - seen
    return next_step(bench.service.batch_size(case.model), likely, soonest - seen)


def next_step(batch: int, likely: int, certain: int) -> int:
    """How many pairs to visit next, of those that the verdict is likely and of those that it is certain to need."""
    if certain > batch:  # in one go, as one batch can be scored while the next one is generated
        return min(certain, _STRETCH * batch)
    return min(max(likely, batch // 8, 1), batch)


def _result(
    bench: Workbench,
    sampling: Sampling,
    test: SequentialTest | NullTest,
    judgement: Judgement,
    seen: Sequence[Sample],
) -> CaseResult:
    case, service = sampling.case, bench.service
    samples = tuple(seen[: judgement.images])
    pairs = [sample.pair for sample in samples]
    beside = [pair for pair in strip(pairs) if pair in sampling.shown]
    if not case.is_control and beside:  # its pictures stand beside the case's
        sampling.control(pairs.index(beside[-1]) + 1)
    service.set_visited(case, test.size, judgement.images, seed_of(pairs[0].seed))
    if sampling.work.generated:
        service.remember(case.model, sampling.work)
    found = service.samples(case.model)
    control = samples if case.is_control else tuple(found.find(case.control, pairs).values())
    flat = found.marked(flat_images.FLAT, case, pairs)
    scores = {name: [sample.scores[name] for sample in samples] for name in samples[0].scores}
    kinds = ScoreRegistry(bench.pool.scorers.measures(case.model))
    return CaseResult(
        case=case,
        samples=samples,
        control=control,
        scores={
            name: sequential.estimate(kinds[name], values, certainty=test.certainty, stopped=not test.exact)
            for name, values in scores.items()
        },
        findings=judgement.findings,
        design=test.size,
        certainty=test.certainty,
        generated=sampling.work.generated,
        seconds=sampling.work.seconds,
        device=bench.device,
        dtype=bench.dtype(case.model),
        kinds=kinds,
        flat=len(flat),
        blank=len(flat) if any(each.pair in flat and not each.scores.get("top1") for each in samples) else 0,
    )


def _columns(samples: Sequence[Sample], test: SequentialTest | NullTest) -> dict[str, list[float]]:
    """By score that is asked for, the samples' values."""
    names = [constraint.score for constraint in test.constraints]
    return {name: [sample.scores[name] for sample in samples] for name in names}
