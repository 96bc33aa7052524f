"""The null control must not break, at any magnitude."""

from __future__ import annotations

import pytest


@pytest.mark.slow
@pytest.mark.breaking_point(
    models="toy-latent",
    shifts="arrangement:permute",
    signs="+",
    images=16,
    min_breaking_point=1.0,
    top1=0.6,
    top5=0.6,
    clip=20.0,
)
def test_a_permutation_of_the_seed_vector_never_breaks_it(breaking_point):
    assert breaking_point.at is None
    assert breaking_point.holds_at == 1.0
