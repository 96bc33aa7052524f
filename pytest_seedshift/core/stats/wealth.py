"""The bets of `betting`, carried from look to look: what was seen is never gone through again.

Each gambler's wealth is kept by its stakes, so that further values cost what they cost alone; and what would come of
values that have not come is known without a walk where all of them are equal. If each value to come is 1, and R of what
is asked and M of the values are left, a stake θ grows in K steps by ∏ (R − j + θ·(M − R)) / (R − j) for j < K, as R and
M shrink alike. That is a ratio of gamma functions, and it grows with K: the step at which it passes what is needed is
found by search. Where it comes so near to it that the last bits could say otherwise, the values are gone through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.core.stats.betting import SLACK, STAKES, UNDECIDED, Decision, reaches
from pytest_seedshift.core.stats.chances import PRIOR, Gambles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = "NDArray[np.float64]"

_STAKES, _OF = np.unique(STAKES, return_inverse=True)
"""Those that differ, and which of them each stake is: some gamblers stake alike."""
_SHARES = np.bincount(_OF) / STAKES.size

_PIECE = 64
"""Values at once: no more are gone through after a decision, and no product of so many leaves the range of floats."""

_MOST = 64 * _PIECE

_NEAR = 1e-8
"""How near to what is needed a wealth has to be for its last bits to matter; see `_tolerance`."""

_AROUND = 8
"""How many steps after a guess are tried at once."""

_BETWEEN = np.array([0.004, 0.015, 0.05, 0.12, 0.25, 0.45, 0.7])
"""Where the next ones lie between those that are too few and enough: what is enough is more often near than far."""


class Wealth:
    """The wealth of gamblers who bet side by side that the mean of all `size` values is more than `most`.

    Args:
        most: of each gambler.
        size: how many values there are in all; infinite where they are drawn with replacement.
    """

    def __init__(self, most: Floats, size: float) -> None:
        self.most, self.size, self.seen = most, size, 0
        self.sums = np.zeros(most.size)
        self.logs = np.zeros((_STAKES.size, most.size))

    def copy(self) -> Wealth:
        """Another that goes its own way from here."""
        other = Wealth(self.most, self.size)
        other.seen, other.sums, other.logs = self.seen, self.sums, self.logs
        return other

    def add(self, values: Floats) -> tuple[Floats, Floats]:
        """Go on by further values.

        Args:
            values: one row a gambler, of 0 or more.

        Returns:
            After each value, the sum of all and the log of the wealth, both in the shape of `values`.
        """
        sums, payoffs = self._payoffs(values)
        logs = np.empty((_STAKES.size, values.shape[0], values.shape[1] + 1))
        logs[:, :, 0] = self.logs
        np.log1p(_STAKES[:, np.newaxis, np.newaxis] * payoffs, out=logs[:, :, 1:])
        logs = np.cumsum(logs, axis=2)[:, :, 1:]
        self._set(sums, logs[:, :, -1])
        return sums, mixed(logs)

    def ahead(self, values: Floats) -> tuple[Floats, Floats]:
        """The same for values that are supposed, by products in place of logs: faster, and right but for the last bits.

        The log is not finite where a product leaves the range of floats.
        """
        sums, payoffs = self._payoffs(values)
        rows, length = values.shape
        pieces = math.ceil(length / _PIECE)
        factors = np.ones((_STAKES.size, rows, pieces * _PIECE))
        np.multiply(_STAKES[:, np.newaxis, np.newaxis], payoffs, out=factors[:, :, :length])
        factors[:, :, :length] += 1
        with np.errstate(over="ignore", invalid="ignore"):
            products = np.multiply.accumulate(factors.reshape(_STAKES.size, rows, pieces, _PIECE), axis=3)
        starts = np.empty((_STAKES.size, rows, pieces + 1))
        starts[:, :, 0] = self.logs
        np.log(products[..., -1], out=starts[:, :, 1:])
        starts = np.cumsum(starts, axis=2)
        self._set(sums, starts[:, :, -1])
        peaks = starts[:, :, :-1].max(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            parts = np.exp(starts[:, :, :-1] - peaks) * _SHARES[:, np.newaxis, np.newaxis]
            logs = np.log(np.einsum("srp,srpt->rpt", parts, products)) + peaks[:, :, np.newaxis]
        return sums, logs.reshape(rows, -1)[:, :length]

    def _payoffs(self, values: Floats) -> tuple[Floats, Floats]:
        """After each value the sum, and what each value pays a stake of all; see `betting.log_wealth`."""
        rows, length = values.shape
        sums = np.empty((rows, length + 1))
        sums[:, 0] = self.sums
        sums[:, 1:] = values
        sums = np.cumsum(sums, axis=1)
        if math.isinf(self.size):
            mean = np.broadcast_to(self.most[:, np.newaxis], values.shape)
        else:
            left = self.size - np.arange(self.seen, self.seen + length)
            mean = ((self.size * self.most)[:, np.newaxis] - sums[:, :-1]) / left
        return sums[:, 1:], np.where(mean > SLACK, values / np.maximum(mean, SLACK) - 1, 0.0)

    def _set(self, sums: Floats, logs: Floats) -> None:
        self.seen += sums.shape[1]
        self.sums, self.logs = sums[:, -1], logs

    def if_all(self, rows: NDArray[np.intp], steps: NDArray[np.int64], further: int = 0) -> Floats:
        """The log of the wealth after so many steps, where each further value is 1; of a finite size.

        Args:
            rows: of which gamblers.
            steps: of each of them one row, of steps before which what is asked is not reached.
            further: how many single steps to add to each row, those after its last one; what comes of those after which
                what is asked is reached means nothing.
        """
        from scipy.special import gammaln

        left = self.size - self.seen
        asked = (self.size * self.most - self.sums)[rows]
        spare = _STAKES[:, np.newaxis] * (left - asked)  # stake, row
        above, taken = asked + spare, steps.T[:, np.newaxis]  # step, stake, row
        logs = self.logs[:, rows] + (
            (gammaln(above + 1) - gammaln(above - taken + 1)) - (gammaln(asked + 1) - gammaln(asked - taken + 1))
        )
        if further:
            open_ = np.maximum(asked - steps[:, -1] - np.arange(further)[:, np.newaxis], 0.5)[:, np.newaxis]
            growth = np.multiply.accumulate(1 + spare / open_, axis=0)
            logs = np.concatenate((logs, logs[-1:] + np.log(growth)))
        peak = logs.max(axis=1, keepdims=True)
        return np.asarray((peak[:, 0] + np.log(np.einsum("ksr,s->kr", np.exp(logs - peak), _SHARES))).T)


def mixed(logs: Floats) -> Floats:
    """The log of the mean over all stakes, of the logs of those that differ, along the first axis."""
    peak = logs.max(axis=0)
    return np.asarray(peak + np.log(np.exp(logs - peak)[_OF].mean(axis=0)))


class Bets:
    """The two gamblers on each of some bounds of one size, value after value; see `betting`.

    Args:
        least: of each bound, what the mean of all values is to be at least, in [0, 1].
        size: N, how many values there are in all.
        holds: the probability with which "at least" may be said wrongly.
        breaks: the probability with which "below" may be said wrongly.
    """

    def __init__(self, least: Floats, size: int, *, holds: float, breaks: float) -> None:
        self.size = size
        self._least, self._count = least, least.size
        self._needed = np.repeat([-math.log(holds), -math.log(breaks)], self._count)
        self._wealth = Wealth(np.concatenate((least, 1 - least)), size)
        self.decisions = [UNDECIDED] * self._count
        self._ends: tuple[list[Decision], list[Decision]] | None = None
        self._guess = np.ones(2 * self._count, dtype=np.int64)
        """Where each gambler won last, had all that followed been for it."""

    @property
    def seen(self) -> int:
        """How many values there were, but for those that came after all was decided."""
        return self._wealth.seen

    def add(self, goodness: Floats) -> None:
        """Go on by further values in [0, 1], one row a bound."""
        for start in range(0, goodness.shape[1], _PIECE):
            if UNDECIDED not in self.decisions:
                return
            self._ends = None
            _decide(self, self._wealth, self.decisions, goodness[:, start : start + _PIECE], exactly=True)

    def if_followed(self, goodness: Floats, *, first_break: bool) -> list[Decision]:
        """What is decided if these follow, one row a bound.

        Args:
            goodness: as in `add`.
            first_break: whether it ends where one bound breaks, and says nothing of those that are open then.
        """
        wealth, decisions = self._wealth.copy(), list(self.decisions)
        pieces = _pieces(goodness, decisions, first_break=first_break)
        if not all(_decide(self, wealth, decisions, piece, exactly=False) for piece in pieces):
            return self._gone_through(goodness)
        return decisions

    def if_all(self, *, best: bool) -> list[Decision]:
        """What is decided if all that follows is the best, or the worst, that there is.

        A bound that is not decided holds then, or breaks: only one of its two gamblers can win any more.
        """
        if self._ends is None:
            self._ends = self._find_ends()
        return self._ends[0 if best else 1]

    def gambles(self, row: int, mean: float, spread: float, binary: bool) -> Gambles:
        """Of one bound, who bets that it holds and who that it breaks, and what they may expect of further goodness."""
        wealth, both = self._wealth, np.array([row, self._count + row])
        asked = (self.size * wealth.most - wealth.sums)[both]
        left, spreads = np.full(2, float(self.size - wealth.seen)), np.full(2, spread)
        means, kinds = np.array([mean, 1 - mean]), np.full(2, binary)
        return Gambles(
            wealth.logs[:, both], asked, left, self._needed[both], means, spreads, kinds, wealth.seen + PRIOR
        )

    def _find_ends(self) -> tuple[list[Decision], list[Decision]]:
        wealth, left = self._wealth, self.size - self._wealth.seen
        open_ = np.array([each.at is None for each in self.decisions])
        if not open_.any() or not left:
            return self.decisions, self.decisions
        least, sums = self.size * (self._least - SLACK), wealth.sums[: self._count]
        # When it is known without a bet: what is to come is enough by then, or not enough any more. A bound that
        # nothing could break is known to hold after the first value.
        short, spare = least - sums, np.where(sums >= least, 0.0, sums + left - least)
        certain = np.concatenate((np.ceil(short), np.floor(spare) + 1))
        close = np.abs(np.concatenate((short, spare)) - np.round(np.concatenate((short, spare)))) < 1e-12 * self.size
        rows = np.flatnonzero(np.concatenate((open_, open_)))
        last = np.clip(certain[rows], 1, left).astype(np.int64)
        steps, doubtful = self._first(rows, last, self._guess[rows] - wealth.seen)
        if doubtful or (close[rows] & (sums < least)[rows % self._count]).any():
            return self._gone_through(np.ones((self._count, left))), self._gone_through(np.zeros((self._count, left)))
        self._guess[rows] = steps + wealth.seen
        best, worst = list(self.decisions), list(self.decisions)
        for row, at in zip(rows, self._guess[rows], strict=True):
            bound = row % self._count
            (best if row < self._count else worst)[bound] = Decision(
                int(at), bool(row < self._count or sums[bound] >= least[bound])
            )
        return best, worst

    def _gone_through(self, goodness: Floats) -> list[Decision]:
        wealth, decisions = self._wealth.copy(), list(self.decisions)
        for start in range(0, goodness.shape[1], _PIECE):
            _decide(self, wealth, decisions, goodness[:, start : start + _PIECE], exactly=True)
        return decisions

    def _first(
        self, rows: NDArray[np.intp], last: NDArray[np.int64], guess: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], bool]:
        """The first step by which each of some gamblers has what is needed, at most `last`; and whether it is in doubt.

        The wealth grows from step to step: a search that looks at several steps at once, at first near a guess.
        """
        start = np.clip(guess - 1, 0, last - 1)[:, np.newaxis]
        lacking = self._needed[rows][:, np.newaxis] - self._wealth.if_all(rows, start, _AROUND)
        steps = start + np.arange(_AROUND + 1)
        inside = steps < last[:, np.newaxis]
        nearest = float(np.abs(lacking[inside]).min())
        low = np.where(inside & (lacking > 0), steps, 0).max(axis=1)
        high = np.where(inside & (lacking <= 0), steps, last[:, np.newaxis]).min(axis=1)
        while (pending := np.flatnonzero(high - low > 1)).size:
            floor, ceiling = low[pending, np.newaxis], high[pending, np.newaxis]
            steps = np.minimum(floor + np.ceil((ceiling - floor) * _BETWEEN).astype(np.int64), ceiling - 1)
            lacking = self._needed[rows[pending], np.newaxis] - self._wealth.if_all(rows[pending], steps)
            nearest = min(nearest, float(np.abs(lacking).min()))
            low[pending] = np.where(lacking > 0, steps, floor).max(axis=1)
            high[pending] = np.where(lacking <= 0, steps, ceiling).min(axis=1)
        return high, nearest < _tolerance(self.size)

    def _reached(self, sums: Floats, seen: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Without a bet: what is to come cannot take away enough, or add enough. At N one of these is always so."""
        least = self._least[:, np.newaxis]
        unseen = self.size - np.arange(seen + 1, seen + sums.shape[1] + 1)
        return reaches(sums, least, self.size), ~reaches(sums + unseen, least, self.size)


