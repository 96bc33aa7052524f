"""GLIDE's two samplers as they were released: which steps they take, in what precision, and how DDIM clips.

Both are samplers of diffusers with three differences, each of which shows in a trajectory: the steps are spaced as the
released code spaces them, the noise schedule is worked out in double precision, and DDIM goes to the step that is
really next and recomputes the noise from the clipped image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import wraps
from itertools import accumulate, pairwise, repeat
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, SchedulerMixin
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from pytest_seedshift.core.errors import InvalidValueError

# Of the mixin nothing is used here, but diffusers looks for it beside the classes that it shall load.
__all__ = ["GlideDDIMScheduler", "GlideDDPMScheduler", "SchedulerMixin", "alphas_cumprod", "respaced"]

_FAST27 = "10,10,3,2,2"
_VALID = "a number of steps, numbers for equal sections such as '10,10,15', 'ddim25', or 'fast27'"


def respaced(total: int, respacing: int | str) -> list[int]:
    """The steps that a shorter sampling takes, as GLIDE's released code chooses them.

    Args:
        total: steps that the model was trained with.
        respacing: how many, evenly from the first to the last (`100`); numbers for equal sections, the least noisy
            first (`10,10,15`); `ddim25`, steps at an integer stride from 0 as in the paper on DDIM (arXiv 2010.02502);
            or `fast27`, made for the upsampler, which leaves out the noisiest steps.

    Returns:
        Steps in ascending order.

    Raises:
        InvalidValueError: there is no such spacing, or not so many steps.
    """
    text = str(respacing)
    if text == "fast27":
        *others, _ = respaced(total, _FAST27)
        return [*others, total - 3]
    if text.startswith("ddim") and text[4:].isdecimal():
        count = int(text[4:])
        for stride in range(1, total):
            if len(range(0, total, stride)) == count:
                return list(range(0, total, stride))
        raise InvalidValueError(f"respacing {text!r}: no integer stride makes {count} of {total} steps")
    if not all(part.isdecimal() for part in text.split(",")):
        raise InvalidValueError(f"respacing {text!r}: give {_VALID}")
    counts = [int(part) for part in text.split(",")]
    size, larger = divmod(total, len(counts))
    chosen: list[int] = []
    first = 0
    for index, count in enumerate(counts):
        length = size + (index < larger)
        if not 1 <= count <= length:
            raise InvalidValueError(f"respacing {text!r}: {count} steps of {length} cannot be taken")
        apart = (length - 1) / (count - 1) if count > 1 else 1.0
        # Summed up, not multiplied: a sum that is a little less than half a step is rounded to another one.
        chosen += [first + round(place) for place in accumulate(repeat(apart, count - 1), initial=0.0)]
        first += length
    return chosen


def alphas_cumprod(config: Any) -> Tensor:
    """The signal's share ᾱ of the variance at every step of training, in double precision.

    The schedules are those of Ho et al. (arXiv 2006.11239, linear) and of Nichol and Dhariwal (arXiv 2102.09672,
    equation 17, cosine with β at most 0.999).

    Args:
        config: of a scheduler.

    Returns:
        (num_train_timesteps,), float64.

    Raises:
        InvalidValueError: another schedule.
    """
    count = config.num_train_timesteps
    if config.trained_betas is not None:
        betas = torch.tensor(config.trained_betas, dtype=torch.float64)
    elif config.beta_schedule == "linear":
        betas = torch.linspace(config.beta_start, config.beta_end, count, dtype=torch.float64)
    elif config.beta_schedule == "squaredcos_cap_v2":
        kept = [math.cos((step / count + 0.008) / 1.008 * math.pi / 2) ** 2 for step in range(count + 1)]
        steps = [min(1 - after / now, 0.999) for now, after in pairwise(kept)]
        betas = torch.tensor(steps, dtype=torch.float64)
    else:
        raise InvalidValueError(f"beta_schedule {config.beta_schedule!r}: give 'linear' or 'squaredcos_cap_v2'")
    return torch.cumprod(1 - betas, dim=0)


class GlideDDPMScheduler(DDPMScheduler):  # type: ignore[misc]
    """The base's sampler: ancestral, with a variance that the model chooses (`variance_type="learned_range"`)."""

    @wraps(DDPMScheduler.__init__)  # type: ignore[misc]  # diffusers reads the options from it
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alphas_cumprod = alphas_cumprod(self.config)

    def set_timesteps(
        self,
        num_inference_steps: int | str | None = None,
        device: Any = None,
        timesteps: Sequence[int] | None = None,
    ) -> None:
        """Choose the steps.

        Args:
            num_inference_steps: how many, or a respacing; see `respaced`.
            device: where `timesteps` shall be.
            timesteps: steps in descending order, in place of a number.
        """
        if timesteps is None and num_inference_steps is not None:
            timesteps = respaced(self.config.num_train_timesteps, num_inference_steps)[::-1]
        super().set_timesteps(timesteps=timesteps, device=device)
        self.num_inference_steps = len(self.timesteps)


