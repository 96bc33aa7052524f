"""How many images a verdict will take: what the samples say that exist, else a guess, and the most that it can take.

A verdict hangs on nothing but the samples in the order of the design. So the test itself is asked what it makes of
those that exist: where they decide, the number is known, whatever was asked when they were made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_seedshift.core.pairs import seed_of
from pytest_seedshift.studies.breaking_point import bisection

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.core.stats.course import Judgement
    from pytest_seedshift.core.stats.null_control import NullTest
    from pytest_seedshift.core.stats.sequential import SequentialTest
    from pytest_seedshift.runner.samples import Sample
    from pytest_seedshift.runner.workbench import Workbench

_BESIDE = 4
"""How many magnitudes a search is expected to look at beside its coarse sweep."""


@dataclass(frozen=True, slots=True)
class Images:
    """Of one case, or of one search, how many images.

    Attributes:
        expected: the verdict is expected to rest on.
        most: it can rest on.
        existing: of those expected exist.
        lacking: are to be generated for it at most.
        control: of the unshifted model are needed besides, expected and at most; it may be that others make them too.
        shared: of those expected are of the control and do not exist: `control` has them too.
        judgement: what the samples that exist say of the case; None where they do not decide.
    """

    expected: int
    most: int
    existing: int
    lacking: int
    control: tuple[int, int] = (0, 0)
    shared: int = 0
    judgement: Judgement | None = None


class Wanted(NamedTuple):
    """What a session judges, and how many images that takes."""

    is_control: bool
    """Whether it is the control's own case, which counts its images."""
    design: Sequence[Pair]
    images: Images


def blind(case: Case, test: SequentialTest | NullTest) -> Images:
    """Of a case of which nothing is known, as its model is not on this machine."""
    from pytest_seedshift.runner import broken

    expected, size = _guess(test), test.size
    control = (expected if test.compares or case.is_control else min(broken.FIRST, size)), size
    return Images(expected, size, 0, size, control)


def of_case(bench: Workbench, case: Case, test: SequentialTest | NullTest, design: Sequence[Pair]) -> Images:
    """Of a case.

    Raises:
        CaseError: the store or the weights cannot be read.
    """
    if case.model in bench.pool.absent:
        return blind(case, test)
    if test.exact:
        return _exact(bench, case, test, design)
    seen = _first(bench, case, design)
    before = seen if case.is_control else _first(bench, case.control, design) if test.compares else []
    known = min(len(seen), len(before)) if test.compares else len(seen)
    values, reference = _columns(seen[:known], test), _columns(before[:known], test)
    judgement = test.judge(values, reference)
    if judgement.decided:
        images = judgement.images
        reach = _reach(bench, case, test, values, reference, images)
        lacking = len(bench.missing(case, design[:reach]))
        existing = images - len(bench.missing(case, design[:images]))
        control = _control(bench, case, test, design, (images, reach), judgement)
        return Images(images, images, existing, lacking, control, judgement=judgement)
    visited = bench.service.visited(case, test.size, seed_of(design[0].seed)) or 0
    expected = visited if visited > known else test.about(values, reference)
    existing = expected - len(bench.missing(case, design[:expected]))
    lacking = len(bench.missing(case, design))
    control = _control(bench, case, test, design, (expected, test.size), None)
    return Images(expected, test.size, existing, lacking, control)


def of_search(bench: Workbench, search: Search, test: SequentialTest, design: Sequence[Pair]) -> Images:
    """Of a search for a breaking point: it is gone through on the samples that exist, as far as these decide.

    The unshifted samples that it needs count among those of the control, which all searches of a model share.

    Raises:
        CaseError: the store or the weights cannot be read.
    """
    from pytest_seedshift.studies.breaking_point.search import margin

    most, looked = bisection.budget(search.steps, test.size), dict[int, Images]()

    def look(step: int) -> bisection.Probe:
        found = looked[step] = of_case(bench, search.case(step), test, design)
        if found.judgement is None:
            raise _UnknownError
        return bisection.Probe(step, found.judgement.passed, margin(found.judgement.findings), found.expected)

    try:
        bisection.seek(look, search.steps, test.size)
        further = 0
    except _UnknownError:
        further = len(bisection.sweep(search.steps)) + _BESIDE - sum(step > 0 for step in looked)
    origin, shifted = looked.pop(0), list(looked.values())
    control = (
        max([origin.expected, *(each.control[0] for each in shifted)]),
        max([origin.most, *(each.control[1] for each in shifted)]),
    )
    seen = sum(each.expected for each in shifted)
    if all(each.judgement is not None for each in (origin, *shifted)):
        whole = origin.expected + seen
        lacking = sum(each.lacking for each in shifted)
        shared = origin.expected - origin.existing
        existing = whole - shared - _to_make(shifted)
        return Images(whole, whole, existing, lacking, control, shared, origin.judgement)
    expected = min(seen + max(further, 0) * _guess(test), most)
    existing = sum(each.existing for each in shifted)
    known = sum(each.expected for each in shifted if each.judgement is not None)
    lacking = most - known + sum(each.lacking for each in shifted if each.judgement is not None)
    control = (control[0], test.size)
    shared = origin.expected - origin.existing
    whole = origin.expected + expected
    return Images(whole, origin.most + most, origin.existing + existing, lacking, control, shared)


