"""What came of cases, told in one way: the status of each, how many there are of which, a sentence for each model.

Terminal, page, summary, model card, pytest-html's page and `merge` all count by this module. A case that several tests
judge counts once, by the worst that came of it; the control is a case like the others, as it is a test like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import Case, format_magnitude
from pytest_seedshift.results.statuses import KNOWN, SKIPPED, STATUSES, UNFINISHED, XPASSED, rank
from pytest_seedshift.runner import failures

if TYPE_CHECKING:
    from pytest_seedshift.results.run import CaseRun
    from pytest_seedshift.results.schema import Record, Search

BROKEN = ("fail", "error")
"""The statuses that fail a run."""

_TITLES = {KNOWN: "known failure", SKIPPED: "skipped", "error": "cannot be judged", UNFINISHED: "without a verdict"}


class _HasStatus(Protocol):
    @property
    def status(self) -> str: ...


_T = TypeVar("_T", bound=_HasStatus)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case and what came of it."""

    case: Case
    status: str
    unexpected: bool = False
    """Whether it passes where its test expects it to fail."""


def spoiled(record: Record | Search) -> Record | Search:
    """A record as an error, as its test is one, though it was judged: what came after it has failed."""
    if record.status in BROKEN:
        return record
    reason = failures.spoiled_by_teardown(record.reason)
    values = record.model_dump(exclude_unset=True, exclude={"outcome", "xfail"})
    return type(record).model_validate({**values, "verdict": "error", "reason": reason})


def title(status: str) -> str:
    """A status in words: `known failure`."""
    return _TITLES.get(status, status)


def of_cases(cases: Iterable[CaseRun | Record]) -> list[Outcome]:
    """The outcomes of a run's cases, or of their records."""
    return [Outcome(each.case, each.status, each.outcome == XPASSED) for each in cases]


def with_missing(outcomes: Iterable[Outcome], missing: Iterable[Case]) -> list[Outcome]:
    """Outcomes, and those of cases that have none: what was not judged has not passed."""
    return [*outcomes, *(Outcome(case, UNFINISHED) for case in missing)]


def distinct(records: Iterable[_T], key: Callable[[_T], object]) -> list[_T]:
    """One of those with the same `key`: that whose status is the worst, of equals the last."""
    found: dict[object, _T] = {}
    for record in records:
        before = found.get(key(record))
        if before is None or rank(record.status) <= rank(before.status):
            found[key(record)] = record
    return list(found.values())


def distinct_records(records: Iterable[Record]) -> list[Record]:
    """One record a case, as `distinct` chooses it."""
    return distinct(records, lambda record: (record.id, record.null))


def counted(records: Sequence[Record], of: str = "", *, missing: int = 0) -> str:
    """`31 cases: 21 pass, 7 fail, 2 known failures, 1 skipped, 1 cannot be judged`, of records of cases.

    Of those planned so many as are `missing` have no record, as their run ended before: then it is said how many were
    judged, such as `3 of 31 cases judged: 3 pass, 0 fail, 28 without a verdict`. Null controls, which tell of the
    harness and not of a model, are counted behind them. `of` stands behind the number of cases.
    """
    nulls = [record for record in records if record.null]
    ordinary = [record for record in records if not record.null]
    if nulls and not ordinary and not missing:
        return _counted(nulls, "null control", of)
    said = _counted(ordinary, "case", of, missing)
    return f"{said}; {_counted(nulls, 'null control')}" if nulls else said


def looked_at(records: Sequence[Record]) -> tuple[int, int]:
    """How many images were looked at, of how many of the designs: of a case once, however many tests judge it."""
    told = distinct_records(records)
    return sum(record.images for record in told), sum(record.design for record in told)


def _counted(records: Sequence[Record], noun: str, of: str = "", missing: int = 0) -> str:
    told = of_cases(distinct_records(records))
    tests = f" ({messages.count(len(records), 'test')})" if len(told) < len(records) else ""
    number, parts = messages.count(len(told) + missing, noun), ", ".join(_parts(told, missing))
    if not missing:
        return f"{number}{tests}{of}: {parts}"
    judged = sum(each.status in ("pass", "fail", KNOWN) for each in told)
    return f"{judged} of {number}{tests}{of} judged: {parts}"


def _parts(outcomes: Sequence[Outcome], missing: int) -> list[str]:
    number = {each: sum(outcome.status == each for outcome in outcomes) for each in STATUSES}
    number[UNFINISHED] += missing
    surprising = sum(outcome.status == "pass" and outcome.unexpected for outcome in outcomes)
    passes = f"{number['pass']} pass" + (f" ({surprising} unexpectedly)" if surprising else "")
    parts = [passes, f"{number['fail']} fail"]
    if number[KNOWN]:
        parts.append(messages.count(number[KNOWN], title(KNOWN)))
    return parts + [f"{number[each]} {title(each)}" for each in (SKIPPED, "error", UNFINISHED) if number[each]]


def overall(outcomes: Iterable[Outcome], searches: Iterable[_HasStatus] = ()) -> str:
    """A model's status: that of its worst case or search; a known failure beside what passes takes nothing from it."""
    found = {each.status for each in (*outcomes, *searches)}
    order = ("fail", "error", UNFINISHED, "pass", KNOWN, "measured", SKIPPED)
    return next(status for status in order if status in found)