class GlideDDIMScheduler(DDIMScheduler):  # type: ignore[misc]
    """The upsampler's sampler: DDIM that takes any steps and always works with the noise of the clipped image."""

    @wraps(DDIMScheduler.__init__)  # type: ignore[misc]  # diffusers reads the options from it
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alphas_cumprod = alphas_cumprod(self.config)
        self._previous: dict[int, int] = {}

    def set_timesteps(self, num_inference_steps: int | str, device: Any = None) -> None:
        """Choose the steps.

        Args:
            num_inference_steps: how many, or a respacing; see `respaced`.
            device: where `timesteps` shall be.
        """
        chosen = respaced(self.config.num_train_timesteps, num_inference_steps)[::-1]
        self._previous = dict(zip(chosen, [*chosen[1:], -1], strict=True))
        self.num_inference_steps = len(chosen)
        self.timesteps = torch.tensor(chosen, device=device)

    def step(
        self,
        model_output: Tensor,
        timestep: int | Tensor,
        sample: Tensor,
        eta: float = 0.0,
        use_clipped_model_output: bool = True,
        generator: Any = None,
        variance_noise: Tensor | None = None,
        return_dict: bool = True,
    ) -> Any:
        """One step towards the image; equation 12 of arXiv 2010.02502, with the noise recomputed from the clipped x₀.

        Args:
            model_output: what the model predicts, as `prediction_type` says, (batch, …).
            timestep: one of `timesteps`.
            sample: of that step, same shape.
            eta: share of the ancestral sampler's noise, 0 for none.
            use_clipped_model_output: False for the noise as the model predicts it, clipped or not.
            generator: one, or one for each row.
            variance_noise: noise in place of the generator's.
            return_dict: False for a tuple.

        Raises:
            InvalidValueError: a timestep that is none of `timesteps`, or a prediction that is not known.
        """
        now = int(timestep)
        if now not in self._previous:
            raise InvalidValueError(f"timestep {now} is not among those that set_timesteps chose")
        before = self._previous[now]
        kept = float(self.alphas_cumprod[now])
        kept_before = float(self.alphas_cumprod[before]) if before >= 0 else 1.0
        signal, noise = math.sqrt(kept), math.sqrt(1 - kept)
        kind = self.config.prediction_type
        if kind == "epsilon":
            clean = sample / signal - (noise / signal) * model_output
        elif kind == "v_prediction":
            clean = signal * sample - noise * model_output
        elif kind == "sample":
            clean = model_output
        else:
            raise InvalidValueError(f"prediction_type {kind!r}: give 'epsilon', 'v_prediction' or 'sample'")
        raw = clean
        if self.config.clip_sample:
            clean = clean.clamp(-self.config.clip_sample_range, self.config.clip_sample_range)
        predicted = (sample - signal * (clean if use_clipped_model_output else raw)) / noise
        spread = eta * math.sqrt((1 - kept_before) / (1 - kept) * (1 - kept / kept_before))
        result = math.sqrt(kept_before) * clean + math.sqrt(1 - kept_before - spread**2) * predicted
        if spread > 0:
            if variance_noise is None:
                variance_noise = randn_tensor(
                    sample.shape, generator=generator, device=sample.device, dtype=sample.dtype
                )
            result = result + spread * variance_noise
        if not return_dict:
            return result, clean
        return DDIMSchedulerOutput(prev_sample=result, pred_original_sample=clean)
