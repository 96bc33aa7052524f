"""The pictures that the toy models learn: 16 classes × 4 icon sets, rendered once, augmented without end.

An icon is rendered from its SVG to a premultiplied RGBA *sprite* of 128 × 128 pixels. A *picture* is a sprite in its
own colours or in one that was chosen, under a random similarity transform (position, scale, rotation, mirror image)
that keeps to the chosen place and size, laid over a soft, light gradient:

    pictures, attributes = draw(sprites, count=64, size=64, generator=torch.Generator().manual_seed(1))

Pictures are float32 tensors of shape (count, 3, size, size) with values in [0, 1].
"""

from __future__ import annotations

import argparse
import io
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from .captions import COLOURS, LABELS, LARGE, MIDDLE, SMALL, Attributes, draw_attributes, plain

ICON_SETS = ("noto", "noto-v1", "fluent-emoji", "fluent-emoji-flat")
#: Where an icon's name is not the label. All four sets agree on these.
ICON_NAMES = {"airliner": "airplane", "ladybug": "lady-beetle"}
SPRITE = 128
#: Seeds of the random streams, kept apart so that what a scorer is tested on was never drawn for training.
TRAIN_SEED, HELD_OUT_SEED = 1_000, 9_000
#: The colours that a sprite can be painted in, in the order of `COLOURS`.
PAINTS = ((0.0, 0.0, 0.0), (0.90, 0.08, 0.08), (0.98, 0.80, 0.05), (0.08, 0.62, 0.18), (0.10, 0.33, 0.93),
          (0.58, 0.16, 0.82), (0.10, 0.10, 0.11))  # fmt: skip
#: Where an object stands in its place, rightwards and downwards, in the order of `PLACES`.
DIRECTIONS = ((0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (0.0, 0.0))


def icon_name(label: str) -> str:
    """The name of a label's icon in the icon sets."""
    return ICON_NAMES.get(label, label)


def render_sprites(icons: Path) -> Tensor:
    """Renders every icon.

    Args:
        icons: The folder that holds one folder for each icon set (``node_modules/@iconify-json``).

    Returns:
        Premultiplied RGBA, shape (16 labels, 4 sets, 4, 128, 128), float32 in [0, 1].
    """
    import resvg_py

    rows = []
    for label in LABELS:
        row = []
        for icon_set in ICON_SETS:
            data = json.loads((icons / icon_set / "icons.json").read_text(encoding="utf-8"))
            icon = data["icons"][icon_name(label)]
            width, height = (icon.get(side) or data.get(side) or 16 for side in ("width", "height"))
            left, top = icon.get("left", 0), icon.get("top", 0)
            svg = (
                '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
            )
            png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SPRITE, height=SPRITE))
            pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), dtype=np.float32) / 255
            rgba = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
            row.append(torch.cat([rgba[:3] * rgba[3:], rgba[3:]]))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def load_sprites(path: Path) -> Tensor:
    """Sprites as written by this module's command, shape (16, 4, 4, 128, 128)."""
    return load_file(path)["sprites"]


