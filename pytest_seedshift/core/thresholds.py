"""What is asked of cases: the constraints that a thresholds file has, and which of them speak of a case.

`thresholds_parser` reads the file and says how it is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from pytest_seedshift.core import likeness, model_names, tags, tails
from pytest_seedshift.core.breaking_bounds import Bounds
from pytest_seedshift.core.errors import SeedshiftUsageError
from pytest_seedshift.core.known_failures import Expectation, Expectations
from pytest_seedshift.core.score_registry import ScoreRegistry, in_order
from pytest_seedshift.core.scores import CERTAINTY, AvailableScores, Constraint
from pytest_seedshift.core.seed_use_bounds import SeedUseBounds

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case

FAMILIES = (True, "regressions", False)
"""What `[verdict] family` may be: whether the certainty holds over the whole grid, for each bound and each regression,
for regressions alone, which it is where nothing is said and there is a baseline, or for nothing."""


class ThresholdsError(SeedshiftUsageError):
    """What is wrong in a thresholds file or in a marker's thresholds, where, and what is valid."""


class BaselineTable(BaseModel):
    """`[baseline]`: the file or run folder, relative to thresholds.toml, and how it is used."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    path: str | None = None
    """The baseline's file, its folder, a folder of baselines by environment, or a run folder; relative to this file."""
    allow_missing: bool = False
    """Whether to compare where one side lacks cases."""
    models: dict[str, str] = {}
    """By the name of a model, the baseline's name for it, where they differ."""


Table = dict[str, Constraint]
"""The constraints of one table, by score."""


