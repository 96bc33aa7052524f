"""How much a model's image changes when only the seed vector changes, or only the noise that is drawn later.

A model that holds under every shift may hold because it does not use its seed vector: an ancestral sampler that
begins in pure noise replaces nearly all of it at its first step. So a robustness is worth as much as the seed vector
matters, and that is measured here: images that differ in their seed vector alone, in the later noise alone (that of the
sampler at its steps, and of other stages), and, as the unit of both, in their label alone.

They come in **blocks** of two labels, with noise that no other block has, so that blocks are independent of each other:

| image | label | seed vector | later noise |
|---|---|---|---|
| a, b | 1, 2 | i | i |
| a', b' | 1, 2 | another | i |
| a″, b″ | 1, 2 | i | another |

By seed vector: a–a', b–b'. By later noise: a–a″, b–b″. By label: a–b, a'–b', a″–b″. Each is measured as the angle
between CLIP's image embeddings, arccos of their cosine, and as the root of the mean square difference of all pixels'
values in [0, 1]. (1 − cos itself grows with the square of the angle: the few blocks in which the object changed would
decide all, and no interval over a few blocks would hold.) What is told is a sum over the blocks over the sum by label,
so 1 means "as much as another label".

The first two rows cross labels and seed vectors, so that they say as well which share of the variance of pictures the
seed vector explains: see `core.stats.seed_variance`.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_seedshift.core.pairs import Label, Noise, Pair, place
from pytest_seedshift.core.scores import CERTAINTY
from pytest_seedshift.core.stats import seed_variance
from pytest_seedshift.core.stats.seed_shares import KINDS, Distances, Sensitivity, SensitivityError, Squares
from pytest_seedshift.core.stats.seed_variance import QUANTITIES
from pytest_seedshift.studies import picture_quantities

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.scorers.base import Embedder

BLOCKS = 8
"""How many blocks are measured unless said otherwise: 48 images.

What has to be told apart is "hardly at all" from "much"; see `IGNORED`. Eight blocks tell a share to about a third of
itself by pixels and a half by CLIP, at a certainty of 0.99: enough to tell 0.05 from 0.1. On the toy models, over draws
of eight of 128 blocks, such an interval held the value of all 128 in 98 to 99 of 100 draws by pixels (92 by pixels
where the share is as small as 0.016), and in 90 to 98 by CLIP, whose angles have a long tail.
"""

MORE = 64
"""How many blocks are measured in all where the share of eight says that the seed vector may be ignored: 384 images.

