"""A case on its way to a verdict, look by look: what its bounds know is carried from one look to the next.

Pure numbers, as `sequential`, which says what is decided and begins a course. What is asked several times between two
looks is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pytest_seedshift.core.scores import WITHIN
from pytest_seedshift.core.stats import chances
from pytest_seedshift.core.stats.betting import UNDECIDED, Decision
from pytest_seedshift.core.stats.bounds import Bound, Tested
from pytest_seedshift.core.stats.chances import Chances, Gambles
from pytest_seedshift.core.stats.course_rows import Row
from pytest_seedshift.core.stats.equivalence import merged
from pytest_seedshift.core.stats.tail_bounds import WorstLabel
from pytest_seedshift.core.stats.wealth import Bets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pytest_seedshift.core.scores import Finding

    Floats: TypeAlias = "NDArray[np.float64]"

Values: TypeAlias = "Sequence[float]"
"""A score's values, one a pair, in the order in which the design is visited."""

_DESIGNS = 9
"""How many designs `Course.about` takes the median of."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of a case after some images of its design.

    `decided` tells whether the verdict stands, on the first `images` of the samples; while it does not, `images` is
    their number so far.
    """

    findings: tuple[Finding, ...]
    images: int
    decided: bool

    @property
    def passed(self) -> bool:
        """Whether all constraints are known to hold."""
        return self.decided and all(finding.holds for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a case is going.

    After how many images it is decided if what follows is like what was seen, and `at_best`, if all that follows is as
    good as can be; `leading` is the finding that it waits for.
    """

    images: int
    at_best: int
    leading: Finding


@dataclass(frozen=True, slots=True)
class Terms:
    """What a course is held against.

    Attributes:
        bounds: of which nothing was seen.
        size: N, the number of pairs of the design.
        certainty: of the verdict.
        exact: whether it is judged only when the whole design was visited.
        read: of further scores, those of the control and the number of pairs before them: how many there are, and
            the goodness by bound.
        suppose: of a bound and the number of a draw, what may follow; None where `about` is the forecast.
    """

    bounds: tuple[Bound, ...]
    size: int
    certainty: float
    exact: bool
    read: Callable[[Mapping[str, Values], Mapping[str, Values] | None, int], tuple[int, list[Floats]]]
    suppose: Callable[[Bound, int], Floats] | None


@dataclass(slots=True)
class _Known:
    """What was computed since the last sample."""

    decisions: list[Decision] | None = None
    judgement: Judgement | None = None
    forecast: Forecast | None = None
    soonest: int | None = None
    chances: Chances | None = None
    about: int | None = None


class Course:
    """A case on its way: samples are added as they are seen, and what is asked is of those seen so far.

    It says what `sequential.SequentialTest` says of the same samples, and costs what the new ones cost alone.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms, self._seen, self._known = terms, 0, _Known()
        self._rows = [
            Row(bound, bound.doubt() if isinstance(bound, Tested) else None, np.empty(bound.size))
            for bound in terms.bounds
        ]
        self._groups: list[tuple[Bets, list[int]]] = []
        """The bets on all bounds of one size, and which they are."""
        alpha = 1 - terms.certainty
        kinds = list(map(_visited, terms.bounds))
        for kind in dict.fromkeys(kinds):
            rows, size = [row for row, each in enumerate(kinds) if each == kind], kind[0]
            least = np.array([terms.bounds[row].least for row in rows])
            self._groups.append((Bets(least, size, holds=alpha, breaks=alpha / _breakable(terms.bounds)), rows))
        self._plain = not any(isinstance(bound, Tested) for bound in terms.bounds)

    @property
    def seen(self) -> int:
        """How many samples were added."""
        return self._seen

    @property
    def stop(self) -> int | None:
        """On how many samples the verdict stands; None while it does not."""
        return _stop(self._decisions())

    def add(self, scores: Mapping[str, Values], control: Mapping[str, Values] | None = None) -> None:
        """Go on by further samples.

        Args:
            scores: by score, one finite value for each of the next pairs of the design.
            control: the control's values for at least these pairs, in the same order; needed where a drop is asked.

        Raises:
            InvalidValueError: a score that is missing or not finite, more values than pairs, or a control that does not
                fit. Then nothing was added.
        """
        number, goodness = self._terms.read(scores, control, self._seen)
        if not number:
            return
        self._seen += number
        for row, values in zip(self._rows, goodness, strict=True):
            row.values[row.count : row.count + values.size] = values
            row.count += values.size
            row.total += float(values.sum())
            row.squares += float(values @ values)
        self._known = _Known()

    def judgement(self) -> Judgement:
        """What is known; see `Judgement`. Where only `stop` is needed, ask that: findings cost more."""
        if self._known.judgement is None:
            self._known.judgement = self._judge()
        return self._known.judgement

    def forecast(self) -> Forecast:
        """Guess how many images the case will take: see `Forecast`. It decides nothing.

        What was seen is repeated until the case is decided, after one made-up value half-way between the bound and the
        best, which is all that the guess rests on before the first image.
        """
        if self._known.forecast is None:
            self._known.forecast = self._look_ahead()
        return self._known.forecast

    def about(self) -> int:
        """How many images the case will take, for a person; see `sequential.SequentialTest.about`."""
        if self._known.about is None:
            self._known.about = self._median()
        return self._known.about

    def soonest(self) -> int:
        """The number of images before which no verdict can stand, whatever the images to come will be."""
        if self._known.soonest is None:
            exact, size = self._terms.exact, self._terms.size
            self._known.soonest = size if exact else min(self._stop_if(best=False), self._stop_if(best=True))
        return self._known.soonest

    def chances(self) -> Chances:
        """How likely further pairs are to be needed; see `chances`. It decides nothing."""
        if self._known.chances is None:
            self._known.chances = self._guess()
        return self._known.chances

    def _guess(self) -> Chances:
        seen, size, certain = self._seen, self._terms.size, self.soonest()
        further = chances.numbers(certain, seen, size)
        if self._terms.exact or certain >= size:
            return Chances(certain, np.array([certain, size]), np.zeros(2))
        decisions = self._decisions()
        gathered = [
            (row, bets.gambles(place, *row.outlook()), row.beyond())
            for bets, rows in self._groups
            for place, row in ((place, self._rows[index]) for place, index in enumerate(rows))
            if decisions[rows[place]].at is None
        ]
        won = chances.won(Gambles.together([part for _, *parts in gathered for part in parts if part]), further)
        place, holds, breaks = 0, [], []
        for row, _, beyond in gathered:
            above, below = won[place], won[place + 1]
            if beyond is not None and row.unseen.kind == WITHIN:  # which holds once it is shown
                above = won[place + 2]
            elif beyond is not None:
                below = np.minimum(below, won[place + 2])
            place += 2 if beyond is None else 3
            if row.unseen.waits:  # for its last pair, whatever is seen before
                above, below = np.where(further + seen < row.unseen.size, 0.0, above), np.zeros(further.size)
            end = row.settled(row.bound.repeated())
            if end is not None and end.at is not None:  # as far as it goes on like this
                reached = np.where(further + seen >= end.at, 1.0, 0.0)
                above, below = (reached, np.zeros(further.size)) if end.holds else (np.zeros(further.size), reached)
            holds.append(above)
            breaks.append(below)
        return Chances(certain, further + seen, chances.open_after(np.array(holds), np.array(breaks)))

    def _judge(self) -> Judgement:
        bounds, decisions = [row.bound for row in self._rows], self._decisions()
        stop = _stop(decisions)
        images = self._seen if stop is None else stop
        if images == self._terms.size:  # all is known: a bet that went wrong on the way has no say any more
            decisions = [
                decision
                if decision.at == images and isinstance(bound, Tested)  # which may take long to say it
                else Decision(images, bound.holds(bound.size))
                for bound, decision in zip(bounds, decisions, strict=True)
            ]
        own = [row.among(images) for row in self._rows]
        findings = tuple(
            bound.finding(of, decision.holds if decision.at is not None and decision.at <= images else None)
            for bound, of, decision in zip(bounds, own, decisions, strict=True)
        )
        if stop is not None:
            findings = tuple(
                bound.with_interval(finding, of, self._terms.certainty)
                for bound, of, finding in zip(bounds, own, findings, strict=True)
            )
        return Judgement(merged(findings), images, stop is not None)

    def _look_ahead(self) -> Forecast:
        size, rests = self._terms.size, [row.bound.repeated() for row in self._rows]
        decisions = self._if_followed(rests)
        if all(each.holds is not False for each in decisions):
            # What is open until the end is asked what it says then: it may be what breaks.
            decisions = [
                Decision(size, row.followed_by(rest).holds(size)) if decision.at is None else decision
                for row, rest, decision in zip(self._rows, rests, decisions, strict=True)
            ]
        # A bound that breaks ends the case; otherwise it lasts as long as its slowest bound.
        broken = [row for row, decision in enumerate(decisions) if decision.holds is False]
        ends = [decision.at or size for decision in decisions]
        row = min(broken, key=ends.__getitem__) if broken else ends.index(max(ends))
        leading = self._rows[row].bound.finding(self._rows[row].among(self._seen), None)
        if self._terms.exact:
            return Forecast(size, size, leading)
        least = min(self._seen + 1, size)
        return Forecast(max(_stop(decisions) or size, least), max(self._stop_if(best=True), least), leading)

    def _median(self) -> int:
        forecast, suppose, size = self.forecast().images, self._terms.suppose, self._terms.size
        if suppose is None or self._terms.exact:
            return forecast
        bounds = [row.bound for row in self._rows]
        ends = [
            _stop(self._if_followed([suppose(bound, draw) for bound in bounds], to_the_last=False)) or size
            for draw in range(_DESIGNS)
        ]
        return max(sorted(ends)[_DESIGNS // 2], min(self._seen + 1, size))

    def _decisions(self) -> list[Decision]:
        if self._known.decisions is None:
            rows, size = self._rows, self._terms.size
            if self._terms.exact:
                bounds = [row.bound for row in rows]
                self._known.decisions = [
                    Decision(size, bound.holds(bound.size)) if self._seen == size else UNDECIDED for bound in bounds
                ]
            else:
                found = self._found(lambda bets, _: bets.decisions)
                decided = (row.decide(each) for row, each in zip(rows, found, strict=True))
                self._known.decisions = [row.images(each) for row, each in zip(rows, decided, strict=True)]
        return self._known.decisions

    def _stop_if(self, *, best: bool) -> int:
        """After how many images the case is decided if all that follow are the best that there are, or the worst."""
        found = self._found(lambda bets, _: bets.if_all(best=best))
        rest = float(best)
        decisions = [
            self._ahead(row, each, rest, to_the_last=True) for row, each in zip(self._rows, found, strict=True)
        ]
        return _stop(decisions) or self._terms.size

    def _if_followed(self, rests: Sequence[Floats], *, to_the_last: bool = True) -> list[Decision]:
        """What is decided if these follow, before the design's last pair; what a bound says at its own last one."""
        found = self._found(
            lambda bets, rows: bets.if_followed(np.array([rests[row] for row in rows]), first_break=self._plain)
        )
        return [self._ahead(*each, to_the_last=to_the_last) for each in zip(self._rows, found, rests, strict=True)]

    def _ahead(self, row: Row, found: Decision, rest: Floats | float, *, to_the_last: bool) -> Decision:
        bound = row.unseen
        if row.count == bound.size:
            return row.images(row.decide(found))
        settled = row.settled(rest)
        if settled is not None:
            return settled if settled.at is not None and settled.at < self._terms.size else UNDECIDED
        early = bound.early(found, lambda: row.won(rest))
        if early.at is not None and early.at < bound.size:
            return row.images(early)
        if bound.size < self._terms.size and to_the_last:
            return row.images(Decision(bound.size, row.followed_by(rest).holds(bound.size)))
        return UNDECIDED  # at the end of the design it is decided, whatever it says

    def _found(self, ask: Callable[[Bets, list[int]], list[Decision]]) -> list[Decision]:
        """Of each bound, what the bets say that have seen what was seen."""
        found = [UNDECIDED] * len(self._rows)
        for bets, rows in self._groups:
            first = self._rows[rows[0]]
            if bets.seen < first.count:
                bets.add(np.array([self._rows[row].values[bets.seen : first.count] for row in rows]))
            for row, decision in zip(rows, ask(bets, rows), strict=True):
                found[row] = decision
        return found


def _visited(bound: Bound) -> tuple[int, bytes | None, bool]:
    """What bounds have in common that bets go on together: their size, and which pairs they are of."""
    places = None if bound.places is None else bound.places.tobytes()
    return bound.size, places, isinstance(bound, WorstLabel)


def _breakable(bounds: Sequence[Bound]) -> int:
    """Among how many bounds α is shared."""
    return max(1, sum(bound.can_break for bound in bounds))


def _stop(decisions: Sequence[Decision]) -> int | None:
    """After how many images a case was decided: when its first bound broke, or the last was found to hold."""
    broken = [each.at for each in decisions if each.holds is False and each.at is not None]
    if broken:
        return min(broken)
    ends = [each.at for each in decisions if each.at is not None]
    return max(ends) if len(ends) == len(decisions) else None
