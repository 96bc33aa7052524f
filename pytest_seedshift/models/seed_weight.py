"""How much of the seed vector a sampler keeps, from its schedule alone.

Of a state x = √ᾱ·x₀ + √(1 − ᾱ)·ε at the first of the chosen steps, a sampler that guesses x̂₀ goes to

    x' = √ᾱ'·x̂₀ + √(1 − ᾱ' − σ²)·(x − √ᾱ·x̂₀)/√(1 − ᾱ) + σ·fresh noise
    σ² = η²·(1 − ᾱ')/(1 − ᾱ)·(1 − ᾱ/ᾱ')

(Song et al., arXiv 2010.02502, equations 12 and 16): η = 0 is DDIM, η = 1 DDPM's sampler (Ho et al., arXiv 2006.11239,
equation 7). At the first step x is the seed vector, so that its weight in x' is

    √(1 − ᾱ' − σ²)/√(1 − ᾱ)

while the guess is held: what reaches the picture by way of the guess x̂₀(x) is not in it. For η = 1 it equals
√(ᾱ/ᾱ')·(1 − ᾱ')/(1 − ᾱ), which is 0 where ᾱ is: there the sampler forgets the seed vector at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_seedshift.core.errors import InvalidValueError

_DETERMINISTIC = ("DDIMScheduler", "GlideDDIMScheduler")
_ANCESTRAL = ("DDPMScheduler", "GlideDDPMScheduler")


@dataclass(frozen=True, slots=True)
class SeedWeight:
    """What a schedule says of the seed vector.

    Attributes:
        weight: of the seed vector in the state after the first step, 0 to 1.
        snr: the signal-to-noise ratio ᾱ/(1 − ᾱ) that the network takes the seed vector to have, at the first of the
            steps that are taken.
        terminal_snr: the same at the last step of the schedule, which the network was trained with.
    """

    weight: float
    snr: float
    terminal_snr: float


def seed_weight(scheduler: Any, eta: float = 0.0) -> SeedWeight:
    """How much of the seed vector a sampler keeps: its weight after the first step, from the schedule alone.

    By Song et al. (arXiv 2010.02502), equations 12 and 16, while the guessed picture is held.

    Args:
        scheduler: DDIM or DDPM's of diffusers or of this package, with its steps set.
        eta: DDIM's share of new noise, 0 to 1; DDPM's sampler is what 1 gives.

    Returns:
        The weight, 0 to 1, and the signal-to-noise ratios where sampling and where the schedule begins, 0 or more.

    Raises:
        InvalidValueError: another sampler, no steps, or an `eta` outside its range.
    """
    name = type(scheduler).__name__
    if name not in (*_DETERMINISTIC, *_ANCESTRAL):
        known = ", ".join(sorted({*_DETERMINISTIC, *_ANCESTRAL}))
        raise InvalidValueError(f"the seed vector's weight is not known for {name}. It is for {known}")
    if not 0 <= eta <= 1:
        raise InvalidValueError(f"eta = {eta:g}: give a number from 0 to 1")
    if scheduler.num_inference_steps is None:
        raise InvalidValueError(f"{name} has no steps yet: call its set_timesteps")
    kept = [float(value) for value in scheduler.alphas_cumprod.double()]
    first = int(scheduler.timesteps[0])
    now, after = kept[first], _next(scheduler, kept)
    eta = 1.0 if name in _ANCESTRAL else eta
    fresh = eta**2 * (1 - after) / (1 - now) * (1 - now / after)
    return SeedWeight(math.sqrt(max(1 - after - fresh, 0.0) / (1 - now)), _snr(now), _snr(kept[-1]))


def _next(scheduler: Any, kept: Sequence[float]) -> float:
    """ᾱ of the state that the first step leads to, by the rule of the scheduler's class."""
    plain = type(scheduler).__name__ == "DDIMScheduler"
    if plain:  # by an equal stride, whatever the spacing of its steps is
        stride: int = scheduler.config.num_train_timesteps // scheduler.num_inference_steps
        before = int(scheduler.timesteps[0]) - stride
    else:
        before = int(scheduler.timesteps[1]) if len(scheduler.timesteps) > 1 else -1
    if before >= 0:
        return kept[before]
    return float(scheduler.final_alpha_cumprod) if plain else 1.0


def _snr(kept: float) -> float:
    return kept / (1 - kept)
