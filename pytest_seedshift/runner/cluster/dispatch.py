"""Which actor makes which rows of which order, whatever dies beneath them. It knows nothing of Ray.

An order is made in pieces: at first one, all of its rows. A piece whose actor dies goes to another one; one over which
three have died is taken apart, until single rows are left. What `blame` says of them decides whether one is given up. A
row that fails in one place is tried in another before it counts as failed: a GPU may be broken, or have too little
memory. Each order ends once, when each of its rows has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence

from pytest_seedshift.runner.cluster.blame import Tries
from pytest_seedshift.runner.cluster.pieces import Lane, Outcome, Piece

IN_FLIGHT = 2
"""How many pieces an actor has at once: while one is made the next one is there already."""

MOST_KILLS = 3
"""So many actors may die over a piece before it is taken apart."""

MOST_IN_VAIN = 16
"""So many actors of each place may die over a model of which nothing was ever made, before it is tried no more."""

MOST_IN_A_ROW = 30
"""So many actors of each place may die one after another before it is given up to go on at all."""

_SEE = "See what their machines say of it (out of memory, a fault of a library or of a driver)"

PROBE = -1
"""The order of a piece that makes anew what was made before: see `Dispatch.next`."""

MOST_WRONG = 3
"""So many times may an actor fail over rows that others have made, before it is not used any more."""


class Dispatch:
    """Hands pieces to actors and gathers what comes of orders."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lane] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._stray: deque[Piece] = deque()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._others = 0
        self._most = 1
        self._tries = Tries()
        self._in_vain: dict[str, str] = {}
        """Why no process comes to an end with a model."""
        self._can_be_made: set[str] = set()
        """The models of which something was made."""
        self.notes: list[str] = []
        """What the user should know; the caller takes it away."""

    # Actors -----------------------------------------------------------------------------------------------------------

    def add(self, name: str, kind: str) -> None:
        """There is an actor of this name."""
        self.lanes[name] = Lane(name, kind)
        self._others = max(0, self._others - 1)
        self._most = max(self._most, len(self.lanes))
        self._place_stray()

    def expect(self, others: int) -> None:
        """So many more actors are to come: what has failed in one place waits for them, if there is no other one."""
        self._others = others
        self._place_stray()

    def remove(self, name: str, *, innocent: bool = False) -> None:
        """An actor is gone. What it was at goes to others; unless it is `innocent` it is counted who may have done it.

        It is innocent where its machine went, or where it was ended for another reason than what it was at.
        """
        lane = self.lanes.pop(name, None)
        if lane is None:
            return
        self._others += 1  # until it is said otherwise
        known = [piece for piece in lane.making if piece.order in self._outcomes]
        if lane.making and not innocent:
            self._suspect(lane)
        self._stray.extend(
            lane.waiting
        )  # before what may have killed it, so that there is something to hold it against
        for piece in known:
            self._stray.extend([piece] if innocent else self._taken_apart(piece))
        self._place_stray()

    def _suspect(self, lane: Lane) -> None:
        """An actor has died, by the first of what it was at, if it is not by chance; the next may have begun."""
        for place, piece in enumerate(lane.making):
            names = self._outcomes[piece.order].names(piece) if piece.order in self._outcomes else []
            if place == 0:
                self._tries.die(piece.model, names, alone=piece.is_suspect and lane.warm == piece.model)
            else:
                self._tries.suspect(piece.model, names)
            piece.suspect()

    def _taken_apart(self, piece: Piece) -> list[Piece]:
        """What is to be tried of a piece over which an actor has died once more."""
        outcome = self._outcomes.get(piece.order)
        if outcome is None:  # it was given up
            return []
        piece.drop([row for row in piece.rows if self._is_blamed(piece, row, outcome)])
        if not piece.rows:
            self._end(piece.order)
            return []
        if len(piece.rows) > 1 and piece.kills >= MOST_KILLS:
            half = len(piece.rows) // 2
            parts = piece.rows[:half], piece.rows[half:]  # one more death is enough to know which half it is
            return [Piece(piece.order, piece.model, part, MOST_KILLS - 1, alone=True) for part in parts]
        if self._tries.in_vain(piece.model) >= MOST_IN_VAIN * self._most:
            self._give_up(
                piece,
                f"no process comes to an end with images of {piece.model}: {self._tries.in_vain(piece.model)} have "
                f"died over it, and nothing was made of it before. {_SEE}",
            )
            return []
        return [piece]

    def _is_blamed(self, piece: Piece, row: int, outcome: Outcome) -> bool:
        """Whether a row is given up; then it is said why."""
        name, case = (piece.order, row), outcome.cases[row] if outcome.cases else None
        if len(piece.rows) == 1 and self._tries.is_blamed(name):
            said = f"it: each of {self._tries.blame(name)}"
        elif self._tries.is_blamed(case):
            said = f"each image of its case: {self._tries.blame(case)}"
        else:
            return False
        outcome.failed[row] = f"the process that makes it dies over {said}. {_SEE}"
        return True

    def _give_up(self, piece: Piece, reason: str) -> None:
        """Try nothing more of a piece's model, now and later."""
        self._in_vain[piece.model] = reason
        waiting = [each for queue in self._queues() for each in queue if each.model == piece.model]
        making = [each for lane in self.lanes.values() for each in lane.making if each.model == piece.model]
        for order in dict.fromkeys(each.order for each in [piece, *waiting, *making]):
            if order in self._outcomes:
                self._outcomes[order].refuse(reason)
                self._end(order)

    def _queues(self) -> list[deque[Piece]]:
        return [self._stray, *(lane.waiting for lane in self.lanes.values())]

    @property
    def dies_of_everything(self) -> bool:
        """Whether so many actors have died one after another, with nothing made, that there is no use in going on."""
        return self._tries.in_a_row >= MOST_IN_A_ROW * self._most

    # Orders -----------------------------------------------------------------------------------------------------------

    def submit(self, slot: str, order: int, model: str, size: int, cases: Sequence[Hashable] = ()) -> None:
        """Have an order of so many rows, of those cases, made at a slot; at another one where that is gone."""
        outcome = self._outcomes[order] = Outcome(size, slot, cases)
        if model in self._in_vain:
            outcome.refuse(self._in_vain[model])
            self._end(order)
            return
        piece = Piece(order, model, tuple(range(size)))
        lane = self.lanes.get(slot)
        if lane is None:
            self._stray.append(piece)
            self._place_stray()
        else:
            lane.queue(piece)

    def next(self, name: str) -> Piece | None:
        """What an actor is to begin now; None where it has enough.

        A suspect is tried where its model has just made something, as others are: where it has not, that is done first
        (a piece of the order `PROBE`, without rows), and so there is always something that the suspect is held against.
        """
        lane = self.lanes[name]
        if not lane.waiting or any(piece.alone for piece in lane.making):
            return None
        if len(lane.making) >= (1 if lane.waiting[0].alone else IN_FLIGHT):
            return None
        first = lane.waiting[0]
        if first.is_suspect and lane.warm != first.model and first.model in self._can_be_made:
            piece = Piece(PROBE, first.model, (), alone=True)
        else:
            piece = lane.waiting.popleft()
        lane.making.append(piece)
        return piece

    def done(
        self,
        name: str,
        piece: Piece,
        made: Sequence[int],
        packed: bytes,
        failed: Mapping[int, str],
        unusable: str = "",
        seconds: float = 0.0,
    ) -> None:
        """An actor has come to an end with a piece; places are those of the order.

        What has failed is tried in one more place, if there is another one.
        """
        lane = self.lanes.get(name)
        if lane is not None and piece in lane.making:
            lane.end(piece)
        if made:
            self._can_be_made.add(piece.model)
        outcome = self._outcomes.get(piece.order)
        self._tries.survive(piece.model, [] if outcome is None else outcome.names(piece))
        if outcome is None:
            return
        outcome.take(name, made, packed, seconds)
        if made:
            self._blame(piece, name, made)
        if unusable:
            piece.unusable[name] = unusable
            rest = tuple(row for row in piece.rows if row not in outcome.made)
            if not self._again(piece, rest):
                outcome.refuse(unusable)
        elif failed:
            piece.failed[name] = dict(failed)
            if not self._again(piece, tuple(failed)):
                outcome.failed.update(failed)
        self._end(piece.order)

    def _again(self, piece: Piece, rows: tuple[int, ...]) -> bool:
        """Try some rows of a piece in a place where it was not tried, once."""
        others = [lane for lane in self.lanes.values() if lane.name not in piece.tried]
        if len(piece.tried) > 1 or not rows or not (others or self._others):
            return False
        retried = Piece(piece.order, piece.model, rows, failed=piece.failed, unusable=piece.unusable)
        if not others:
            self._stray.append(retried)
            return True
        kinds = {self.lanes[name].kind for name in piece.tried if name in self.lanes}
        lane = min(others, key=lambda each: (each.kind in kinds, each.model != piece.model, each.load))
        lane.queue(retried)
        return True

    def _blame(self, piece: Piece, name: str, made: Sequence[int]) -> None:
        """Of rows that have failed elsewhere and were made here, it is the other place that is at fault."""
        for other, failed in piece.failed.items():
            said = next((text for row, text in failed.items() if row in made), "")
            lane = self.lanes.get(other)
            if not said or other == name:
                continue
            if lane is not None and lane.fail() == MOST_WRONG:
                self.notes.append(
                    f"{other} ({lane.kind}) is not used any more: {MOST_WRONG} times what failed there was made "
                    f"by another one, the last time by {name}. What it said: {said}"
                )
            piece.failed[other] = {row: text for row, text in failed.items() if row not in made}

    def at_fault(self) -> list[str]:
        """The actors that are not to be used any more; see `MOST_WRONG`."""
        return [lane.name for lane in self.lanes.values() if lane.wrong >= MOST_WRONG]

    # What is open -----------------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether no order is open."""
        return not self._outcomes

    def withdraw(self) -> list[int]:
        """Take away what no actor has begun, with nothing to be said of it; the numbers of orders that go."""
        gone = []
        for queue in self._queues():
            while queue:
                gone.append(queue.pop().order)
        begun = {piece.order for lane in self.lanes.values() for piece in lane.making}
        left = [order for order in dict.fromkeys(gone) if order not in begun]
        for order in left:
            del self._outcomes[order]
        return left

    def ended(self) -> Iterator[tuple[int, Outcome]]:
        """The orders that have ended since, each once."""
        while self._ended:
            yield self._ended.popleft()

    def _end(self, order: int) -> None:
        outcome = self._outcomes.get(order)
        if outcome is not None and outcome.is_whole:
            self._ended.append((order, self._outcomes.pop(order)))
            if outcome.unusable:
                for queue in self._queues():
                    for piece in [each for each in queue if each.order == order]:
                        queue.remove(piece)

    def _place_stray(self) -> None:
        """Give what has no place to those that have least to do, to one with its model before others."""
        waiting: deque[Piece] = deque()
        while self._stray and self.lanes:
            piece = self._stray.popleft()
            fresh = [lane for lane in self.lanes.values() if lane.name not in piece.tried]
            if not fresh and self._others:
                waiting.append(piece)
                continue
            lane = min(
                fresh or self.lanes.values(), key=lambda each: (each.load + 2 * (each.model != piece.model), each.name)
            )
            lane.queue(piece)
        self._stray.extend(waiting)
