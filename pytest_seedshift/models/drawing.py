"""Images of a model, whoever's it is: its code is called within a net, and what it gives is held against what it must.

All who generate images of a loaded model do it here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from pytest_seedshift.core import registry, tensors, user_code
from pytest_seedshift.core.errors import ModelError, SeedshiftError
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import OnStep, ShiftFunction, TextToImage

_T = TypeVar("_T")


class DrawingError(ModelError):
    """A model has not made the images that it was asked for; the message says what it did."""


@torch.inference_mode()
def generate(
    model: TextToImage, pairs: Sequence[Pair], shift: ShiftFunction | None = None, on_step: OnStep | None = None
) -> Tensor:
    """Ask a model for one image for each pair; see `TextToImage.generate`.

    What `shift` and `on_step` raise passes; so does what says that memory does not suffice or that the GPU is gone.

    Raises:
        ModelError: the model's code raises something, or what it gives, to its shift or in the end, is not what it has
            to give; the message has a single sentence.
    """
    ours: list[BaseException] = []
    shifted = 0

    def shift_taken(z: Tensor, named: Sequence[Pair]) -> Tensor:
        nonlocal shifted
        shifted += 1
        _check_seed_vectors(z, named)
        assert shift is not None
        return shift(z, named)

    def note_taken(step: int, state: Tensor) -> None:
        assert on_step is not None
        on_step(step, _state(state, len(pairs)) if _is_own(model) else state)

    def passes(error: BaseException) -> bool:
        known = isinstance(error, (SeedshiftError, ValueError)) and not _is_own(model)
        return any(error is each for each in ours) or known or devices.is_of_the_machine(error)

    try:
        with user_code.calling(
            f"{_whose(model)}: generate", getattr(model, "generate", None), error=DrawingError, passes=passes
        ):
            images = model.generate(
                pairs,
                None if shift is None else _marked(shift_taken, ours),
                None if on_step is None else _marked(note_taken, ours),
            )
    except ValueError as error:  # of a pipeline: it says what is wrong with how it is called
        if isinstance(error, SeedshiftError) or any(error is each for each in ours):
            raise
        raise DrawingError(str(error)) from error
    if shift is not None and not shifted and _is_own(model):
        raise DrawingError(
            f"{_whose(model)} has not called the shift that its generate was given: without it every image is the "
            "control's"
        )
    return _images(images, len(pairs))


def _marked(function: Callable[..., _T], raised: list[BaseException]) -> Callable[..., _T]:
    """A function of ours that a model calls: what it raises is noted, to be told from what the model raises."""

    def call(*arguments: Any) -> _T:
        try:
            return function(*arguments)
        except BaseException as error:
            raised.append(error)
            raise

    return call


def _is_own(model: TextToImage) -> bool:
    return registry.current().models.find(model.name) is not None


def _whose(model: TextToImage) -> str:
    return str(registry.current().models.find(model.name) or model.name)


def _images(given: object, count: int) -> Tensor:
    wanted = f"images are floating point, ({count}, 3, height, width)"
    found: Tensor = tensors.taken(given, f"the model gave {{}} for {count} pairs", wanted, (count, 3, None, None))
    return found


def _state(given: object, count: int) -> Tensor:
    """A state that a model reports: one row a pair, of whatever shape and number type."""
    if not isinstance(given, torch.Tensor) or given.ndim < 2 or len(given) != count or given.is_meta:
        what = f"{given.dtype} {tuple(given.shape)}" if isinstance(given, torch.Tensor) else type(given).__name__
        raise DrawingError(f"the model reported {what} as the state after a step: give a tensor with {count} rows")
    return given


def _check_seed_vectors(z: object, named: Sequence[Pair]) -> None:
    wanted = f"give the seed vectors of {len(named)} pairs, floating point, ({len(named)}, channels, height, width)"
    tensors.taken(z, "the model gave {} to its shift", wanted, (len(named), None, None, None))
