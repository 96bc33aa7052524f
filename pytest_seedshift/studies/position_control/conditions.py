"""The arms of the experiment: which shift, and which way it is said to point."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pytest_seedshift.core import shifts
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.core.messages import unknown

DIRECTIONS: dict[str, tuple[float, float]] = {
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "up": (0.0, -1.0),
    "down": (0.0, 1.0),
}
"""Rightwards and downwards, as the position is measured."""

SIGN = "sign"
"""In place of a direction: the plain random shift at +η and at −η."""

NULL = "random:symmetric"
"""The shift of the same kind that has no direction, neither a side nor a sign."""

Kind = Literal["towards", "sign", "null"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One shift of the experiment.

    Attributes:
        name: `left`, …, `sign +`, `sign −` or `null`.
        kind: what it is for.
        case: the model under the shift.
        direction: the unit vector that "along" means, rightwards and downwards; across is a quarter turn clockwise
            from it as seen in the picture. A sign and the null point nowhere: there along is rightwards, across
            downwards.
    """

    name: str
    kind: Kind
    case: Case
    direction: tuple[float, float]

    def along(self, right: float, down: float) -> float:
        """The part of a displacement in the arm's direction."""
        return right * self.direction[0] + down * self.direction[1]

    def across(self, right: float, down: float) -> float:
        """The part of a displacement across the arm's direction."""
        return -right * self.direction[1] + down * self.direction[0]


def choose(model: str, magnitude: float, directions: Iterable[str] = ()) -> tuple[Arm, ...]:
    """The arms for some directions, the null last.

    Args:
        model: its name.
        magnitude: η of every arm; its sign turns the shifts, not the directions, but for the sign's own arms.
        directions: of `DIRECTIONS` or `SIGN`, also written as shifts (`random:left`, `random`); none for all.

    Raises:
        InvalidValueError: an unknown direction, or a magnitude that is 0 or not finite.
    """
    if not math.isfinite(magnitude) or magnitude == 0:
        raise InvalidValueError(
            f"magnitude {magnitude:g}: nothing would move; give a finite number other than 0, such as 0.3"
        )
    known = (*DIRECTIONS, SIGN)
    arms: dict[str, Arm] = {}
    for given in directions or known:
        name = SIGN if given == "random" else given.removeprefix("random:")
        if name not in known:
            raise InvalidValueError(
                f"{unknown('direction', given, known)} (or as a shift: random:left, …, and random: sign)"
            )
        if name == SIGN:
            size = abs(magnitude)
            arms["sign +"] = Arm("sign +", "sign", Case(model, "random", size), (1.0, 0.0))
            arms["sign −"] = Arm("sign −", "sign", Case(model, "random", -size), (1.0, 0.0))
        else:
            arms[name] = Arm(name, "towards", Case(model, f"random:{name}", magnitude), DIRECTIONS[name])
    arms["null"] = Arm("null", "null", Case(model, NULL, magnitude), (1.0, 0.0))
    for arm in arms.values():
        shifts.check_magnitude(shifts.parse(arm.case.shift), arm.case.magnitude)
    return tuple(arms.values())