def besides(bench: Workbench, model: str, wanted: Iterable[Wanted]) -> tuple[int, int]:
    """How many images of a model's control are generated that no case of the session counts as its own.

    Args:
        bench: where samples are found.
        model: its name.
        wanted: all that the session judges of the model.

    Returns:
        Those expected, and the most.
    """
    sums = []
    for at in (0, 1):
        needed: set[Pair] = set()
        own: set[Pair] = set()
        for is_control, design, images in wanted:
            needed.update(_lacking(bench, model, design, images.control[at]))
            if is_control:
                own.update(_lacking(bench, model, design, images.expected if at == 0 else images.most))
        sums.append(len(needed - own))
    return sums[0], sums[1]


class _UnknownError(Exception):
    """What a magnitude would say is not known yet."""


def _lacking(bench: Workbench, model: str, design: Sequence[Pair], images: int) -> Sequence[Pair]:
    from pytest_seedshift.core.cases import Case

    pairs = design[:images]
    return pairs if model in bench.pool.absent or not pairs else bench.missing(Case(model), pairs)


def _to_make(parts: Iterable[Images]) -> int:
    return sum(each.expected - each.existing for each in parts)


def _guess(test: SequentialTest | NullTest) -> int:
    """How many images a case takes of which nothing is known, of a model that does well and has not become worse.

    Against a baseline it is supposed to be another version that is as good: see `SequentialTest.about`.
    """
    if test.exact:
        return test.size
    nothing: dict[str, list[float]] = {constraint.score: [] for constraint in test.constraints}
    return test.about(nothing, nothing)


def _exact(bench: Workbench, case: Case, test: SequentialTest | NullTest, design: Sequence[Pair]) -> Images:
    """Of a case whose whole design is looked at."""
    from pytest_seedshift.core.stats.null_control import NullTest

    lacking = len(bench.missing(case, design))
    judgement = None
    if not lacking and not isinstance(test, NullTest):
        before = bench.samples(case.model).find(case.control, design) if test.compares else {}
        if not test.compares or len(before) == len(design):
            seen = list(bench.samples(case.model).find(case, design).values())
            judgement = test.judge(_columns(seen, test), _columns(list(before.values()), test))
    control = _control(bench, case, test, design, (test.size, test.size), judgement)
    return Images(test.size, test.size, test.size - lacking, lacking, control, judgement=judgement)


def _first(bench: Workbench, case: Case, design: Sequence[Pair]) -> list[Sample]:
    """The samples of the first pairs of a design, up to the first one that does not exist."""
    found = bench.samples(case.model).find(case, design)
    end = next((row for row, pair in enumerate(design) if pair not in found), len(design))
    return [found[pair] for pair in design[:end]]


def _columns(samples: Sequence[Sample], test: SequentialTest | NullTest) -> dict[str, list[float]]:
    return {each.score: [sample.value(each.score) for sample in samples] for each in test.constraints}


def _reach(
    bench: Workbench,
    case: Case,
    test: SequentialTest | NullTest,
    values: dict[str, list[float]],
    reference: dict[str, list[float]],
    images: int,
) -> int:
    """How far a case is visited that is decided after so many images: it goes on by batches."""
    from pytest_seedshift.runner import sequential

    seen = 0
    while seen < images:
        known, before = ({score: each[:seen] for score, each in part.items()} for part in (values, reference))
        soonest = test.soonest(known, before) if bench.pool.overlaps else 0
        seen += sequential.step(bench, case, test.forecast(known, before), seen, soonest)
    return min(seen, test.size)


def _control(
    bench: Workbench,
    case: Case,
    test: SequentialTest | NullTest,
    design: Sequence[Pair],
    images: tuple[int, int],
    judgement: Judgement | None,
) -> tuple[int, int]:
    """How many of the control's images a case needs, expected and at most: to compare with, to show, to look at."""
    from pytest_seedshift.runner import broken
    from pytest_seedshift.runner.kept_pictures import strip

    if case.is_control:
        return images
    shown, pairs = bench.service.shown(design), list(design[: images[0]])
    stripped = shown.intersection(strip(pairs))
    beside = [place for place, pair in enumerate(pairs) if pair in stripped]
    first = min(broken.FIRST, len(design)) if shown or test.compares else 0
    expected = max([first, *(place + 1 for place in beside), images[0] if test.compares else 0])
    if judgement is None:
        return expected, len(design)
    looked = broken.Watch(bench, case, design, test).reach(judgement)
    return _whole(bench, case, design, expected), _whole(
        bench, case, design, max(expected, looked, images[1] if test.compares else 0)
    )


def _whole(bench: Workbench, case: Case, design: Sequence[Pair], images: int) -> int:
    """As far as whole batches go, in which the control is made where some of it is not there."""
    if not images or not bench.missing(case.control, design[:images]):
        return images
    size = bench.service.batch_size(case.model)
    return min(math.ceil(images / size) * size, len(design))
