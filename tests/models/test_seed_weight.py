"""The seed vector's weight after the first step: by hand, and as the samplers themselves have it."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from pytest_seedshift.models.glide.schedulers import GlideDDIMScheduler, GlideDDPMScheduler
from pytest_seedshift.models.seed_weight import seed_weight

# ᾱ = 0.9, 0.72, 0.36, 0.09
FOUR = {"num_train_timesteps": 4, "trained_betas": [0.1, 0.2, 0.5, 0.75], "clip_sample": False}
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
PREDICTS_V = {"prediction_type": "v_prediction"}


def stepped(scheduler, steps: int):
    scheduler.set_timesteps(steps)
    return scheduler


def test_ddim_by_hand():
    """From ᾱ = 0.09 to 0.36: √0.64 / √0.91."""
    found = seed_weight(stepped(DDIMScheduler(**FOUR), 4))
    assert found.weight == pytest.approx(0.8 / math.sqrt(0.91))
    assert found.snr == found.terminal_snr == pytest.approx(0.09 / 0.91)


def test_ddpm_by_hand():
    """√α·(1 − ᾱ')/(1 − ᾱ) with α = 0.25: 0.5·0.64/0.91."""
    assert seed_weight(stepped(DDPMScheduler(**FOUR), 4)).weight == pytest.approx(0.5 * 0.64 / 0.91)


def test_a_stride_goes_to_the_step_that_is_really_next():
    """Two trailing steps, 3 and 1: from ᾱ = 0.09 to 0.72."""
    found = seed_weight(stepped(DDIMScheduler(**FOUR, timestep_spacing="trailing"), 2))
    assert found.weight == pytest.approx(math.sqrt(0.28 / 0.91))


def test_leading_steps_begin_before_the_schedule_s_end():
    found = seed_weight(stepped(DDIMScheduler(**FOUR), 2))
    assert (found.snr, found.terminal_snr) == (pytest.approx(0.36 / 0.64), pytest.approx(0.09 / 0.91))
    assert found.weight == pytest.approx(math.sqrt(0.1 / 0.64))


def test_a_single_step_leaves_nothing():
    assert seed_weight(stepped(DDIMScheduler(**FOUR), 1)).weight == 0
    assert seed_weight(stepped(DDPMScheduler(**FOUR), 1)).weight == 0


def test_at_zero_terminal_snr_the_ancestral_sampler_forgets_the_seed_vector_and_ddim_keeps_it():
    rescaled = SD | PREDICTS_V | {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    forgets = seed_weight(stepped(DDPMScheduler(**rescaled), 10))
    keeps = seed_weight(stepped(DDIMScheduler(**rescaled), 10))
    assert (forgets.weight, forgets.snr, forgets.terminal_snr) == (0, 0, 0)
    assert (keeps.snr, keeps.terminal_snr) == (0, 0)
    assert keeps.weight > 0.99


def test_stable_diffusion_s_schedule_keeps_most_of_the_seed_vector_under_ddim():
    found = seed_weight(stepped(DDIMScheduler(**SD), 50))
    assert found.weight > 0.99
    assert found.terminal_snr == pytest.approx(0.00468, abs=1e-4)


SAMPLERS = {
    "ddim": lambda: DDIMScheduler(**SD, **PREDICTS_V),
    "ddim-to-one": lambda: DDIMScheduler(**SD, **PREDICTS_V, steps_offset=1, set_alpha_to_one=False),
    "ddim-trailing": lambda: DDIMScheduler(**SD, **PREDICTS_V, timestep_spacing="trailing"),
    "ddim-zsnr": lambda: DDIMScheduler(
        **SD, **PREDICTS_V, timestep_spacing="trailing", rescale_betas_zero_snr=True, set_alpha_to_one=False
    ),
    "ddpm": lambda: DDPMScheduler(**SD, **PREDICTS_V),
    "ddpm-trailing": lambda: DDPMScheduler(**SD, **PREDICTS_V, timestep_spacing="trailing"),
    "glide-ddim": lambda: GlideDDIMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False, **PREDICTS_V),
    "glide-ddpm": lambda: GlideDDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=False, **PREDICTS_V),
}


@pytest.mark.parametrize("name", SAMPLERS)
@given(steps=st.integers(1, 100), share=st.sampled_from([0.0, 0.4, 1.0]))
def test_a_sampler_s_own_first_step_has_the_same_weight(name, steps, share):
    """Where v makes the guess 0, the step is the seed vector's weight and fresh noise, here drawn alike for both."""
    scheduler = stepped(SAMPLERS[name](), steps)
    eta = share if "ddim" in name else 0.0
    if name == "ddim-zsnr":
        eta = min(eta, 0.4)  # at 1 diffusers takes the root of what is 0 but for a rounding error: no number
    first = scheduler.timesteps[0]
    kept = float(scheduler.alphas_cumprod[int(first)])
    seed = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64).view(1, 3, 1, 1)

    def step(z: torch.Tensor) -> torch.Tensor:
        given = {"eta": eta} if "ddim" in name else {}
        v = z * math.sqrt(kept / (1 - kept))
        return scheduler.step(v, first, z, generator=torch.Generator().manual_seed(0), **given).prev_sample

    difference = (step(2 * seed) - step(seed)) / seed
    assert difference.mean().item() == pytest.approx(seed_weight(scheduler, eta).weight, rel=1e-4, abs=1e-4)


@given(eta=st.floats(0, 1), steps=st.integers(2, 100))
def test_more_fresh_noise_leaves_less_of_the_seed_vector(eta, steps):
    scheduler = stepped(DDIMScheduler(**SD), steps)
    weights = [seed_weight(scheduler, share).weight for share in (0.0, eta, 1.0)]
    assert weights == sorted(weights, reverse=True)
    assert 0 <= weights[-1] <= weights[0] <= 1
    assert weights[-1] == pytest.approx(seed_weight(stepped(DDPMScheduler(**SD), steps)).weight)


def test_what_cannot_be_told_says_why():
    with pytest.raises(ValueError, match=r"not known for EulerDiscreteScheduler\. It is for DDIMScheduler, DDPM"):
        seed_weight(EulerDiscreteScheduler())
    with pytest.raises(ValueError, match="DDIMScheduler has no steps yet: call its set_timesteps"):
        seed_weight(DDIMScheduler())
    with pytest.raises(ValueError, match="eta = 2: give a number from 0 to 1"):
        seed_weight(stepped(DDIMScheduler(), 5), eta=2)
