"""How many images at once: a model's batch size, found once for a device and remembered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pytest_seedshift import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.pairs import Pair

MOST = 64
"""The largest batch that is tried."""

_GAIN = 0.9  # twice the batch must take at most so much of the time for an image


class _EnoughError(Exception):
    """Ends a generation that was only timed."""


def find_batch_size(model: TextToImage, pairs: Sequence[Pair]) -> int:
    """The batch size beyond which an image takes hardly less time, from 1 to `MOST` in powers of two.

    Larger is not better: a verdict may need fewer images than a batch has. Only the first denoising steps are run, and
    nothing is kept.

    Args:
        model: on its device.
        pairs: as many as the largest batch should be, or fewer.
    """
    _seconds(model, pairs[:1])  # the very first one is slow
    best, size, fastest = 1, 1, _seconds(model, pairs[:1])
    while fastest is not None and 2 * size <= min(MOST, len(pairs)):
        size *= 2
        seconds = _seconds(model, pairs[:size])
        if seconds is None or seconds > _GAIN * fastest:
            break
        best, fastest = size, seconds
    return best


def _seconds(model: TextToImage, pairs: Sequence[Pair]) -> float | None:
    """Seconds for an image of a batch, in one denoising step; None where memory does not suffice.

    The first step warms up, the second one is timed: steps are all alike. A model that does not report its steps is
    timed as a whole.
    """
    times = [time.perf_counter()]

    def after(step: int, state: Tensor) -> None:
        state.sum().item()  # a GPU works behind: wait for it
        times.append(time.perf_counter())
        if step == 1:
            raise _EnoughError

    try:
        with torch.inference_mode():
            model.generate(pairs, on_step=after)
        return (time.perf_counter() - times[0]) / len(pairs)
    except _EnoughError:
        return (times[2] - times[1]) / len(pairs)
    except Exception as error:
        if not devices.is_out_of_memory(error):
            raise
    devices.free_memory()
    return None
