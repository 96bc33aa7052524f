"""Sizes of images that a pipeline cannot make: some refuse them, some warn and make others, some do not look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_CHANGED = ("divisible", "resized", "reshaped", "multiple")
"""Words of a warning that the sides of an image are not what was asked for."""


def _patches(pipeline: Any) -> int:
    """The side of a patch of the network, in pixels."""
    return int(pipeline.vae_scale_factor * pipeline.transformer.config.patch_size)


_GRIDS: dict[str, Callable[[Any], int]] = {
    "CogView3PlusPipeline": _patches,
    "HunyuanDiTPipeline": _patches,
    "ErnieImagePipeline": lambda pipeline: int(pipeline.vae_scale_factor),
    "IFPipeline": lambda pipeline: int(2 ** (len(pipeline.unet.config.block_out_channels) - 1)),
    "Kandinsky3Pipeline": lambda _: 64,
    "KandinskyCombinedPipeline": lambda _: 64,
    "KandinskyV22CombinedPipeline": lambda _: 64,
    "LDMTextToImagePipeline": lambda _: 8,
    "PixArtAlphaPipeline": _patches,
    "PixArtSigmaPipeline": _patches,
    "StableCascadeCombinedPipeline": lambda _: 128,
    "WuerstchenCombinedPipeline": lambda _: 128,
    "ZImagePipeline": lambda pipeline: int(2 * pipeline.vae_scale_factor),
}
"""Of what the sides of an image are multiples, where the pipeline itself does not look."""


def grid(pipeline: Any, kind: type[Any]) -> int:
    """Of how many pixels the sides of a pipeline's images are multiples, as far as its class does not check it."""
    known = next((_GRIDS[each.__name__] for each in kind.__mro__ if each.__name__ in _GRIDS), None)
    return 1 if known is None else max(1, known(pipeline))


def is_changed(warning: str) -> bool:
    """Whether a pipeline warns that it makes images of another size than it was asked for."""
    said = warning.lower()
    return "height" in said and any(word in said for word in _CHANGED)


@contextmanager
def heard(kind: type[Any], hear: Callable[[str], None]) -> Iterator[None]:
    """Give what the module of a pipeline's class warns of in diffusers' log to `hear`; what that raises passes."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hear(record.getMessage())

    logger, handler = logging.getLogger(kind.__module__), Handler(logging.WARNING)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)  # diffusers may have been told to be quiet
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