def _decide(bets: Bets, wealth: Wealth, decisions: list[Decision], goodness: Floats, *, exactly: bool) -> bool:
    """Go on by further values, and note what they decide.

    Returns:
        Whether the last bits have no say in it.
    """
    count, seen = len(decisions), wealth.seen
    both = np.concatenate((goodness, 1 - goodness))
    sums, logs = wealth.add(both) if exactly else wealth.ahead(both)
    above, below = bets._reached(sums[:count], seen)
    certain = above | below
    lacking = bets._needed[:, np.newaxis] - logs
    won = lacking <= 0
    above |= ~certain & won[:count]
    below |= ~certain & won[count:]
    either = above | below
    for row in np.flatnonzero(either.any(axis=1)):
        if decisions[row].at is None:
            at = int(either[row].argmax())
            decisions[row] = Decision(seen + at + 1, bool(above[row, at]))
    return exactly or bool((np.isfinite(logs) & (np.abs(lacking) > _tolerance(bets.size))).all())


def _pieces(goodness: Floats, decisions: list[Decision], *, first_break: bool) -> Iterator[Floats]:
    """Longer and longer parts of some values, until all is decided, or one bound breaks."""
    start, length = 0, 2 * _PIECE
    while start < goodness.shape[1] and UNDECIDED in decisions:
        if first_break and any(each.holds is False for each in decisions):
            return
        yield goodness[:, start : start + length]
        start, length = start + length, min(2 * length, _MOST)


