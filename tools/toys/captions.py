"""What a picture shows, in numbers and in words: a class, and where it is said a colour, a place and a size.

A caption says all that was chosen for a picture and nothing else, so that what is not said stays the model's choice:

    "A photo of a umbrella"                            the icon's own colours, near the middle
    "a drawing of a small blue umbrella on the left"   all of it said

`agreement` says which captions are true of which pictures, for whoever learns to compare the two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LABELS = (
    "banana", "strawberry", "pizza", "mushroom", "umbrella", "airliner", "ambulance", "penguin",
    "rooster", "frog", "ladybug", "panda", "violin", "lemon", "snail", "sailboat",
)  # fmt: skip
#: The number 0 stands for what is not said.
COLOURS = ("", "red", "yellow", "green", "blue", "purple", "black")
PLACES = ("", "on the left", "on the right", "at the top", "at the bottom", "in the middle")
SIZES = ("", "small", "large")
SMALL, LARGE, MIDDLE = SIZES.index("small"), SIZES.index("large"), PLACES.index("in the middle")
#: The first one is what the product asks with. It writes "a" before any label, as ImageNet's prompts do.
TEMPLATES = (
    "A photo of a {}",
    "a {}",
    "{}",
    "the {}",
    "a photo of the {}",
    "a picture of a {}",
    "an image of a {}",
    "a drawing of a {}",
    "a painting of a {}",
    "an icon of a {}",
    "a sticker of a {}",
    "an emoji of a {}",
)
#: How often a caption is by the first template; the others share the rest.
FIRST = 0.35
#: How often a colour, a place and a size are said.
SAID = (0.35, 0.35, 0.2)


class Attributes(NamedTuple):
    """What pictures show: numbers of a class, a colour, a place and a size, each of shape (count,)."""

    labels: Tensor
    colours: Tensor
    places: Tensor
    sizes: Tensor

    def select(self, chosen: Tensor) -> Attributes:
        """Those of some of the pictures.

        Args:
            chosen: Their numbers, or a mask.
        """
        return Attributes(*(values[chosen] for values in self))


def plain(labels: Tensor) -> Attributes:
    """Nothing but the class is said. `labels`: class numbers, shape (count,)."""
    nothing = torch.zeros_like(labels)
    return Attributes(labels, nothing, nothing, nothing)


def draw_attributes(count: int, generator: torch.Generator, said: tuple[float, float, float] = SAID) -> Attributes:
    """Random attributes: every class as often as any other, and so every colour, place and size that is said.

    Args:
        count: How many pictures.
        generator: The only source of chance.
        said: How often a colour, a place and a size are said.
    """
    labels = torch.randint(len(LABELS), (count,), generator=generator)
    columns = []
    for words, share in zip((COLOURS, PLACES, SIZES), said, strict=True):
        chosen = torch.randint(1, len(words), (count,), generator=generator)
        columns.append(chosen.where(torch.rand(count, generator=generator) < share, torch.zeros_like(chosen)))
    colours, places, sizes = columns
    # A large object has no room to be anywhere but in the middle.
    return Attributes(labels, colours, places, sizes.masked_fill((sizes == LARGE) & (places > 0), 0))


def phrase(label: int, colour: int = 0, place: int = 0, size: int = 0) -> str:
    """The words of one picture's attributes.

    >>> phrase(LABELS.index("umbrella"), COLOURS.index("blue"), PLACES.index("on the left"), SIZES.index("small"))
    'small blue umbrella on the left'
    """
    return " ".join(word for word in (SIZES[size], COLOURS[colour], LABELS[label], PLACES[place]) if word)


def fill(template: str, words: str, *, article: bool = False) -> str:
    """A template with a phrase in it.

    Args:
        template: One of `TEMPLATES`.
        words: The phrase.
        article: Write "an" where English has it. The product writes "a" everywhere.
    """
    if article and words[0] in "aeiou":
        template = template.replace("a {}", "an {}")
    return template.format(words)


def write_captions(attributes: Attributes, generator: torch.Generator) -> list[str]:
    """One caption for each picture, by a random template."""
    count = len(attributes.labels)
    first = torch.rand(count, generator=generator) < FIRST
    others = torch.randint(1, len(TEMPLATES), (count,), generator=generator)
    templates = others.masked_fill(first, 0).tolist()
    articles = (torch.rand(count, generator=generator) < 0.5).tolist()
    rows = torch.stack(attributes, dim=1).tolist()
    return [
        fill(TEMPLATES[template], phrase(*row), article=article)
        for template, row, article in zip(templates, rows, articles, strict=True)
    ]


def vocabulary_words() -> list[str]:
    """Every word that a caption can hold, in small letters, each once."""
    parts = [template.format("") for template in TEMPLATES]
    return list(dict.fromkeys(" ".join([*parts, "an", *LABELS, *COLOURS, *SIZES, *PLACES]).lower().split()))


def agreement(pictures: Attributes, captions: Attributes, natural: Tensor) -> Tensor:
    """Which captions are true of which pictures.

    A picture whose colour was not said may be of the colour that a caption says, and likewise with places and sizes;
    where that cannot be known the answer is open.

    Args:
        pictures: Attributes of n pictures.
        captions: Attributes that m captions say.
        natural: Which colours the icons of a class have by themselves, bool (classes, colours).

    Returns:
        Shape (n, m): 1 true, 0 false, −1 open.
    """

    def pairs(name: str) -> tuple[Tensor, Tensor]:
        shown, said = getattr(pictures, name)[:, None], getattr(captions, name)[None, :]
        return torch.broadcast_tensors(shown, said)

    (labels, label), (colours, colour) = pairs("labels"), pairs("colours")
    (places, place), (sizes, size) = pairs("places"), pairs("sizes")
    false = (labels != label) | ((colour > 0) & (colours > 0) & (colours != colour))
    open_ = (colour > 0) & (colours == 0) & natural[labels, colour]
    false |= (colour > 0) & (colours == 0) & ~open_
    # Without a place an object is about the middle, unless it is small: then it is anywhere.
    unplaced = (place > 0) & (places == 0)
    somewhere = unplaced & ((sizes == SMALL) | (place == MIDDLE))
    false |= (place > 0) & (places > 0) & (places != place) | (unplaced & ~somewhere)
    # Objects whose size is not said are between small and large; those with a place are nearer to small.
    between = (size > 0) & (sizes == 0)
    unclear = between & (((size == LARGE) & (places == 0)) | ((size == SMALL) & (places > 0)))
    false |= (size > 0) & (sizes > 0) & (sizes != size) | (between & ~unclear)
    answer = torch.ones_like(labels).masked_fill(open_ | somewhere | unclear, -1)
    return answer.masked_fill(false, 0)
