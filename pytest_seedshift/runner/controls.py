"""The controls' images of the pairs of a batch, for scorers that hold an image against that without a shift."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.runner.drawn_images import RowsError

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.orders import Row

_MOST_BYTES = 2**28
"""Of the images that are remembered."""


class Controls:
    """Makes the images of pairs without a shift, and remembers those that were made last, as bytes.

    A control that is made again may differ in its last bits from that in the store, as images of other batches do.
    """

    def __init__(self, make: Callable[[Sequence[Row]], Tensor]) -> None:
        """`make` gives the images of controls, uint8, (rows, 3, height, width), on the CPU.

        It raises a `RowsError` of those that cannot be made.
        """
        self._make = make
        self._known: OrderedDict[Pair, Tensor] = OrderedDict()

    def know(self, pairs: Sequence[Pair], levels: Tensor) -> None:
        """Remember images, uint8, (pairs, 3, height, width), on the CPU."""
        for pair, each in zip(pairs, levels, strict=True):
            self._known[pair] = each
            self._known.move_to_end(pair)
        while len(self._known) > 1 and len(self._known) * levels[0].numel() > _MOST_BYTES:
            self._known.popitem(last=False)

    def of(self, rows: Sequence[Row]) -> Tensor:
        """The images of the rows' pairs without a shift, float32, (rows, 3, height, width), on the CPU.

        Raises:
            RowsError: some cannot be made; it names the rows that were given.
        """
        there = {row.pair: self._known[row.pair] for row in rows if row.pair in self._known}
        lacking = {row.pair: replace(row, case=row.case.control) for row in rows if row.pair not in there}
        if lacking:
            try:
                levels = self._make(list(lacking.values()))
            except RowsError as error:
                failed = {row.pair: message for row, message in error.failed.items()}
                raise RowsError({row: failed[row.pair] for row in rows if row.pair in failed}) from error
            there |= dict(zip(lacking, levels, strict=True))
            self.know(list(lacking), levels)
        return torch.stack([there[row.pair] for row in rows]).float().div(255)
