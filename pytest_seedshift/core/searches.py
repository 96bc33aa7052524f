"""What is searched: a model, a shift and a sign. Imported while tests are collected, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import Case, format_magnitude
from pytest_seedshift.core.errors import InvalidValueError, SeedshiftUsageError

PER_UNIT = 50
"""How many steps there are from 0 to a magnitude of 1, at which the search ends: a resolution of 0.02."""

STEP = 1 / PER_UNIT
"""The resolution of a breaking point, in units of the magnitude."""


@dataclass(frozen=True, slots=True)
class Search:
    """The search for a model's breaking point under one shift in one direction; one pytest item.

    `sign` is +1 or −1. Its magnitudes are ±0.02, ±0.04, … ±1.00, as far as the shift has a meaning there.
    """

    model: str
    shift: str
    sign: int

    @property
    def id(self) -> str:
        """Such as `toy-latent-mean-breaking-+`."""
        return f"{self.model}-{self.shift}-breaking-{self.direction}"

    @property
    def direction(self) -> str:
        """`+` or `-`."""
        return "+" if self.sign > 0 else "-"

    @property
    def magnitude(self) -> float:
        """The signed magnitude at which the search ends."""
        return self.at(self.steps)

    @property
    def steps(self) -> int:
        """How many magnitudes there are: 50, or fewer where the shift loses its meaning before, such as std at −1."""
        spec, steps = shifts.parse(self.shift), 0
        while steps < PER_UNIT:
            try:
                shifts.check_magnitude(spec, self.at(steps + 1))
            except SeedshiftUsageError:
                break
            steps += 1
        return steps

    @property
    def origin(self) -> Case:
        """The unshifted case of the same model."""
        return Case(self.model)

    @property
    def asked(self) -> Case:
        """The case whose constraints decide: the shift's, at no magnitude of its own.

        Bounds of one magnitude (`[shift.mean."0.3"]`) would move the goal along the way, so they have no part in it.
        """
        return Case(self.model, self.shift)

    def at(self, step: int) -> float:
        """The signed magnitude of a step; the same number that `--seedshift-magnitude` reads, such as 0.3."""
        return self.sign * round(step / PER_UNIT, 2) if step else 0.0

    def case(self, step: int) -> Case:
        """The case of a step; the control for step 0. Its samples are those of an ordinary case."""
        return Case(self.model, self.shift, self.at(step)) if step else self.origin

    def describe(self) -> str:
        """Such as `mean breaking +`."""
        return f"{self.shift} breaking {self.direction}"


def grid(models: Iterable[str], shift_names: Iterable[str], signs: Iterable[int]) -> list[Search]:
    """All searches, model by model and shift by shift, in the order given.

    Raises:
        InvalidValueError: a shift that has no meaning at the smallest magnitude.
    """
    names, ways = list(shift_names), list(signs)
    found = [Search(model, name, sign) for model in models for name in names for sign in ways]
    for search in found:
        if not search.steps:
            raise InvalidValueError(
                f"no breaking point of the {search.shift} shift can be searched for: it has no meaning at its smallest "
                f"magnitude, {format_magnitude(search.at(1))}"
            )
    return found


Subject: TypeAlias = Case | Search
"""What an item is about."""
