"""Which model a slot makes next, and which images: the most certain needs first, in full batches."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.open_cases import IsThere, OpenCase

_WORTH = 2
"""How many full batches have to be left of a model for a slot to load it that another one has loaded."""

_SHARES = 3
"""How many batches have to be left for each slot for them to be full."""


class Part(NamedTuple):
    """Rows of one case in a batch."""

    key: str
    case: Case
    pairs: list[Pair]
    shown: frozenset[Pair]


class Choice:
    """Chooses; it holds nothing of a run but its own numbers."""

    def __init__(self, least: float = 0.7, behind: float = 0.95) -> None:
        """Begin.

        Args:
            least: how likely an image has to be needed to be made by a slot that has nothing else to do.
            behind: how likely, to wait at a slot behind another batch; of what is less likely more is known by then.
        """
        self.least, self.behind = least, behind

    def model(self, held: str | None, at: Mapping[str | None, int], left: Mapping[str, int], size: int) -> str | None:
        """What a slot makes next: its own model as long as there is something to make of it; None for nothing.

        Args:
            held: the model that it has, or will have loaded.
            at: by model, at how many slots it is.
            left: by model, how many images are wished for.
            size: how many a batch has.
        """
        if held is not None and left.get(held):
            return held
        shares = {
            model: images / (1 + at.get(model, 0))
            for model, images in left.items()
            if images and (not at.get(model) or images >= _WORTH * size * (1 + at[model]))
        }
        return max(shares, key=lambda model: shares[model]) if shares else None

    def size(self, most: int, left: int, slots: int) -> int:
        """How many images a batch has of which a GPU takes so many at once.

        Where less is left in all than fills each slot three times, batches are smaller, of 1, 2, 4, …: no slot stands
        still while another one makes what it could make, and more is known before the next.
        """
        if slots <= 1:
            return most
        share = max(left // (_SHARES * slots), 1)
        return min(most, 1 << (share.bit_length() - 1))

    def rows(
        self, cases: Mapping[str, OpenCase], is_there: IsThere, size: int, *, is_behind: bool = False
    ) -> list[Part]:
        """The rows of a batch of at most so many: what is surest to be needed, and of that what was asked for first.

        Of a batch that waits behind another one all are, or there are none.
        """
        parts: dict[tuple[str, Case], Part] = {}
        ordered = sorted(
            ((key, case) for key, case in cases.items() if case.need is not None),
            key=lambda each: (not each[1].is_control, each[1].place),
        )
        sure = chain.from_iterable(_wishes(key, case, sure=True) for key, case in ordered)
        likely = heapq.merge(*(_wishes(key, case, sure=False) for key, case in ordered), key=lambda wish: -wish[0])
        taken: set[tuple[Case, Pair]] = set()
        for chance, key, case, pair in chain(sure, likely):
            if is_behind and chance < self.behind:
                return []
            need = case.need
            assert need is not None
            if (need.case, pair) in taken or is_there(need.case, pair):
                continue
            taken.add((need.case, pair))
            parts.setdefault((key, need.case), Part(key, need.case, [], need.shown)).pairs.append(pair)
            if len(taken) == size:
                return list(parts.values())
        return [] if is_behind else list(parts.values())


def _wishes(key: str, case: OpenCase, *, sure: bool) -> Iterator[tuple[float, str, OpenCase, Pair]]:
    for chance, pair in case.wishes(sure=sure):
        yield chance, key, case, pair


def in_whole_batches(pairs: Sequence[Pair], size: int, lacking: Collection[Pair]) -> list[Pair]:
    """Of the batches that pairs fall into from the first on, those that hold one that is lacking, whole."""
    sought = frozenset(lacking)
    batches = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [pair for batch in batches if sought.intersection(batch) for pair in batch]
