"""What is kept of a case's trajectories: a few numbers a step, for the first pairs of the case's design."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.cases import Case

Values: TypeAlias = "NDArray[np.float32]"

EARLY = 5
"""How many steps count as the first ones, at most; of a short sampling half of its steps."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """The trajectories of a case, one a pair: K pairs, S steps, states of D numbers.

    State 0 is the one that the sampler starts from, the shifted seed vector; state s the one after step s. All are in
    units in which the sampler keeps the variance: those of a sampler that does not, such as Euler's, are divided by
    √(1 + σ²). Where a model tells its states only after its steps, all that needs state 0 is NaN.

    Attributes:
        case: the case.
        pairs: labels and seed indices, K.
        size: D, the number of values of a state, 1 or more.
        mean: of a state's numbers, (K, S + 1).
        std: their standard deviation, (K, S + 1).
        norm: their Euclidean norm, (K, S + 1); of a standard normal state about √D.
        distance: from the control's state of the same pair and step, (K, S + 1), Euclidean.
        length: of each step, (K, S): the distance from state s to state s + 1.
        plane: coordinates in the plane of the model's control trajectories, (K, S + 1, 2); see `plane.Plane`.
        control_length: the control's, (K, S).
        control_plane: the control's, (K, S + 1, 2).
        explained: the shares of the control states' variance that lie along the plane's two axes, (2,).
        shown: the steps, from 1, whose predicted x₀ was kept as a picture.
        notes: what is to be known of them, in words.
    """

    case: Case
    pairs: tuple[tuple[str, int], ...]
    size: int
    mean: Values
    std: Values
    norm: Values
    distance: Values
    length: Values
    plane: Values
    control_length: Values
    control_plane: Values
    explained: Values
    shown: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """S, the number of steps."""
        return int(self.length.shape[1])

    @property
    def early(self) -> Values:
        """The length of each of the first steps over the median step length of its trajectory, (K, E).

        With xₛ the state after step s and x₀ the one that the sampler starts from, in step s it is

            ‖xₛ - xₛ₋₁‖ / median over t of ‖xₜ - xₜ₋₁‖

        1 is a step like most others. E is `EARLY`, or half of the steps where these are fewer than twice as many. The
        definition is this package's own: the paper (arXiv 2312.11473, section 5.2) shows the discontinuity in a figure
        and gives no number for it. How long steps are also depends on how a schedule spaces them, so models are best
        compared with themselves under other samplers.
        """
        return early(self.length)

    @property
    def discontinuity(self) -> float:
        """The early steps discontinuity: the greatest of the first steps' lengths, each relative to the median step.

        It is the maximum over the first steps of the mean over the pairs of `early`. NaN where nothing moves.
        """
        return discontinuity(self.early)

    @property
    def control_discontinuity(self) -> float:
        """The same of the control's trajectories of these pairs."""
        return discontinuity(early(self.control_length))


ARRAYS = tuple(each.name for each in fields(Trajectory) if each.type == "Values")
"""The names of the attributes that are arrays."""


def early(length: Values) -> Values:
    """See `Trajectory.early`; `length` is (K, S)."""
    count = min(EARLY, -(-length.shape[1] // 2))
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of a trajectory whose steps are all NaN
        return length[:, :count] / np.nanmedian(length, axis=1, keepdims=True)


def discontinuity(ratios: Values) -> float:
    """See `Trajectory.discontinuity`; `ratios` is (K, E)."""
    by_step = ratios.mean(axis=0)
    finite = by_step[np.isfinite(by_step)]
    return float(finite.max()) if len(finite) else float("nan")
