"""A case on its way to a verdict: pairs are visited until the test has decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_seedshift.core.cases import judging_case
from pytest_seedshift.core.pairs import seed_of
from pytest_seedshift.core.score_registry import ScoreRegistry
from pytest_seedshift.core.stats import sequential
from pytest_seedshift.runner import broken, flat_images
from pytest_seedshift.runner.case_result import CaseResult, OnProgress, Part
from pytest_seedshift.runner.kept_pictures import strip
from pytest_seedshift.runner.needs import Need, Outlook
from pytest_seedshift.runner.reach import next_step

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.stats.course import Forecast, Judgement
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.runner.needs import Steps, Supply
    from pytest_seedshift.runner.samples import Sample
    from pytest_seedshift.runner.workbench import Workbench


def run(
    bench: Workbench,
    case: Case,
    test: SequentialTest | NullTest,
    design: Sequence[Pair],
    progress: OnProgress | None = None,
) -> CaseResult:
    """Visit the pairs of a case's design until the verdict stands; see `steps`.

    Args:
        bench: where samples are found and made.
        case: which model under which shift.
        test: what is asked of it.
        design: as many pairs as the test's size.
        progress: called before every batch.

    Raises:
        CaseError: the case cannot be judged; a UnusableModelError where the model is broken without any shift.
    """
    return bench.scheduler.run(steps(bench, case, test, design), progress)


def steps(
    bench: Workbench, case: Case, test: SequentialTest | NullTest, design: Sequence[Pair], part: Part | None = None
) -> Steps[CaseResult]:
    """A case on its way: it says which samples it needs, until its verdict stands.

    The verdict depends on the samples in the order of the design alone, not on how many there are at once. `part` says
    of which search the case is a part.

    Raises:
        CaseError: see `run`.
    """
    with judging_case(case):
        seen = _Seen(bench, case, design)
        watch = broken.Watch(bench, case, design, test)
        yield from seen.control_up_to(watch.first)
        watch.look()
        course, values = test.begin(), _columns([], test)
        while True:
            if test.compares:
                yield from seen.control_up_to(len(seen.samples))
            further = slice(course.seen, len(seen.samples))
            new = _columns(seen.samples[further], test)
            course.add(new, _columns(seen.control[further] if test.compares else [], test))
            for score, column in new.items():
                values[score] += column
            if (case.is_control and seen.samples) or seen.waited:
                watch.look()
            if course.stop is not None:
                judgement = course.judgement()
                yield from seen.control_up_to(watch.reach(judgement))
                watch.end(judgement)
                yield from seen.control_up_to(_beside(seen, judgement.images))
                return _result(bench, seen, test, judgement)
            yield from seen.more(Outlook(test, course, values, part))


class _Seen:
    """The samples that a case has seen: its own, and its control's, each the first ones of its design."""

    def __init__(self, bench: Workbench, case: Case, design: Sequence[Pair]) -> None:
        self.case = case
        self.design = design
        self.shown = bench.service.shown(design)
        self.samples: list[Sample] = []
        self.control: list[Sample] = self.samples if case.is_control else []
        self.work = bench.measured(case)
        self.waited = False
        """Whether the control was judged while it waited for its last samples."""

    def more(self, outlook: Outlook) -> Generator[Need, Supply, None]:
        """See more of the case's samples."""
        yield from self._take(Need(self.case, self.design, len(self.samples), None, outlook, self.shown), self.samples)

    def control_up_to(self, images: int) -> Generator[Need, Supply, None]:
        """See the control's samples of so many of the design's first pairs."""
        seen = len(self.control)
        if seen < images:
            need = Need(self.case.control, self.design, seen, images, None, self.shown)
            yield from self._take(need, self.control)

    def _take(self, need: Need, into: list[Sample]) -> Generator[Need, Supply, None]:
        supply = yield need
        into += supply.samples
        self.work += supply.work
        self.waited = supply.waited


def opening(bench: Workbench, case: Case, test: SequentialTest | NullTest) -> int:
    """How many pairs a case visits first, before anything is known of it."""
    nothing: dict[str, list[float]] = {constraint.score: [] for constraint in test.constraints}
    soonest = test.soonest(nothing, nothing) if bench.pool.overlaps else 0
    return step(bench, case, test.forecast(nothing, nothing), 0, soonest)


def step(bench: Workbench, case: Case, forecast: Forecast, seen: int, soonest: int) -> int:
    """How many pairs a case visits next, after the first `seen`; no verdict can stand before the pair `soonest`."""
    likely = min(forecast.images, forecast.at_best) - seen
    return next_step(bench.service.batch_size(case.model), likely, soonest - seen)


def _beside(seen: _Seen, images: int) -> int:
    """As many of the control's first pictures as stand beside those of a case that has so many images."""
    pairs = [sample.pair for sample in seen.samples[:images]]
    beside = [pair for pair in strip(pairs) if pair in seen.shown]
    return pairs.index(beside[-1]) + 1 if beside and not seen.case.is_control else 0


def _result(bench: Workbench, seen: _Seen, test: SequentialTest | NullTest, judgement: Judgement) -> CaseResult:
    case, service = seen.case, bench.service
    samples = tuple(seen.samples[: judgement.images])
    pairs = [sample.pair for sample in samples]
    service.set_visited(case, test.size, judgement.images, seed_of(pairs[0].seed))
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
        generated=seen.work.generated,
        seconds=seen.work.seconds,
        device=" and ".join(sorted(seen.work.kinds)) if len(seen.work.kinds) > 1 else bench.device,
        dtype=bench.dtype(case.model),
        kinds=kinds,
        flat=len(flat),
        blank=len(flat) if any(each.pair in flat and not each.scores.get("top1") for each in samples) else 0,
    )


def _columns(samples: Sequence[Sample], test: SequentialTest | NullTest) -> dict[str, list[float]]:
    """By score that is asked for, the samples' values."""
    names = [constraint.score for constraint in test.constraints]
    return {name: [sample.value(name) for sample in samples] for name in names}
