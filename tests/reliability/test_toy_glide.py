"""toy-glide must be good unshifted, and hold where an ancestral sampler lets it."""

from __future__ import annotations

import pytest


@pytest.mark.slow
@pytest.mark.reliability(
    models="toy-glide",
    shifts="mixed",
    magnitudes=-0.3,
    images=24,
    top1={"min": 0.85, "max_drop": 0.15},
    clip={"min": 30.0, "max_drop": 3.0},
)
def test_a_shift_that_breaks_toy_latent_leaves_it_whole():
    pass


@pytest.mark.nightly
@pytest.mark.reliability(models="toy-glide", magnitudes=0, images=96, top1=0.90, top5=0.97, clip=30.0)
def test_without_a_shift_it_draws_what_it_is_asked_for():
    pass


@pytest.mark.nightly
@pytest.mark.reliability(
    models="toy-glide",
    shifts=["mean", "mixed"],
    magnitudes=[-0.3, 0.3],
    images=48,
    top1={"max_drop": 0.15},
    clip={"max_drop": 3.0},
)
def test_no_shift_that_breaks_toy_latent_breaks_it():
    pass
