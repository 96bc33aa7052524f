"""What is looked at of pictures to say what changes with the seed vector: position, colour and layout.

All are of the picture alone: no scorer is asked. A picture's ground is the mean colour of its rim.

- `position`: the centre of what stands out from the ground, across and down, 0 to 1;
- `colour`: the mean of red, green and blue, 0 to 1;
- `layout`: the mean grey of each of 4 by 4 fields, less that of the whole picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

FIELDS = 4
"""How many fields the layout has, across and down."""


def of(images: Tensor) -> dict[str, NDArray[np.float64]]:
    """The quantities of some pictures.

    Args:
        images: (count, 3, height, width), levels from 0 to 255.

    Returns:
        By quantity, (count, dimensions).
    """
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    values = images.double().div(255)
    grey = adaptive_avg_pool2d(values.mean(1, keepdim=True), FIELDS).flatten(1)
    rim = torch.cat([values[..., 0, :], values[..., -1, :], values[..., 0], values[..., -1]], -1).mean(-1)
    apart = (values - rim[..., None, None]).square().sum(1)
    total = apart.flatten(1).sum(1)
    places = []
    for axis in (2, 1):  # across, down
        size = apart.shape[axis]
        at = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        centre = (apart.sum(3 - axis) * at).sum(1) / total.clamp_min(1e-12)
        places.append(torch.where(total > 1e-12, centre, torch.full_like(centre, 0.5)))
    found = {
        "position": torch.stack(places, 1),
        "colour": values.mean((2, 3)),
        "layout": grey - grey.mean(1, keepdim=True),
    }
    return {name: each.numpy() for name, each in found.items()}