def paint(layers: Tensor, colours: Tensor) -> Tensor:
    """Paints sprites: dark parts become a dark shade of the colour, light parts a light one.

    Args:
        layers: Premultiplied RGBA, shape (count, 4, height, width).
        colours: Numbers of `COLOURS`, shape (count,); 0 leaves a sprite as it is.
    """
    paints = torch.tensor(PAINTS)[colours].view(-1, 3, 1, 1)
    dark, light = 0.4 * paints, paints + 0.35 * (1 - paints)
    luminance = (layers[:, :3] * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    painted = luminance * (light - dark) + layers[:, 3:] * dark
    rgb = torch.where((colours > 0).view(-1, 1, 1, 1), painted, layers[:, :3])
    return torch.cat([rgb, layers[:, 3:]], dim=1)


def natural_colours(sprites: Tensor, share: float = 0.08) -> Tensor:
    """Which colours the icons of a class have by themselves: a caption that names one may be true of them.

    Args:
        sprites: Shape (16, 4, 4, 128, 128).
        share: So much of one icon at least has to look like the paint more than like any other.

    Returns:
        Bool, shape (16, colours); nothing is said of the colour 0.
    """
    found = torch.zeros(len(LABELS), len(COLOURS), dtype=torch.bool)
    for label, style in ((label, style) for label in range(len(LABELS)) for style in range(len(ICON_SETS))):
        layer = sprites[label, style]
        solid = layer[3] > 0.9
        pixels = layer[:3, solid].T
        hues = torch.tensor(PAINTS[1:-1])
        saturated = pixels.max(dim=1).values - pixels.min(dim=1).values > 0.25
        tint = functional.normalize(pixels - pixels.mean(dim=1, keepdim=True), dim=1)
        nearest = (tint @ functional.normalize(hues - hues.mean(dim=1, keepdim=True), dim=1).T).argmax(dim=1) + 1
        nearest[~saturated] = 0
        nearest[pixels.max(dim=1).values < 0.4] = len(COLOURS) - 1
        found[label] |= torch.bincount(nearest, minlength=len(COLOURS)) > share * len(pixels)
    found[:, 0] = False
    return found


def place(attributes: Attributes, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Random scales and positions that keep to what is said of size and place.

    Returns:
        The object's half width, and its centre's position rightwards and downwards; each of shape (count,), in half
        widths of the picture.
    """
    count = len(attributes.labels)

    def uniform(low: float | Tensor, high: float | Tensor) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    placed = attributes.places > 0
    low, high = torch.full((count,), 0.70), torch.full((count,), 0.98)
    for chosen, least, most in (
        (placed, 0.50, 0.70),
        (attributes.sizes == SMALL, 0.42, 0.56),
        (attributes.sizes == LARGE, 0.94, 1.06),
    ):
        low, high = low.masked_fill(chosen, least), high.masked_fill(chosen, most)
    scale = uniform(low, high)
    room = (1 - scale).clamp(min=0)
    centre = []
    for axis in range(2):
        direction = torch.tensor(DIRECTIONS)[attributes.places, axis]
        anywhere = uniform(-1, 1)
        free = torch.where(placed, 0.35 * anywhere * room, anywhere * (room + 0.04))
        free = torch.where(attributes.places == MIDDLE, 0.08 * anywhere, free)
        centre.append(torch.where(direction == 0, free, direction * room * uniform(0.75, 1.05)))
    return scale, centre[0], centre[1]


def draw(
    sprites: Tensor, count: int, size: int, generator: torch.Generator, attributes: Attributes | None = None
) -> tuple[Tensor, Attributes]:
    """Draws random pictures.

    Args:
        sprites: Shape (16, 4, 4, 128, 128).
        count: How many pictures.
        size: Their side in pixels.
        generator: The only source of chance.
        attributes: What they show; drawn if not given.

    Returns:
        Pictures, shape (count, 3, size, size) in [0, 1], and what they show.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(*(shape or (count,)), generator=generator) * (high - low) + low

    if attributes is None:
        attributes = draw_attributes(count, generator)
    styles = torch.randint(len(ICON_SETS), (count,), generator=generator)

    # Sprite coordinates of each output pixel: undo shift, then rotation and scale, then the mirror image.
    scale, x, y = place(attributes, generator)
    angle = uniform(-15.0, 15.0) * (math.pi / 180)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = angle.cos() / scale, angle.sin() / scale
    theta = torch.stack(
        [
            torch.stack([mirror * cos, mirror * sin, -mirror * (cos * x + sin * y)], dim=-1),
            torch.stack([-sin, cos, sin * x - cos * y], dim=-1),
        ],
        dim=-2,
    )
    # Sampled at the sprites' size at least and averaged, so that edges are smooth.
    finer = max(2, SPRITE // size)
    grid = functional.affine_grid(theta, [count, 4, finer * size, finer * size], align_corners=False)
    layer = functional.grid_sample(sprites[attributes.labels, styles], grid, mode="bilinear", align_corners=False)
    layer = paint(functional.avg_pool2d(layer, finer), attributes.colours)

    # Background: a light base colour, and a faint linear gradient in a random direction.
    base = uniform(0.80, 0.97, count, 1) + uniform(-0.05, 0.05, count, 3)
    slope = uniform(-0.05, 0.05, count, 3)
    direction = uniform(0, 2 * math.pi)
    axis = torch.linspace(-1, 1, size)
    ramp = direction.cos()[:, None, None] * axis[None, None, :] + direction.sin()[:, None, None] * axis[None, :, None]
    background = base[:, :, None, None] + slope[:, :, None, None] * ramp[:, None]
    pictures = layer[:, :3] + (1 - layer[:, 3:]) * background
    return pictures.clamp(0, 1), attributes


def degrade(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Imitates what a generative model gets wrong: blur, noise, colour; each to a random degree, often none.

    Args:
        pictures: Shape (count, 3, size, size) in [0, 1].
        generator: The only source of chance.

    Returns:
        Same shape and range.
    """
    count, _, size, _ = pictures.shape

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    # Blur: a Gaussian of 0 to 2 pixels (at 64 pixels a side), weighted per picture between three fixed widths.
    widths = [0.0, 0.7, 1.3, 2.0]
    choice = torch.randint(len(widths), (count,), generator=generator)
    blurred = pictures.clone()
    for index, width in enumerate(widths):
        chosen = choice == index
        if width and bool(chosen.any()):
            blurred[chosen] = gaussian_blur(pictures[chosen], width * size / 64)
    # Colour: contrast, brightness, and one gain for each channel.
    gain = uniform(0.8, 1.2, 1, 1, 1) * uniform(0.92, 1.08, 3, 1, 1)
    offset = uniform(-0.1, 0.1, 1, 1, 1)
    mean = blurred.mean(dim=(1, 2, 3), keepdim=True)
    coloured = (blurred - mean) * gain + mean + offset
    # Noise: white and, at a quarter of the resolution, blotches.
    white = torch.randn(pictures.shape, generator=generator) * uniform(0, 0.08, 1, 1, 1)
    coarse = torch.randn(count, 3, size // 4, size // 4, generator=generator) * uniform(0, 0.08, 1, 1, 1)
    blotches = functional.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
    return (coloured + white + blotches).clamp(0, 1)


def gaussian_blur(pictures: Tensor, width: float) -> Tensor:
    """Blurs pictures of shape (count, channels, height, width) by a Gaussian whose standard deviation is in pixels."""
    radius = max(1, math.ceil(2.5 * width))
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / width) ** 2)
    kernel = kernel / kernel.sum()
    channels = pictures.shape[1]
    padded = functional.pad(pictures, (radius,) * 4, mode="reflect")
    across = functional.conv2d(padded, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return functional.conv2d(across, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def save_sheet(pictures: Tensor, columns: int, path: Path, zoom: int = 1) -> None:
    """Writes pictures of shape (count, 3, height, width) row by row into one PNG, each pixel ``zoom`` pixels wide."""
    count, _, height, width = pictures.shape
    rows = math.ceil(count / columns)
    sheet = torch.ones(3, rows * (height + 2), columns * (width + 2))
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + 2), index % columns * (width + 2)
        sheet[:, top : top + height, left : left + width] = picture
    array = (sheet.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    image = Image.fromarray(array)
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path)


def main() -> None:
    """Renders the sprites."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--icons", type=Path, required=True, help="folder with one folder for each icon set")
    parser.add_argument("--out", type=Path, required=True, help="sprites, a .safetensors file")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet of all sprites and some pictures")
    arguments = parser.parse_args()
    sprites = render_sprites(arguments.icons)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({"sprites": sprites.contiguous()}, arguments.out)
    if arguments.sheet:
        flat = sprites.flatten(0, 1)
        over_grey = flat[:, :3] + (1 - flat[:, 3:]) * 0.9
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(len(LABELS)).repeat_interleave(8)
        said = draw_attributes(len(labels), generator)._replace(labels=labels)
        varied = torch.arange(len(labels)) % 8 >= 3
        said = Attributes(*(torch.where(varied, *pair) for pair in zip(said, plain(labels), strict=True)))
        pictures, _ = draw(sprites, len(labels), SPRITE, generator, said)
        rows = [torch.cat([over_grey[4 * i : 4 * i + 4], pictures[8 * i : 8 * i + 8]]) for i in range(len(LABELS))]
        save_sheet(torch.cat(rows), columns=12, path=arguments.sheet)


if __name__ == "__main__":
    main()
