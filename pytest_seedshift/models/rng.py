"""Keyed noise: every draw comes from a generator of its own, seeded by a hash of what it is for and of its pair.

So a draw is the same in every case, batch, process and machine, whatever else is drawn before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pytest_seedshift.core.pairs import digest

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair


def generator(pair: Pair, purpose: str, *, seed: int = 0) -> torch.Generator:
    """A generator for one purpose of one pair, the same in every case, batch, process and machine.

    For what a model draws besides its seed vector, such as an ancestral sampler's noise: drawn from the pair's own
    generator, it depends neither on the batch nor on what was generated before.

    Args:
        pair: whose draws they are.
        purpose: what is drawn, such as `"steps"`: two purposes share no numbers.
        seed: 0, or another number for other draws of the same pair.

    Returns:
        On the CPU, at its beginning.
    """
    named = (pair.label.name, pair.seed) if pair.noise is None else ("noise", "later", pair.noise.later)
    return _generator(digest(purpose, seed, *named))


def vector_generator(pair: Pair, shape: Sequence[int], *, seed: int = 0) -> torch.Generator:
    """The CPU generator that a pair's seed vector of a shape comes from.

    Where the pair does not name its noise, that of the same purpose by `generator`: other draws may go on with it.
    """
    # The shape is in the key: seed vectors of different shapes must not share their first numbers.
    purpose = f"z{tuple(shape)}"  # a torch.Size would be written otherwise
    if pair.noise is None:
        return generator(pair, purpose, seed=seed)
    return _generator(digest(purpose, seed, "noise", "vector", pair.noise.vector))


def seed_vectors(pairs: Sequence[Pair], shape: tuple[int, ...], *, seed: int = 0) -> Tensor:
    """The pairs' seed vectors z ~ N(0, 1), each keyed by its own pair: the same in every batch, process and machine.

    Args:
        pairs: at least one.
        shape: of one seed vector, such as (4, 64, 64).
        seed: 0, or another number for other draws of the same pairs.

    Returns:
        Float32 on the CPU, (len(pairs), *shape).
    """
    return torch.stack([torch.randn(shape, generator=vector_generator(pair, shape, seed=seed)) for pair in pairs])


def _generator(key: bytes) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(int.from_bytes(key[:8], "big", signed=True))