def sentence(model: str, outcomes: Sequence[Outcome], searched: Sequence[str] = ()) -> str:
    """Such as `toy-latent fails 9 of 31 cases: breaks under mean from +0.20; 1 known failure: std at +0.30`.

    `searched` is what else there is to say of the model: of its breaking points.
    """
    if not outcomes:
        return f"{model} {'; '.join(searched)}"
    by = {each: [outcome for outcome in outcomes if outcome.status == each] for each in STATUSES}
    return "; ".join([_head(model, outcomes, by), *_rest(outcomes, by), *searched])


def _head(model: str, outcomes: Sequence[Outcome], by: Mapping[str, list[Outcome]]) -> str:
    total, failed, passed = len(outcomes), by["fail"], by["pass"]
    broken = [each for each in failed if not each.unexpected]
    if any(each.case.is_control for each in broken):
        said = f"{model} fails without any shift"
        said += f" ({len(failed)} of {messages.count(total, 'case')} fail)" if total > 1 else ""
    elif failed:
        said = f"{model} fails {len(failed)} of {messages.count(total, 'case')}"
    elif len(passed) == total:
        if all(each.case.is_control for each in outcomes):
            return f"{model} passes without a shift; no shift was tested"
        return f"{model} passes {'its only case' if total == 1 else f'all {total} cases'}"
    elif passed and len(passed) + len(by[UNFINISHED]) == total:
        all_pass = f"all {len(passed)} pass" if len(passed) > 1 else "it passes"
        return f"{model}: {len(passed)} of {messages.count(total, 'case')} judged, {all_pass}"
    elif passed:
        return f"{model} passes {len(passed)} of {messages.count(total, 'case')}"
    else:
        return f"{model} has no verdict"
    where = _places(outcomes, [each for each in broken if not each.case.is_control])
    return f"{said}: breaks under {where}" if where else said


def _rest(outcomes: Sequence[Outcome], by: Mapping[str, list[Outcome]]) -> list[str]:
    """What there is besides those that pass and those that fail, or is to be said of them."""
    surprising = [each for each in (*by["fail"], *by["pass"]) if each.unexpected]
    parts = []
    if by[KNOWN]:
        parts.append(f"{messages.count(len(by[KNOWN]), title(KNOWN))}: {_everywhere(outcomes, by[KNOWN])}")
    if surprising:
        number = messages.count(len(surprising), "unexpected pass", "unexpected passes")
        parts.append(f"{number}: {_everywhere(outcomes, surprising)}")
    if by[SKIPPED]:
        parts.append(f"{messages.count(len(by[SKIPPED]), 'case')} skipped")
    if by["error"]:
        parts.append(f"{messages.count(len(by['error']), 'case')} could not be judged")
    if by[UNFINISHED]:
        left, judged = len(by[UNFINISHED]), by["pass"] and len(by["pass"]) + len(by[UNFINISHED]) == len(outcomes)
        said = f"{left} {'has' if left == 1 else 'have'} no verdict"  # behind "3 of 31 cases judged"
        parts.append(said if judged else f"{messages.count(left, 'case')} had no verdict when the run ended")
    return parts


def _everywhere(outcomes: Sequence[Outcome], chosen: Sequence[Outcome]) -> str:
    """Where the chosen are, the control among them."""
    shifted = [each for each in chosen if not each.case.is_control]
    control = ["without a shift"] if len(shifted) < len(chosen) else []
    return ", ".join([*control, *([_places(outcomes, shifted)] if shifted else [])])


def _places(outcomes: Sequence[Outcome], chosen: Sequence[Outcome]) -> str:
    """Where chosen shifted cases are, among all: `mean and mixed from +0.20, std at -0.10`; empty where none is."""
    by_words: dict[str, list[str]] = {}
    for shift in dict.fromkeys(each.case.shift for each in chosen):
        tested = [each.case.magnitude for each in outcomes if each.case.shift == shift]
        where = _where(tested, {each.case.magnitude for each in chosen if each.case.shift == shift})
        by_words.setdefault(where, []).append(shift)
    return ", ".join(f"{_list(names)} {where}" for where, names in by_words.items())


def _where(tested: Sequence[float], chosen: set[float]) -> str:
    """Where among the magnitudes of a shift: `at every magnitude`, `from +0.20`, `at -0.10 and +0.30`."""
    if len(chosen) == len(tested) > 1:
        return "at every magnitude"
    begins, single = [], []
    for sign in (-1, 1):
        ours = sorted((magnitude for magnitude in tested if magnitude * sign > 0), key=abs)
        broken = [magnitude for magnitude in ours if magnitude in chosen]
        if len(broken) > 1 and broken == ours[-len(broken) :]:
            begins.append(broken[0])
        else:
            single += broken
    said = [f"from {_list(map(format_magnitude, begins))}"] if begins else []
    said += [f"at {_list(map(format_magnitude, sorted(single)))}"] if single else []
    return " and ".join(said)


def _list(texts: Iterable[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else str(last)
