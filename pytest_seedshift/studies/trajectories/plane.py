"""The plane in which trajectories are drawn: that of the two main components of the control's states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytest_seedshift.studies.trajectories.trajectory import Values


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane through the control's mean state.

    Attributes:
        centre: the mean of all states of the control, (D,).
        axes: orthonormal, those of the greatest variance, (2, D); the second is zero where all states lie on a line.
            An axis' sign says nothing: it is chosen so that the state farthest along it has a positive coordinate.
        explained: the share of the variance along each, (2,).
    """

    centre: Values
    axes: Values
    explained: Values

    def project(self, states: Values) -> Values:
        """Coordinates in the plane, (…, 2), of states, (…, D)."""
        return np.asarray((states - self.centre) @ self.axes.T, np.float32)


def fit(states: Values) -> Plane:
    """The plane of the two main components of states, (n, D), of which none that is not finite is looked at.

    There are few states of many numbers. So the components come from the eigenvectors of the n × n matrix of their
    products, which is the singular value decomposition at a fraction of its cost.
    """
    finite = states[np.isfinite(states).all(axis=1)].astype(np.float64)
    centre = finite.mean(axis=0)
    centred = finite - centre
    variance, vectors = np.linalg.eigh(centred @ centred.T)
    axes = np.zeros((2, finite.shape[1]))
    explained = np.zeros(2)
    total = variance.clip(0).sum()
    for place in range(min(2, len(finite))):
        along = variance[-1 - place]
        if along > 1e-10 * total:
            direction = vectors[:, -1 - place]
            direction = direction * np.sign(direction[np.abs(direction).argmax()])
            axes[place] = direction @ centred / np.sqrt(along)
            explained[place] = along / total
    return Plane(centre.astype(np.float32), axes.astype(np.float32), explained.astype(np.float32))
