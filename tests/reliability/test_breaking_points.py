"""Where toy-latent breaks; and the null control, which must not."""

from __future__ import annotations

import pytest


@pytest.mark.slow
@pytest.mark.breaking_point(
    models="toy-latent", shifts="arrangement:permute", signs="+", images=16, min_breaking_point=1.0, top1=0.6
)
def test_a_permutation_of_the_seed_vector_never_breaks_it(breaking_point):
    assert breaking_point.at is None
    assert breaking_point.holds_at == 1.0


@pytest.mark.slow
@pytest.mark.breaking_point(models="toy-latent", shifts="mean", signs="+", images=16, min_breaking_point=0.1)
def test_a_mean_shift_breaks_it_where_the_readme_says(breaking_point):
    assert 0.1 < breaking_point.at < 0.4
    assert breaking_point.images < 51 * 16 / 5
