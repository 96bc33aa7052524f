"""Which model a slot makes next, and which images: the most certain needs first, in full batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.open_cases import OpenCase
    from pytest_seedshift.runner.orders import Slot

_WORTH = 2
"""How many full batches have to be left of a model for a slot to load it that another one has loaded."""


class Part(NamedTuple):
    """Rows of one case in a batch."""

    key: str
    case: Case
    pairs: list[Pair]
    shown: frozenset[Pair]


IsThere: TypeAlias = "Callable[[Case, Pair], bool]"
"""Whether an image need not be made, or cannot."""


class Choice:
    """Chooses; it holds nothing of a run but its own numbers."""

    def __init__(self, least: float = 0.4) -> None:
        """`least` is how likely an image has to be needed to be made."""
        self.least = least

    def model(self, slot: Slot, slots: Iterable[Slot], left: Mapping[str, int], size: int) -> str | None:
        """What a slot makes next: its own model as long as there is something to make of it; None for nothing.

        Args:
            slot: which.
            slots: all of them.
            left: by model, how many images are wished for.
            size: how many a batch has.
        """
        if slot.model is not None and left.get(slot.model):
            return slot.model
        at = Counter(each.model for each in slots if each.name != slot.name)
        shares = {
            model: images / (1 + at[model])
            for model, images in left.items()
            if images and (not at[model] or images >= _WORTH * size * (1 + at[model]))
        }
        return max(shares, key=lambda model: shares[model]) if shares else None

    def rows(self, cases: Mapping[str, OpenCase], is_there: IsThere, size: int) -> list[Part]:
        """The rows of a batch of at most so many: what is surest to be needed, and of that what was asked for first."""
        parts: dict[tuple[str, Case], Part] = {}
        ordered = sorted(
            ((key, case) for key, case in cases.items() if case.need is not None),
            key=lambda each: (not each[1].is_control, each[1].place),
        )
        taken: set[tuple[Case, Pair]] = set()
        for _, key, case, pair in chain(_sure(ordered), _likely(ordered)):
            if len(taken) == size:
                break
            need = case.need
            assert need is not None
            if (need.case, pair) in taken or is_there(need.case, pair):
                continue
            taken.add((need.case, pair))
            parts.setdefault((key, need.case), Part(key, need.case, [], need.shown)).pairs.append(pair)
        return list(parts.values())


_Wish: TypeAlias = "tuple[float, str, OpenCase, Pair]"


def _sure(cases: Sequence[tuple[str, OpenCase]]) -> Iterator[_Wish]:
    for key, case in cases:
        for chance, pair in case.wishes:
            if chance < 1:
                break
            yield chance, key, case, pair


def _likely(cases: Sequence[tuple[str, OpenCase]]) -> Iterator[_Wish]:
    found = [(chance, key, case, pair) for key, case in cases for chance, pair in case.wishes if chance < 1]
    yield from sorted(found, key=lambda wish: -wish[0])
