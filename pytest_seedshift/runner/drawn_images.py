"""Images as a model gives them: what there is to know of a batch is fetched from the device at once.

A GPU works behind the program that asks. Whoever wants to know a number of it waits until it has done everything, and
then it has nothing to do until it is asked again. So numbers are gathered there, and looked at together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.cases import CaseError

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.runner.orders import Row

_SLACK = 1e-3
"""How far values of an image may lie outside of [0, 1], as rounding makes them."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32)


class RowsError(CaseError):
    """Some rows of a batch cannot be made; the message is that of the first of them.

    Attributes:
        failed: by row, what is wrong with it, as an error of its case says it.
    """

    def __init__(self, failed: Mapping[Row, str]) -> None:
        super().__init__(next(iter(failed.values())))
        self.failed = dict(failed)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be known of a batch's images, on its device: nobody has waited for it yet.

    Attributes:
        looked_at: what was looked at, the state after each step and then the images, and what to do where there is
            NaN in it.
        values: float32, (len(looked_at) + 2, rows): the largest magnitude of each, NaN where there is one; then the
            least and the greatest value of each image.
    """

    looked_at: tuple[tuple[str, str], ...]
    values: Tensor

    def check(self, rows: Sequence[Row]) -> None:
        """Make sure that all is finite and that the images are in [0, 1]: here the device is waited for.

        Raises:
            RowsError: some rows have NaN or Inf in them; it names all that are not as they should be.
            CaseError: images of a batch that is of one case are not in [0, 1].
        """
        *magnitudes, low, high = self.values.tolist()
        failed: dict[Row, str] = {}
        for (what, advice), values in zip(self.looked_at, magnitudes, strict=True):
            for row, message in not_finite(values, rows, what, advice).items():
                failed.setdefault(row, message)  # where it was first seen
        beyond = [place for place in range(len(rows)) if low[place] < -_SLACK or high[place] > 1 + _SLACK]
        if beyond:
            least, greatest = min(low[place] for place in beyond), max(high[place] for place in beyond)
            said = f"the model's images go from {least:.3g} to {greatest:.3g}: give them in [0, 1]"
            if not failed and len({row.case for row in rows}) == 1:
                raise CaseError(f"{named(rows)}: {said}")
            for place in beyond:
                failed.setdefault(rows[place], f"{named([rows[place]])}: {said}")
        if failed:
            raise RowsError(failed)


def facts(images: Tensor, magnitudes: Sequence[Tensor], looked_at: Sequence[tuple[str, str]]) -> Facts:
    """Gather what is to be known of images, (rows, 3, height, width), and of the states that `magnitudes` are of."""
    parts = [list(magnitudes), [magnitude(images), *images.flatten(1).aminmax(dim=1)]]
    return Facts(tuple(looked_at), torch.cat([_stacked(part, images.device) for part in parts if part]))


def _stacked(values: Sequence[Tensor], device: torch.device) -> Tensor:
    """Rows of values, of whatever types and devices, as float32 on one device."""
    if len({(each.dtype, each.device) for each in values}) > 1:  # states of a model of the user's own
        values = [each.to(device, torch.float32) for each in values]
    return torch.stack(list(values)).to(device, torch.float32)


def magnitude(state: Tensor) -> Tensor:
    """Of each row of (batch, …) the largest magnitude: NaN or infinite where a value is. It stays on its device."""
    if state.dtype in _FLOATS:
        largest: Tensor = torch.linalg.vector_norm(state, math.inf, tuple(range(1, state.ndim)))
        return largest
    finite = state.isfinite().flatten(1).all(1)  # of a type whose values need not fit into float32
    return torch.where(finite, 0.0, torch.nan)


def levels(images: Tensor) -> Tensor:
    """Images in [0, 1], those a little outside too, as the numbers from 0 to 255 that a picture holds: uint8."""
    return images.float().clamp(0, 1).mul(255).round().byte()


def not_finite(values: Sequence[float], rows: Sequence[Row], what: str, advice: str) -> dict[Row, str]:
    """The rows whose value is NaN or infinite, and what is to be said of them."""
    return {
        row: f"{named([row])}: NaN or Inf in {what} of {row.pair}. {advice}"
        for value, row in zip(values, rows, strict=True)
        if not math.isfinite(value)
    }


def named(rows: Sequence[Row]) -> str:
    """What stands before the message of an error about rows: their model and cases."""
    cases = dict.fromkeys(row.case for row in rows)
    return f"{rows[0].case.model}, {' and '.join(case.describe() for case in cases)}"
