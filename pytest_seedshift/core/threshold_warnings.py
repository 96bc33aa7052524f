"""What stands in the thresholds and is perhaps not meant: bounds far off their scale, tables that meet no case.

Either may be meant: a file serves more than one run. So a line says it, and nothing ends.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_seedshift.core import breaking_bounds, model_names
from pytest_seedshift.core.messages import some
from pytest_seedshift.core.seed_use_bounds import REGRESSION
from pytest_seedshift.core.thresholds import names_of

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.known_failures import Expectation
    from pytest_seedshift.core.scores import Constraint
    from pytest_seedshift.core.searches import Search
    from pytest_seedshift.core.thresholds import Section, Thresholds

_NEARLY_NOTHING = 0.02
"""A minimum below this part of a range that goes beyond 1 was perhaps meant as a part of 1."""


def found(
    thresholds: Thresholds, cases: Collection[Case], searches: Collection[Search], *, has_baseline: bool
) -> list[str]:
    """All that a run should say of its thresholds file.

    Args:
        thresholds: of the run.
        cases: that its tests ask for, whether they are selected or not.
        searches: for breaking points, likewise.
        has_baseline: whether there is one to compare with.
    """
    said = [unmet(thresholds, cases, searches), unsearched(thresholds, searches)]
    if not has_baseline and thresholds.family == "regressions":
        said.append(f'{thresholds.source}: [verdict] family = "regressions" has no effect without a baseline')
    if not has_baseline and (thresholds.baseline.allow_missing or thresholds.baseline.models):
        said.append(f"{thresholds.source}: [baseline] has no effect without its path, or --seedshift-baseline")
    if not has_baseline and any(key == REGRESSION for _, key in thresholds.seed_use.by_place):
        said.append(f"{thresholds.source}: {REGRESSION} is not judged without a baseline")
    return [*of_file(thresholds), *(each for each in said if each is not None), *ended(thresholds, cases)]


def ended(thresholds: Thresholds, cases: Iterable[Case]) -> Iterator[str]:
    """Known failures whose time is over, each with its cases: they count again."""
    today = datetime.date.today()
    over: dict[Expectation, list[str]] = {}
    for case in cases:
        expected = thresholds.expected(case)
        if expected is not None and expected.has_ended(today):
            over.setdefault(expected, []).append(case.id)
    for expected, ids in over.items():
        yield (
            f"{expected.where}: {some(ids)} {'was' if len(ids) == 1 else 'were'} expected to fail until "
            f"{expected.until} ({expected.reason}): that counts no more"
        )


def far_off(constraints: Iterable[Constraint], where: str) -> Iterator[str]:
    """Bounds that hardly anything could break, because they are far off their score's scale.

    Args:
        constraints: of one table, or of one marker.
        where: they stand.
    """
    for each in constraints:
        kind, top, title = each.score_kind, each.score_kind.span, each.score
        if each.minimum is not None and not kind.low and 0 < each.minimum <= _NEARLY_NOTHING * top and top > 1:
            yield (
                f"{where} {title} = {each.minimum:g} requires nearly nothing on a scale from 0 to {top:g}"
                f"{f': {each.minimum:g} of it would be {each.minimum * top:g}' if each.minimum <= 1 else ''}"
            )
        for name, bound in (("max_drop", each.max_drop), ("max_regression", each.max_regression)):
            if bound is not None and bound >= top:
                yield f"{where} {title}: {name} = {bound:g} allows everything: the scale goes from {kind.range}"


def of_file(thresholds: Thresholds) -> list[str]:
    """The bounds of a thresholds file that are far off, each with its table."""
    said: list[str] = []
    for place, table in _tables(thresholds):
        said += far_off(table.values(), f"{thresholds.source}: [{place}]")
    return said


def unmet(thresholds: Thresholds, cases: Collection[Case], searches: Collection[Search]) -> str | None:
    """Which tables speak of no case of a run; None where all speak of some.

    Args:
        thresholds: of the run; those that are shipped speak of all.
        cases: that its tests ask for, whether they are selected or not.
        searches: for breaking points, likewise.
    """
    if thresholds.shipped or not (cases or searches):
        return None
    idle: list[str] = []
    for model, section in {"": thresholds.everywhere, **thresholds.models}.items():
        ours = [case for case in cases if model in ("", model_names.canonical(case.model))]
        sought = {each.shift for each in searches if model in ("", model_names.canonical(each.model))}
        if model and not ours and not sought:
            idle.append(f"[model.{_key(model)}]")
        else:
            prefix = f"model.{_key(model)}.shift" if model else "shift"
            idle += [f"[{prefix}.{each}]" for each in _idle_shifts(section, ours, sought)]
    if not idle:
        return None
    return f"{thresholds.source}: {some(idle)} {'speaks' if len(idle) == 1 else 'speak'} of no case of this run"


def unsearched(thresholds: Thresholds, searches: Collection[Search]) -> str | None:
    """That least breaking points are asked for, and nobody searches for any; None where that is not so."""
    if searches or not thresholds.breaking.by_place:
        return None
    return (
        f"{thresholds.source}: {breaking_bounds.KEY} is not checked, as no breaking point is searched for: that is "
        "what --seedshift-breaking-point does"
    )


def _idle_shifts(section: Section, cases: Collection[Case], sought: Collection[str]) -> Iterator[str]:
    """The tables of a section's shifts that speak of none of some cases, as they are written behind `shift.`."""
    for shift, table in section.shifts.items():
        of_shift = [case for case in cases if shift in names_of(case.shift)]
        if not of_shift and not any(shift in names_of(each) for each in sought):
            yield _key(shift)
            continue
        met = {case.magnitude for case in of_shift}
        yield from (f'{_key(shift)}."{at:g}"' for at in table.by_magnitude if at not in met)


def _tables(thresholds: Thresholds) -> Iterator[tuple[str, Mapping[str, Constraint]]]:
    """All tables with bounds of scores, and how their heads are written."""
    for model, section in {"": thresholds.everywhere, **thresholds.models}.items():
        yield (f"model.{_key(model)}" if model else "default"), section.here
        prefix = f"model.{_key(model)}.shift" if model else "shift"
        for shift, table in section.shifts.items():
            yield f"{prefix}.{_key(shift)}", table.here
            for at, bounds_there in table.by_magnitude.items():
                yield f'{prefix}.{_key(shift)}."{at:g}"', bounds_there


def _key(name: str) -> str:
    """A name as TOML has it in a table's head."""
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else f'"{name}"'