The interval of eight may leave it open. And eight blocks cannot see a model that looks in one block of ten: in four
draws of ten none of them is of that kind, and it would be said to ignore its seed vector. Of 64 blocks that is said in
fewer than one of a hundred.
"""


_ROUNDING = 1
"""Images of which no value differs by more of the 256 levels are the same image: a device may round now so, now so."""


def design(labels: Sequence[Label], blocks: int = BLOCKS) -> tuple[tuple[Pair, ...], ...]:
    """The images of all blocks: as they are first, with other seed vectors, with other later noise.

    Args:
        labels: of a class list, at least two. The blocks take them in a random order that depends on their names alone,
            each once before any comes again.
        blocks: how many, at least two.

    Returns:
        Three rows of two images a block, block by block.

    Raises:
        SensitivityError: fewer than two labels or blocks.
    """
    if len(labels) < 2 or blocks < 2:
        raise SensitivityError(
            f"{len(labels)} labels in {blocks} blocks: the spread between labels needs two of both at least"
        )
    ordered = sorted(labels, key=lambda label: place(label.name, 0))
    chosen = list(islice(cycle(ordered), 2 * blocks))

    def row(vector: int, later: int) -> tuple[Pair, ...]:
        noises = [Noise(2 * (k // 2) + vector, 2 * (k // 2) + later) for k in range(2 * blocks)]
        return tuple(Pair(label, k // 2, noise) for k, (label, noise) in enumerate(zip(chosen, noises, strict=True)))

    return row(0, 0), row(1, 0), row(0, 1)


def fingerprint(rows: Sequence[Sequence[Pair]]) -> str:
    """What tells a design from another."""
    noises = [
        [pair.prompt, pair.noise and [pair.noise.vector, pair.noise.later], *filter(None, [pair.negative_prompt])]
        for row in rows
        for pair in row
    ]
    return hashlib.sha256(json.dumps(noises).encode()).hexdigest()[:16]


def measure(
    model: TextToImage,
    embedder: Embedder,
    rows: Sequence[Sequence[Pair]],
    *,
    batch_size: int | None = None,
    certainty: float = CERTAINTY,
    progress: Callable[[int], None] | None = None,
) -> Sensitivity:
    """Measure a model's seed sensitivity.

    Args:
        model: loaded.
        embedder: of its images; a scorer that is loaded already, such as `ClipScore`.
        rows: see `design`.
        batch_size: the most images that are generated at once; None for one row, which is two images a block.
        certainty: of the intervals, between 0.5 and 1.
        progress: called with the number of images so far, before each row.

    Raises:
        CaseError: an image cannot be generated, or has NaN or Inf in it.
        SensitivityError: the images of different labels do not differ, so that there is no unit.
    """
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.runner.generate import Engine

    start = time.perf_counter()
    made: list[_Images] = []
    for number, row in enumerate(rows):
        if progress is not None:
            progress(number * len(row))
        # Each row by itself, so that every image has the same place in the same batch as the one it is held against.
        engine = Engine(model, (), batch_size or len(row), overlap=False)
        made.append(_Images.of(engine.images(Case(model.name), row), embedder))
    distances = _distances(*made)
    for kind, each in distances.items():
        if not math.fsum(each.label):
            raise SensitivityError(
                f"images of {model.name} with unlike labels do not differ by {KINDS[kind]}: there is nothing to hold "
                "the change by another seed vector against"
            )
    took = time.perf_counter() - start
    return Sensitivity(model.name, distances, sum(map(len, rows)), took, certainty, _variance(*made[:2]))


# Distances -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Images:
    """Some images: as bytes, (count, 3, height, width), and embedded, float64, (count, width); both on the CPU."""

    levels: Tensor
    embedded: Tensor

    @classmethod
    def of(cls, batches: Iterable[Tensor], embedder: Embedder) -> _Images:
        import torch

        found = [(images.mul(255).round().byte().cpu(), embedder.embed(images).cpu().double()) for images in batches]
        return cls(*map(torch.cat, zip(*found, strict=True)))

    def __getitem__(self, part: slice) -> _Images:
        return _Images(self.levels[part], self.embedded[part])

    def against(self, others: _Images) -> dict[str, Tensor]:
        """The distances of images to others, by kind, (count,): degrees from 0 to 180, and values from 0 to 1."""
        apart = (self.levels.short() - others.levels).abs().flatten(1)
        same = apart.amax(1) <= _ROUNDING
        cosine = (self.embedded * others.embedded).sum(1).clamp(-1, 1)
        distances = {"clip": cosine.arccos().rad2deg(), "pixel": apart.double().div(255).square().mean(1).sqrt()}
        return {kind: each.masked_fill(same, 0.0) for kind, each in distances.items()}


def _variance(first: _Images, other_vector: _Images) -> dict[str, Squares]:
    """What labels and seed vectors explain of the pictures, in the two rows that cross them."""
    import numpy as np

    rows = [picture_quantities.of(each.levels) for each in (first, other_vector)]
    found = {}
    for name in QUANTITIES:
        both = np.stack([row[name].reshape(-1, 2, row[name].shape[1]) for row in rows], axis=2)
        found[name] = seed_variance.squares(both)
    return found


def _distances(first: _Images, other_vector: _Images, other_later: _Images) -> dict[str, Distances]:
    vector, later = first.against(other_vector), first.against(other_later)
    rows = [row[::2].against(row[1::2]) for row in (first, other_vector, other_later)]
    label = {kind: zip(*(each[kind].tolist() for each in rows), strict=True) for kind in KINDS}

    def by_block(values: Tensor) -> tuple[float, ...]:
        return tuple(values.reshape(-1, 2).mean(1).tolist())

    return {
        kind: Distances(
            by_block(vector[kind]),
            by_block(later[kind]),
            tuple(map(fmean, label[kind])),
        )
        for kind in KINDS
    }
