"""Which actor makes which rows of which order, whatever dies beneath them. It knows nothing of Ray.

An order is made in pieces: at first one, all of its rows. A piece whose actor dies goes to another one; one that has
killed three is taken apart until a single row is blamed, unless actors die over other orders as well: then it takes as
many more. A row that fails in one place is tried in another before it counts as failed: a GPU may be broken, or have
too little memory. Each order ends once, when each of its rows has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

IN_FLIGHT = 2
"""How many pieces an actor has at once: while one is made the next one is there already."""

MOST_KILLS = 3
"""So many actors may die over a piece before it is taken apart."""

_RECENT = 12
"""How many deaths before are looked at to know whether actors die by chance."""

MOST_WRONG = 3
"""So many times may an actor fail over rows that others have made, before it is not used any more."""


@dataclass(eq=False)
class Piece:
    """Rows of an order that are made together.

    Attributes:
        order: the order's number.
        model: its model's name.
        rows: which, by their places in the order.
        kills: how many actors have died over it.
        alone: whether it is made with nothing else waiting there, so that it is known who has killed an actor.
        failed: by actor, what it said of rows that failed there.
        unusable: by actor, why it could not make any.
    """

    order: int
    model: str
    rows: tuple[int, ...]
    kills: int = 0
    alone: bool = False
    failed: dict[str, dict[int, str]] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)

    def suspect(self) -> None:
        """An actor has died while it had this; from now on it is made alone."""
        self.kills += 1
        self.alone = True

    @property
    def tried(self) -> set[str]:
        """The actors that have failed over it."""
        return {*self.failed, *self.unusable}


@dataclass
class Outcome:
    """What has come of an order so far."""

    size: int
    slot: str
    made: set[int] = field(default_factory=set)
    packed: list[bytes] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    unusable: str = ""
    seconds: float = 0.0

    def take(self, slot: str, made: Sequence[int], packed: bytes, seconds: float) -> None:
        """Some rows were made, or tried in vain, at a slot."""
        self.slot = slot
        self.seconds += seconds
        if made:
            self.made.update(made)
            self.packed.append(packed)

    def refuse(self, unusable: str) -> None:
        """The model cannot be used."""
        self.unusable = unusable

    @property
    def is_whole(self) -> bool:
        """Whether there is no row left of which nothing is known."""
        return bool(self.unusable) or len(self.made) + len(self.failed) >= self.size


@dataclass
class Lane:
    """An actor, as far as its work goes.

    Attributes:
        name: of its slot.
        kind: of hardware.
        model: which will be loaded after what waits there.
        waiting: pieces that are not with the actor yet.
        making: pieces that are, in the order in which they have come to it.
        wrong: how often it has failed over what another one has made.
    """

    name: str
    kind: str
    model: str | None = None
    waiting: deque[Piece] = field(default_factory=deque)
    making: list[Piece] = field(default_factory=list)
    wrong: int = 0

    def queue(self, piece: Piece) -> None:
        """Have a piece made after those that wait."""
        self.waiting.append(piece)
        self.model = piece.model

    def fail(self) -> int:
        """It has failed over what another one has made; how often so far."""
        self.wrong += 1
        return self.wrong

    @property
    def load(self) -> int:
        """How many pieces are there."""
        return len(self.waiting) + len(self.making)


class Dispatch:
    """Hands pieces to actors and gathers what comes of orders."""

    def __init__(self) -> None:
        self.lanes: dict[str, Lane] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._stray: deque[Piece] = deque()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._others = 0
        self._deaths: deque[frozenset[int]] = deque(maxlen=_RECENT)
        """Of each actor that has died lately, not innocently, the orders that it was at."""
        self._whole: set[int] = set()
        """The orders of which each row was made."""
        self.notes: list[str] = []
        """What the user should know; the caller takes it away."""

    # Actors -----------------------------------------------------------------------------------------------------------

    def add(self, name: str, kind: str) -> None:
        """There is an actor of this name."""
        self.lanes[name] = Lane(name, kind)
        self._others = max(0, self._others - 1)
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
        making = [piece for piece in lane.making if piece.order in self._outcomes]
        if not innocent:
            self._deaths.append(frozenset(piece.order for piece in making))
        for piece in making:
            if not innocent:
                piece.suspect()
            self._stray.extend(self._taken_apart(piece))
        self._stray.extend(lane.waiting)
        self._place_stray()

    def _taken_apart(self, piece: Piece) -> list[Piece]:
        if piece.kills < MOST_KILLS + self._by_chance(piece.order):
            return [piece]
        if len(piece.rows) == 1:
            outcome = self._outcomes[piece.order]
            outcome.failed[piece.rows[0]] = (
                f"the process that makes it dies over it, whenever it is tried ({MOST_KILLS} times at least): see "
                "what its machine says of it (out of memory, a fault of a library or of a driver)"
            )
            self._end(piece.order)
            return []
        half = len(piece.rows) // 2
        parts = piece.rows[:half], piece.rows[half:]
        # One more death is enough to know which half it is; a single row is blamed after two of its own.
        kills = [MOST_KILLS - 1 if len(part) > 1 else MOST_KILLS - 2 for part in parts]
        return [
            Piece(piece.order, piece.model, part, count, alone=True) for part, count in zip(parts, kills, strict=True)
        ]

    def _by_chance(self, order: int) -> int:
        """How much speaks for actors that die lately by chance, or for another reason than an order that they were at.

        What kills actors is made alone from its first victim on, so that few others suffer from it, and it is never
        made; where actors die by chance, all suffer. So there count the other orders that actors have died over, and
        the deaths over what was made later.
        """
        others = [at for at in self._deaths if order not in at]
        return len(frozenset[int]().union(*others)) + sum(bool(at) and at <= self._whole for at in others)

    # Orders -----------------------------------------------------------------------------------------------------------

    def submit(self, slot: str, order: int, model: str, size: int) -> None:
        """Have an order of so many rows made at a slot; at another one where that is gone."""
        self._outcomes[order] = Outcome(size, slot)
        piece = Piece(order, model, tuple(range(size)))
        lane = self.lanes.get(slot)
        if lane is None:
            self._stray.append(piece)
            self._place_stray()
        else:
            lane.queue(piece)

    def next(self, name: str) -> Piece | None:
        """What an actor is to begin now; None where it has enough."""
        lane = self.lanes[name]
        if not lane.waiting or any(piece.alone for piece in lane.making):
            return None
        if len(lane.making) >= (1 if lane.waiting[0].alone else IN_FLIGHT):
            return None
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
            lane.making.remove(piece)
        outcome = self._outcomes.get(piece.order)
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
        retried = Piece(piece.order, piece.model, rows, piece.kills, piece.alone, piece.failed, piece.unusable)
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
        for queue in [self._stray, *(lane.waiting for lane in self.lanes.values())]:
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
            if not outcome.failed and not outcome.unusable:
                self._whole.add(order)
            if outcome.unusable:
                for queue in [self._stray, *(lane.waiting for lane in self.lanes.values())]:
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
