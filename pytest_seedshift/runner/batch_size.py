"""How many images at once: a model's batch size, found once for a device and remembered."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_seedshift.models import drawing
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import TextToImage

MOST = 32
"""The largest batch that is tried."""

_ENOUGH = 1.1  # so much of the shortest time for an image is as good as the shortest
_GAIN = 0.95  # a larger batch that takes more of the shortest time for an image so far gains nothing
_LONG = 0.2  # seconds of a step that need not be timed twice: noise is small beside them, and patience is dear


class _EnoughError(Exception):
    """Ends a generation that was only timed."""


def find_batch_size(model: TextToImage, pairs: Sequence[Pair]) -> int:
    """The smallest batch size at which an image takes hardly longer than at the best: 1, 2, 4, … up to `MOST`.

    Larger is not better: a verdict may need fewer images than a batch has. Only a few denoising steps are run, and
    nothing is kept.

    Args:
        model: on its device.
        pairs: as many as the largest batch should be, or fewer.
    """
    _step_seconds(model, pairs[:1])  # the very first one is slow
    by_size: dict[int, float] = {}
    size, in_vain = 1, 0
    while size <= min(MOST, len(pairs)) and in_vain < 2:
        step = _step_seconds(model, pairs[:size])
        if step is None:
            break
        gains = step / size <= _GAIN * min(by_size.values(), default=math.inf)
        in_vain = 0 if gains else in_vain + (1 if step < _LONG else 2)
        by_size[size] = step / size
        size *= 2
    enough = _ENOUGH * min(by_size.values(), default=0.0)
    return next((size for size, seconds in by_size.items() if seconds <= enough), 1)


def try_step(model: TextToImage, pair: Pair) -> None:
    """Make the first step of an image, of which nothing is kept: a pipeline that cannot run says so now.

    Memory that does not suffice is left for the batches to say.

    Raises:
        SeedshiftError: the model cannot generate; see `drawing.generate`.
        SeedVectorError: likewise.
    """

    def after(_: int, __: Tensor) -> None:
        raise _EnoughError

    try:
        drawing.generate(model, [pair], on_step=after)
    except _EnoughError:
        pass
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
    devices.free_memory()


def _step_seconds(model: TextToImage, pairs: Sequence[Pair]) -> float | None:
    """Seconds of a denoising step of a batch; None where memory does not suffice.

    The first step warms up; of the next ones the shortest counts, as other processes can only make it longer. A model
    that does not report its steps is timed as a whole.
    """
    times = [time.perf_counter()]

    def after(step: int, state: Tensor) -> None:
        state.sum().item()  # a GPU works behind: wait for it
        times.append(time.perf_counter())
        if step == 2 or (step and times[-1] - times[-2] > _LONG):
            raise _EnoughError

    try:
        drawing.generate(model, pairs, on_step=after)
    except _EnoughError:
        pass
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
        times.clear()
    if not times:  # outside of the handler, which holds on to the memory of what failed
        devices.free_memory()
        return None
    times = times[1:] if len(times) > 2 else [times[0], time.perf_counter()]
    return min(after - before for before, after in pairwise(times))
