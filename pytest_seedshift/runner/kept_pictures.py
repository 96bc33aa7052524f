"""Which pictures of a case are kept: those that the report shows, and some that are informative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.orders import Keeps

Keep: TypeAlias = Literal["report", "all", "none"]
"""Which pictures are saved: those that the report shows, all, or none."""

STRIP = 8
"""How many pictures of a case the report shows."""

_INFORMATIVE = 16
"""How many more of a case are kept as informative: what a shift broke, and twice as many of the control's, so that
the report can show what was right before and is wrong now."""


class KeptPictures:
    """Decides which pictures of a run are kept."""

    def __init__(self, keep: Keep) -> None:
        self._keep: Keep = keep
        self._told: Counter[Case] = Counter()

    def shown(self, design: Sequence[Pair]) -> frozenset[Pair]:
        """The pairs of a design whose samples need a picture."""
        pairs = {"report": strip(design), "all": design, "none": ()}[self._keep]
        return frozenset(pairs)

    def wanted(self, case: Case, *, shown: bool) -> Keeps:
        """Whether a picture of a case is to come back; that of one which is shown always is.

        Some are worth keeping for the report though no verdict needs them: see `_INFORMATIVE`.
        """
        if shown:
            return "always"
        if self._keep != "report" or self._left(case) <= 0:
            return "never"
        return "always" if case.is_control else "if wrong"

    def take(self, case: Case) -> bool:
        """Whether one more of a case's pictures is kept that is not shown; it counts."""
        if self._left(case) <= 0:
            return False
        self._told[case] += 1
        return True

    def _left(self, case: Case) -> int:
        return _INFORMATIVE * (2 if case.is_control else 1) - self._told[case]


def strip(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs whose pictures are shown: the first `STRIP` whose labels differ."""
    by_label: dict[str, Pair] = {}
    for pair in pairs:
        by_label.setdefault(pair.label.name, pair)
    return tuple(by_label.values())[:STRIP]
