"""Models that do not look at the seed vector's index, by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_seedshift.core import pairs
from pytest_seedshift.models import rng

if TYPE_CHECKING:
    import pytest


def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model draw one seed vector a label, whatever the seed."""
    native = rng.vector_generator

    def vector(pair: pairs.Pair, shape, **more):
        noise = pair.noise and pairs.Noise(0, pair.noise.later)
        return native(pairs.Pair(pair.label, pair.seed, noise), shape, **more)

    monkeypatch.setattr(rng, "vector_generator", vector)
