"""The grid of cases and their ids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from pytest_seedshift.core import shifts
from pytest_seedshift.core.errors import InvalidValueError, ModelError, SeedshiftError


class CaseError(ModelError):
    """A case cannot be judged; the message says why, down to the pair and the step, its cause of which kind that is."""


class UnusableModelError(CaseError):
    """No case of a model can be judged: the model, or a scorer of it, cannot be loaded, or not run at all."""


@contextmanager
def judging(what: str) -> Iterator[None]:
    """The net around what is done for a case: what a library says of what it is given is the case's error as well.

    Args:
        what: stands before the message: what cannot be done.

    Raises:
        CaseError: in place of an error of the package, of a file, or of a library over its arguments; these are its
            cause. What is a traceback's business passes: other errors of libraries, and those of this package's code.
    """
    try:
        yield
    except CaseError:
        raise
    except (SeedshiftError, OSError, ValueError) as error:  # of a library over what it is given
        raise CaseError(f"{what}: {error}") from error


@dataclass(frozen=True, slots=True)
class Case:
    """A model under one shift at one magnitude; one pytest item.

    Attributes:
        model: its name, as the user wrote it.
        shift: such as `mean` or `mean:channel=2`; `none` of the control.
        magnitude: the signed strength η, finite; 0 of the control.
    """

    model: str
    shift: str = shifts.NONE
    magnitude: float = 0.0

    @property
    def is_control(self) -> bool:
        """Whether the seed vector is not shifted at all."""
        return self.shift == shifts.NONE

    @property
    def id(self) -> str:
        """Such as `toy-latent-mean-+0.30`, in full: no two magnitudes share an id."""
        return f"{self.model}-{self.shift}-{format_magnitude(self.magnitude)}"

    @property
    def control(self) -> Case:
        """The unshifted case of the same model."""
        return Case(self.model)

    @property
    def null_control(self) -> Case:
        """The case of the same model in which nothing changes but by chance; see `stats.null_control`.

        The whole seed vector is permuted: what is wrong with a permutation of a part is wrong with that of the whole.
        """
        return Case(self.model, "arrangement:permute", 1.0)

    def describe(self) -> str:
        """Such as `mean +0.30`, or `control`."""
        return "control" if self.is_control else f"{self.shift} {format_magnitude(self.magnitude)}"


def format_magnitude(magnitude: float) -> str:
    """A magnitude with its sign and at least two decimals: +0.30, -0.125, +0.00."""
    if not math.isfinite(magnitude):
        raise InvalidValueError(f"magnitude {magnitude} is not a finite number")
    decimals = 2
    while float(text := f"{magnitude:+.{decimals}f}") != magnitude:
        decimals += 1
    return text.replace("-0.00", "+0.00") if magnitude == 0 else text


def grid(models: Iterable[str], shift_names: Iterable[str], magnitudes: Iterable[float]) -> list[Case]:
    """All cases, model by model: the control first, then the shifts in the order given, magnitudes ascending.

    A magnitude of 0 is the control and not a case of its own.

    Raises:
        InvalidValueError: a magnitude at which a shift has no meaning.
    """
    names = list(shift_names)
    sizes = sorted(magnitude for magnitude in magnitudes if magnitude != 0)
    for name in names:
        for magnitude in sizes:
            shifts.check_magnitude(shifts.parse(name), magnitude)
    cases = []
    for model in models:
        cases.append(Case(model))
        cases.extend(Case(model, name, magnitude) for name in names for magnitude in sizes)
    return cases


def judging_case(case: Case) -> AbstractContextManager[None]:
    """The net of `judging` around what is done for a case: an error says of which one."""
    return judging(f"{case.model}, {case.describe()}")
