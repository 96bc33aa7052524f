"""One bound of a case on its way, and what was seen of it; see `course`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.core.stats import chances
from pytest_seedshift.core.stats.betting import Decision
from pytest_seedshift.core.stats.bounds import Bound, Tested
from pytest_seedshift.core.stats.tail_bounds import WorstLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_seedshift.core.stats.chances import Gambles
    from pytest_seedshift.core.stats.wealth import Evidence

    Floats: TypeAlias = "NDArray[np.float64]"


@dataclass(slots=True)
class Row:
    """A bound, and what was seen of it."""

    unseen: Bound
    doubt: Evidence | None
    values: Floats
    """Room for all; the first `count` were seen."""
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    """The sums of those seen, and of their squares."""

    @property
    def bound(self) -> Bound:
        """With what was seen."""
        return self.unseen.with_values(self.values[: self.count])

    def images(self, found: Decision) -> Decision:
        """A decision after so many of the bound's own pairs as one after so many of the design's."""
        if self.unseen.places is None or found.at is None:
            return found
        return Decision(int(self.unseen.places[found.at - 1]) + 1, found.holds)

    def among(self, images: int) -> int:
        """How many of the bound's own pairs are among the design's first ones."""
        return images if self.unseen.places is None else int(np.searchsorted(self.unseen.places, images))

    def outlook(self) -> tuple[float, float, bool]:
        """The mean of what follows, as far as is known, its standard deviation, and whether each value is 0 or 1."""
        bound, known = self.unseen, self.count + chances.PRIOR
        mean = (self.total + chances.PRIOR * bound.supposed) / known
        if bound.scale.binary and bound.kind == "min":
            return mean, math.sqrt(mean * (1 - mean)), True
        about = self.squares - self.total**2 / self.count if self.count else 0.0
        return mean, math.sqrt((max(about, 0.0) + chances.PRIOR * chances.SPREAD**2) / known), False

    def beyond(self) -> Gambles | None:
        """Who may rule chance out; None where nobody is asked to."""
        if self.doubt is None or not isinstance(self.unseen, Tested):
            return None
        self.won()
        mean, spread, _ = self.outlook()
        none, all_ = self.unseen.lost(np.array([1.0, 0.0]))
        return self.doubt.gamble(all_ - mean * (all_ - none), spread * (all_ - none), self.count + chances.PRIOR)

    def settled(self, rest: Floats | float | None = None) -> Decision | None:
        """What stands of a bound without bets, where such follow; None of a bound that bets decide."""
        if not isinstance(self.unseen, WorstLabel):
            return None
        bound = self.bound if rest is None else self.followed_by(rest)
        return self.images(bound.settled()) if isinstance(bound, WorstLabel) else None

    def decide(self, found: Decision) -> Decision:
        """What stands, where the bets say what was found."""
        if isinstance(self.unseen, WorstLabel):
            own = self.bound
            return own.settled() if isinstance(own, WorstLabel) else found
        bound = self.bound if self.count == self.unseen.size else self.unseen  # whose values have no say before
        return bound.decide(found, self.won)

    def followed_by(self, rest: Floats | float) -> Bound:
        """With what was seen, and with what may follow; see `won`."""
        values = self.values.copy()
        values[self.count :] = rest
        return self.unseen.with_values(values)

    def won(self, rest: Floats | float | None = None) -> int | None:
        """After how many values chance is ruled out, of those seen or of those that may follow too.

        Args:
            rest: what may follow; a number where all that follows is alike.
        """
        if self.doubt is None or not isinstance(self.unseen, Tested):
            return None
        self.doubt.add(self.unseen.lost(self.values[self.doubt.seen : self.count]))
        if rest is None:
            return self.doubt.won
        losses = self.unseen.lost(np.atleast_1d(rest))
        if isinstance(rest, float):
            return self.doubt.if_all(float(losses[0]), self.unseen.size - self.count)
        return self.doubt.if_followed(losses)
