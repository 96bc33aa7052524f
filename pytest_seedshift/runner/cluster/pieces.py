"""What orders are made in, what comes of them, and how much of it is at an actor."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field


@dataclass(eq=False)
class Piece:
    """Rows of an order that are made together.

    Attributes:
        order: the order's number.
        model: its model's name.
        rows: which, by their places in the order.
        kills: how many actors have died over it since it was taken apart.
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

    def drop(self, rows: Sequence[int]) -> None:
        """Some of its rows are not made any more."""
        self.rows = tuple(row for row in self.rows if row not in rows)

    @property
    def is_suspect(self) -> bool:
        """Whether it is a single row that is to be tried alone."""
        return self.alone and len(self.rows) == 1

    @property
    def tried(self) -> set[str]:
        """The actors that have failed over it."""
        return {*self.failed, *self.unusable}


@dataclass
class Outcome:
    """What has come of an order so far."""

    size: int
    slot: str
    cases: Sequence[Hashable] = ()
    made: set[int] = field(default_factory=set)
    packed: list[bytes] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    unusable: str = ""
    seconds: float = 0.0

    def names(self, piece: Piece) -> list[Hashable]:
        """By what `blame` knows the rows of a piece, and their cases."""
        rows: list[Hashable] = [(piece.order, row) for row in piece.rows]
        return rows + list({self.cases[row] for row in piece.rows if self.cases})

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
        warm: the model of which something was made here last.
    """

    name: str
    kind: str
    model: str | None = None
    waiting: deque[Piece] = field(default_factory=deque)
    making: list[Piece] = field(default_factory=list)
    wrong: int = 0
    warm: str | None = None

    def queue(self, piece: Piece) -> None:
        """Have a piece made after those that wait."""
        self.waiting.append(piece)
        self.model = piece.model

    def end(self, piece: Piece) -> None:
        """The actor has come to an end with a piece."""
        self.making.remove(piece)
        self.warm = piece.model

    def fail(self) -> int:
        """It has failed over what another one has made; how often so far."""
        self.wrong += 1
        return self.wrong

    @property
    def load(self) -> int:
        """How many pieces are there."""
        return len(self.waiting) + len(self.making)