@dataclass(frozen=True, slots=True)
class ShiftTable:
    """The tables that belong to one shift: one without a magnitude, and one for each magnitude that is named."""

    here: Table = field(default_factory=dict)
    by_magnitude: dict[float, Table] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """The tables that belong to one model, or to all."""

    here: Table = field(default_factory=dict)
    shifts: dict[str, ShiftTable] = field(default_factory=dict)

    def constraints(self) -> Iterator[Constraint]:
        """All that its tables ask, of whichever case."""
        yield from self.here.values()
        for shift in self.shifts.values():
            for table in (shift.here, *shift.by_magnitude.values()):
                yield from table.values()

    def tables(self, case: Case) -> Iterator[Table]:
        """The tables that speak of a case, from the widest to the narrowest."""
        yield self.here
        by_name = [self.shifts[name] for name in names_of(case.shift) if name in self.shifts]
        yield from (table.here for table in by_name)
        yield from (table.by_magnitude.get(case.magnitude, {}) for table in by_name)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All constraints of a run; `source` says where they come from, for the user's eyes.

    The sections of `models` are by `model_names.canonical` names.
    """

    source: str
    everywhere: Section
    models: dict[str, Section]
    shipped: bool = False
    certainty: float = CERTAINTY
    family: bool | str | None = None
    """See `FAMILIES`; None where nothing is said."""
    baseline: BaselineTable = field(default_factory=BaselineTable)
    breaking: Bounds = field(default_factory=Bounds)
    """The least breaking points."""
    design_seed: int = 0
    """Of the designs, where neither an option nor a marker says otherwise."""
    expectations: Expectations = field(default_factory=Expectations)
    """Which cases are expected to fail."""
    likeness_models: Mapping[str, str] = field(default_factory=dict)
    """By measure of likeness that needs one, the folder or the hub id of its model."""
    seed_use: SeedUseBounds = field(default_factory=SeedUseBounds)
    """How much another seed vector is to change a model's pictures."""

    @property
    def fingerprint(self) -> str:
        """Of all that is asked, of whichever case; the order of tables and the file's place have no part in it."""
        asked = {"": self.everywhere, **self.models}
        breaking = (sorted(self.breaking.by_place.items()),) if self.breaking.by_place else ()
        measured_by = (sorted(self.likeness_models.items()),) if self.likeness_models else ()
        use = (repr(sorted((place, sorted(each.items())) for place, each in self.seed_use.by_place.items())),)
        used = use if self.seed_use.by_place else ()
        said = repr((_sorted(asked), self.certainty, self.family or False, *breaking, *measured_by, *used))
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def constraints(
        self, case: Case, override: Mapping[str, Constraint] | None = None, *, called: str = ""
    ) -> tuple[Constraint, ...]:
        """What is asked of a case.

        Args:
            case: the case.
            override: what the test's marker asks; it stands above the file.
            called: its name in an error; empty for its id.

        Raises:
            ThresholdsError: nothing at all is asked of the case. What is not checked has not passed.
        """
        found: Table = {}
        for section in (self.everywhere, self.models.get(model_names.canonical(case.model), Section())):
            for table in section.tables(case):
                found = _overlaid(found, table)
        found = _overlaid(found, override or {})
        if not found:
            raise ThresholdsError(
                f"{self.source}: no threshold for {called or case.id}. What is not checked has not passed: add a "
                f"[default] table such as 'top1 = 0.6', or a [shift.{case.shift}] table"
            )
        return tuple(found[score] for score in in_order(found))

    def expected(self, case: Case) -> Expectation | None:
        """Why a case is expected to fail, whether that has ended or not; None where it is not."""
        return self.expectations.of(case, names_of(case.shift))

    def likeness(self, case: Case) -> frozenset[str]:
        """The measures of likeness of which anything is asked of a case; see `core.likeness`."""
        sections = (self.everywhere, self.models.get(model_names.canonical(case.model), Section()))
        return likeness.measures(score for section in sections for table in section.tables(case) for score in table)

    @property
    def kinds(self) -> ScoreRegistry:
        """What the scores are of which anything is asked in any table."""
        sections = (self.everywhere, *self.models.values())
        asked = [each for one in sections for each in one.constraints()]
        found = {each.score: each.score_kind for each in asked}
        for score in {tags.plain(score) for score in found} - found.keys():
            if (kind := AvailableScores().find(score)) is not None:
                found[score] = kind
        return ScoreRegistry(found)

    def scores(self, model: str) -> set[str]:
        """The scores of which anything is asked in a table that can speak of a model."""
        found: set[str] = set()
        for section in (self.everywhere, self.models.get(model_names.canonical(model), Section())):
            found.update(section.here)
            for shift in section.shifts.values():
                found.update(shift.here, *shift.by_magnitude.values())
        return {tags.plain(score) for score in found}

    def constraints_of(self, model: str) -> Iterator[Constraint]:
        """All that is asked in tables that can speak of a model."""
        for section in (self.everywhere, self.models.get(model_names.canonical(model), Section())):
            yield from section.constraints()

    def note(self, model: str) -> str | None:
        """What the user should know of the tables that do not speak of a derived model; None if there is nothing."""
        base = model_names.base_of(model)
        if base == model or base not in self.models or model_names.canonical(model) in self.models:
            return None
        return (
            f"{self.source}: [model.{base}] does not speak of {model}, which is another model: its own table is "
            f'[model."{model}"]'
        )


def of_scores(thresholds: Thresholds, scores: Collection[str]) -> Thresholds:
    """What is asked of some scores alone, where nothing is asked but in the table of all cases."""
    here = {name: each for name, each in thresholds.everywhere.here.items() if name in scores}
    return replace(thresholds, everywhere=Section(here))


def _overlaid(wide: Table, narrow: Mapping[str, Constraint]) -> Table:
    """A table's constraints over those of a wider one: what it says of a score stands alone."""
    return likeness.overlaid(tails.overlaid(wide, narrow), narrow)


def _sorted(value: object) -> object:
    """Tables as tuples, their keys in order."""
    if isinstance(value, (Section, ShiftTable)):
        return [_sorted(getattr(value, each.name)) for each in fields(value)]
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    if isinstance(value, Constraint) and value.within is not None:
        return value, str(value.within)
    return value


def names_of(shift: str) -> list[str]:
    """The names under which a shift's tables can stand, from the widest: mean, mean:channel, mean:channel=2."""
    return list(dict.fromkeys((shift.partition(":")[0], shift.partition("=")[0], shift)))
