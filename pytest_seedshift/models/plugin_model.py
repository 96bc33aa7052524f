"""Models of the user's own, by a factory: see `plugin.hookspecs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from pytest_seedshift.core import user_code
from pytest_seedshift.core.registry import Extension, ExtensionError

if TYPE_CHECKING:
    from pytest_seedshift.models.base import TextToImage

_NEEDS = ("name", "fingerprint", "seed_shape", "seed_axes", "generate()")


def load(extension: Extension, device: str, dtype: str) -> TextToImage:
    """Make the model on a device, in a number type.

    Raises:
        ExtensionError: its factory raises, or makes no `TextToImage`, one of another name, or one
            whose seed vector has no such shape or axes.
    """
    model: TextToImage = extension.make(device, dtype, needs=_NEEDS, what="TextToImage")
    if model.name != extension.name:
        raise ExtensionError(
            f"{extension}: its factory gave a model whose name is {model.name!r}: let it be {extension.name!r}"
        )
    with user_code.calling(f"{extension}: what its factory gave", type(model), error=ExtensionError):
        shape, axes = model.seed_shape, model.seed_axes
        if not (isinstance(shape, (tuple, list)) and len(shape) >= 3 and all(_is_size(each) for each in shape)):
            raise ExtensionError(
                f"{extension}: its seed_shape is {shape!r}. Give the shape of one seed vector: three or more positive "
                "whole numbers, such as (4, 64, 64)"
            )
        named = [getattr(axes, name, None) for name in ("channels", "height", "width")]
        if len(set(named)) != 3 or not all(_is_size(each, 0) and each < len(shape) for each in named):
            raise ExtensionError(
                f"{extension}: its seed_axes are {axes!r}: give three different axes of its seed_shape "
                f"{tuple(shape)}, as pytest_seedshift.Axes(channels=0, height=1, width=2) does"
            )
    return model


def _is_size(value: object, least: int = 1) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
