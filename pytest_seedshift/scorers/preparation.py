"""What an image processor of transformers makes of pictures for its network, resized as Pillow does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torchvision.transforms.v2.functional import to_pil_image

from pytest_seedshift.scorers import pillow_resize
from pytest_seedshift.scorers.base import check_prepared

if TYPE_CHECKING:
    from torch import Tensor

_FILTERS: dict[int, pillow_resize.Filter] = {2: "bilinear", 3: "bicubic"}
"""By Pillow's number, which is what a processor's configuration has as `resample`."""


class Preparation:
    """An image processor, as scorers call it."""

    def __init__(self, name: str, processor: Any) -> None:
        """Wrap the processor that belongs to a network.

        Raises:
            ModelError: it makes larger pictures than can be made.
        """
        check_prepared(name, _sides(processor))
        self._processor = _as_pillow_resizes(processor)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """What the network sees of images: as the processor makes it of saved pictures.

        Args:
            images: float, (batch, 3, height, width), in [0, 1], in steps of 1/255.

        Returns:
            The processor's own tensors, `pixel_values` among them, on the images' device.
        """
        seen: Any = pillow_resize.as_bytes(images)
        if not hasattr(self._processor, "resize"):  # timm's, whose transforms are those of pictures
            seen = [to_pil_image(each) for each in seen.cpu()]
        made = self._processor(images=seen, return_tensors="pt")
        return {name: each.to(images.device) for name, each in made.items() if isinstance(each, torch.Tensor)}


def _sides(processor: Any) -> list[object]:
    """The sides of the pictures that a processor makes, as far as it says them."""
    sizes = [getattr(processor, name, None) for name in ("size", "crop_size", "pad_size")]
    names = ("height", "width", "shortest_edge", "longest_edge", "max_height", "max_width")
    return [side for size in sizes for name, side in dict(size or {}).items() if name in names]


def _as_pillow_resizes(processor: Any) -> Any:
    """Let a processor resize as Pillow does: its own way, by torchvision, gives other values, and others on a GPU.

    A processor whose class has a way of its own keeps it, and so does what is not asked for as a size or a shortest
    edge with a filter that is known here.
    """
    if "resize" in vars(type(processor)) or not hasattr(processor, "resize"):
        return processor
    theirs = processor.resize

    def resize(image: Tensor, size: Any, resample: Any = None, **others: Any) -> Tensor:
        kind = _FILTERS.get(int(resample)) if isinstance(resample, int) else None
        if kind is None or image.dtype != torch.uint8 or size.longest_edge or size.max_height or size.max_width:
            resized: Tensor = theirs(image=image, size=size, resample=resample, **others)
            return resized
        if size.shortest_edge:
            return pillow_resize.resize(image, *pillow_resize.shortest_side(image, size.shortest_edge), kind)
        return pillow_resize.resize(image, size.height, size.width, kind)

    processor.resize = resize
    return processor
