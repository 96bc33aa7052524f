"""A search on the workbench: every probe is a case like any other, judged early, and its samples stay in the store."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_seedshift.core import tags
from pytest_seedshift.core.scores import Estimate
from pytest_seedshift.core.stats.sequential import estimate, estimate_drop
from pytest_seedshift.results.schema import CLEAR
from pytest_seedshift.runner import sequential
from pytest_seedshift.runner.case_result import Part
from pytest_seedshift.studies.breaking_point import bisection
from pytest_seedshift.studies.breaking_point.bisection import Found, Probe

if TYPE_CHECKING:
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.scores import Constraint, Finding
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.runner.case_result import CaseResult, OnProgress
    from pytest_seedshift.runner.needs import Steps
    from pytest_seedshift.runner.workbench import Workbench


@dataclass(frozen=True, slots=True)
class BreakingPoint:
    """What the `breaking_point` fixture gives to a test. Magnitudes are signed, as everywhere."""

    search: Search
    """Of which model, shift and sign."""
    found: Found
    """Where it is, in steps of 0.01 of the magnitude; `at`, `holds_at` and `interval` are magnitudes."""
    probes: tuple[CaseResult, ...]
    """Each magnitude that was looked at, judged, ascending from the control."""
    constraints: tuple[Constraint, ...]
    """What a magnitude has to hold to count as holding."""
    minimum: float | None
    """What is asked: the least breaking point, a magnitude above 0 without its sign; None where nothing is."""
    design: int
    """N, the number of pairs of the design that each probe is judged on."""
    certainty: float
    """Of the verdict of each probe, above 0.5 and below 1."""

    @property
    def at(self) -> float | None:
        """The breaking point: the smallest magnitude that fails; 0 where the model fails unshifted, None where none."""
        return None if self.found.at is None else self.search.at(self.found.at)

    @property
    def holds_at(self) -> float | None:
        """The largest magnitude below it that holds: the breaking point of the design lies behind it, up to `at`."""
        return None if self.found.holds_at is None else self.search.at(self.found.holds_at)

    @property
    def interval(self) -> tuple[float, float | None]:
        """Where another draw of pairs would have the breaking point, by the 95 % intervals of the probes' scores.

        Up to the first magnitude every probe is clear of its bounds, at the second one it clearly breaks one; None
        where none does. The intervals hold for each probe, not for all of them at once.
        """
        low, high = self.found.interval
        return self.search.at(low), None if high is None else self.search.at(high)

    @property
    def recovers(self) -> tuple[float, ...]:
        """Magnitudes beyond the breaking point at which the model holds again; empty where monotony holds."""
        return tuple(map(self.search.at, self.found.recovers))

    @property
    def verdict(self) -> Literal["pass", "fail", "measured"]:
        """Whether it breaks no earlier than was asked; "measured" where nothing was asked: that has not passed."""
        if self.minimum is None:
            return "measured"
        from pytest_seedshift.core.searches import PER_UNIT

        return "pass" if self.found.reaches(self.minimum * PER_UNIT) else "fail"

    @property
    def images(self) -> int:
        """How many images the verdicts of the probes rest on, the control's among them."""
        return sum(len(probe.samples) for probe in self.probes)

    @property
    def generated(self) -> int:
        """How many images were generated for it; the others were in the store."""
        return sum(probe.generated for probe in self.probes)

    @property
    def seconds(self) -> float:
        """How many seconds that took."""
        return sum(probe.seconds for probe in self.probes)


def run(
    bench: Workbench,
    search: Search,
    test: SequentialTest,
    design: Sequence[Pair],
    minimum: float | None = None,
    progress: OnProgress | None = None,
) -> BreakingPoint:
    """Search for a model's breaking point.

    Args:
        bench: where samples are found and made.
        search: which model, shift and sign.
        test: what is asked at every magnitude.
        design: as many pairs as the test's size.
        minimum: the least breaking point that is asked for, without its sign.
        progress: called before every batch, with the probe in work.

    Raises:
        CaseError: a probe cannot be judged.
    """
    return bench.scheduler.run(steps(bench, search, test, design, minimum), progress)


def steps(
    bench: Workbench, search: Search, test: SequentialTest, design: Sequence[Pair], minimum: float | None = None
) -> Steps[BreakingPoint]:
    """The search of `run`: it says which samples its probes need, one probe after the other.

    Raises:
        CaseError: a probe cannot be judged.
    """
    results: dict[int, CaseResult] = {}
    seeking = bisection.seeking(search.steps, test.size)
    step = next(seeking)
    while True:
        before = results.values()
        part = Part(search.id, sum(len(each.samples) for each in before), sum(each.generated for each in before))
        result = results[step] = yield from sequential.steps(bench, search.case(step), test, design, part)
        clear = clearness(result, exact=test.exact)
        try:
            step = seeking.send(Probe(step, result.passed, margin(result.findings), len(result.samples), clear))
        except StopIteration as end:
            probes = tuple(results[step] for step in sorted(results))
            return BreakingPoint(search, end.value, probes, test.constraints, minimum, test.size, test.certainty)


def margin(findings: Iterable[Finding]) -> float:
    """How far the worst score lies above its bound, as a part of the score's range; below it: negative."""
    return min(
        (each.measured - each.bound if each.kind == "min" else each.bound - each.measured) / each.score_kind.span
        for each in findings
        if not math.isnan(each.measured)  # of a tag, none of whose pairs was looked at
    )


def clearness(result: CaseResult, *, exact: bool) -> bool | None:
    """Whether the model's own means, over all possible pairs, surely meet all bounds, or surely miss one."""
    clear = [_clear(finding, result, exact=exact) for finding in result.findings]
    return False if False in clear else None if None in clear else True


def _clear(finding: Finding, result: CaseResult, *, exact: bool) -> bool | None:
    found = _estimate(finding, result, exact=exact)
    if finding.kind == "max_drop":
        return True if found.high <= finding.bound else False if found.low > finding.bound else None
    return True if found.low >= finding.bound else False if found.high < finding.bound else None


def _estimate(finding: Finding, result: CaseResult, *, exact: bool) -> Estimate:
    score, tag = tags.plain(finding.score), tags.tag_of(finding.score)
    samples = [sample for sample in result.samples if tag is None or tag in sample.pair.label.tags]
    if not samples:  # of a tag, none of whose pairs was looked at
        return Estimate(finding.bound, finding.score_kind.low, finding.score_kind.top)
    values = [sample.scores[score] for sample in samples]
    if finding.kind == "min":
        return estimate(finding.score_kind, values, certainty=CLEAR, stopped=not exact)
    before = {sample.pair: sample.scores[score] for sample in result.control}
    control = [before[sample.pair] for sample in samples]  # a verdict on a drop has all of them
    return estimate_drop(finding.score_kind, values, control, certainty=CLEAR)
