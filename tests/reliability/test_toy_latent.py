"""The plugin at its own work: the shipped toy must be good unshifted, break where it breaks and hold where it holds.

Run by every `pytest` of this project; the models are named, so that no option is needed.
"""

from __future__ import annotations

import pytest


@pytest.mark.nightly
@pytest.mark.reliability(models="toy-latent", magnitudes=0, images=192, top1=0.95, top5=0.99, clip=30.0)
def test_without_a_shift_it_draws_what_it_is_asked_for():
    pass


@pytest.mark.slow
@pytest.mark.reliability(models="toy-latent", magnitudes=0, images=64, top1=0.90, top5=0.95, clip=30.0)
def test_without_a_shift_it_draws_nearly_always_what_it_is_asked_for():
    pass


@pytest.mark.slow
@pytest.mark.reliability(
    models="toy-latent",
    shifts="arrangement:permute",
    magnitudes=1.0,
    images=64,
    top1={"max_drop": 0.08},
    clip={"max_drop": 2.0},
)
def test_a_permutation_of_the_seed_vector_changes_nothing_but_the_seed():
    """The null control: a permuted seed vector is another seed vector. A drop here would be a bug of ours."""


def drop(reliability, score: str) -> float:
    """How far the case's score lies below the control's on the same pairs."""
    return next(found.measured for found in reliability.findings if (found.score, found.kind) == (score, "max_drop"))


@pytest.mark.slow
@pytest.mark.reliability(
    models="toy-latent",
    shifts="mixed",
    magnitudes=-0.3,
    images=48,
    exact=True,
    top1={"max_drop": 1},
    top5=0.3,
    clip={"max_drop": 50},
)
def test_a_lower_mean_and_spread_break_it(reliability):
    if not reliability.case.is_control:
        assert drop(reliability, "top1") > 0.2
        assert drop(reliability, "clip") > 5


@pytest.mark.slow
@pytest.mark.reliability(
    models="toy-latent",
    shifts="arrangement",
    magnitudes=0.3,
    images=64,
    top1={"max_drop": 0.08},
    clip={"max_drop": 2.0},
)
def test_an_arrangement_of_a_corner_leaves_it_whole():
    pass