def _tolerance(size: int) -> float:
    """Below which a wealth that is computed another way may differ: logs of gamma functions are as large as N·log N."""
    return _NEAR + 1e-14 * size * math.log(size + 1)


class Evidence:
    """Who bets, value after value, that the mean loss of all values that there could be is more than `most`.

    Args:
        most: the mean loss of the hypothesis; where it is not above 0 nothing is won.
        needed: the log of the wealth that rules the hypothesis out.
    """

    def __init__(self, most: float, needed: float) -> None:
        self._wealth, self._needed = Wealth(np.array([most]), math.inf), needed
        self.won: int | None = None
        """After how many values it was ruled out."""

    @property
    def seen(self) -> int:
        """How many values there were."""
        return self._wealth.seen

    def add(self, losses: Floats) -> None:
        """Go on by further losses, of 0 or more."""
        for start in range(0, losses.size, _PIECE):
            won = self._first(self._wealth, losses[np.newaxis, start : start + _PIECE])
            self.won = won if self.won is None else self.won

    def gamble(self, mean: float, spread: float, known: float) -> Gambles:
        """What may be expected of further losses."""
        wealth = self._wealth
        most, needed = np.maximum(wealth.most, SLACK), np.array([self._needed])
        return Gambles(
            wealth.logs,
            most,
            np.array([np.inf]),
            needed,
            np.array([mean]),
            np.array([spread]),
            np.array([False]),
            known,
        )

    def if_followed(self, losses: Floats) -> int | None:
        """After how many values it is ruled out if these follow."""
        won, wealth = self.won, self._wealth.copy()
        for start in range(0, losses.size if won is None else 0, _PIECE):
            won = self._first(wealth, losses[np.newaxis, start : start + _PIECE])
            if won is not None:
                break
        return won

    def if_all(self, loss: float, most: int) -> int | None:
        """After how many values it is ruled out if each of up to `most` further ones has one loss."""
        wealth, mean = self._wealth, float(self._wealth.most[0])
        if self.won is not None or loss <= mean or mean <= SLACK or not most:
            return self.won
        growth, low, high = np.log1p(_STAKES * (loss / mean - 1)), 0, most + 1
        nearest = np.inf
        while high - low > 1:
            steps = np.unique(np.ceil(low + (high - 1 - low) * np.append(_BETWEEN, 1.0)).astype(np.int64))
            lacking = self._needed - mixed(wealth.logs + growth[:, np.newaxis] * steps)
            nearest = min(nearest, float(np.abs(lacking).min()))
            low = max(low, int(np.where(lacking > 0, steps, 0).max()))
            high = min(high, int(np.where(lacking <= 0, steps, high).min()))
        if nearest < _NEAR:
            return self.if_followed(np.full(most, loss))
        return wealth.seen + high if high <= most else None

    def _first(self, wealth: Wealth, losses: Floats) -> int | None:
        seen = wealth.seen
        _, logs = wealth.add(losses)
        won = np.flatnonzero(logs[0] >= self._needed)
        return seen + int(won[0]) + 1 if won.size else None
