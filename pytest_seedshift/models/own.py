"""Models of the user's own, by a factory: see `hookspecs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.extensions import Extension, ExtensionError

if TYPE_CHECKING:
    from pytest_seedshift.models.base import TextToImage

_NEEDS = ("name", "fingerprint", "seed_shape", "seed_axes", "generate")


def load(extension: Extension, device: str, dtype: str) -> TextToImage:
    """Make the model on a device, in a number type.

    Raises:
        ExtensionError: its factory raises, or makes no `TextToImage`, or one of another name.
    """
    model: TextToImage = extension.make(device, dtype, needs=_NEEDS, what="TextToImage")
    if model.name != extension.name:
        raise ExtensionError(
            f"{extension}: its factory gave a model whose name is {model.name!r}: let it be {extension.name!r}"
        )
    return model
