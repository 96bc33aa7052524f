"""GLIDE: a base model that draws a small picture after a text, and an upsampler that enlarges it, both in pixels."""

# Annotations are classes here, not their names: diffusers reads the types of the parts from them.

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput, SchedulerMixin, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor
from torch.nn import functional

from pytest_seedshift.core.errors import InvalidValueError
from pytest_seedshift.models.glide import schedulers
from pytest_seedshift.models.glide.text import GlideTextEncoder
from pytest_seedshift.models.glide.tokenizer import GlideTokenizer
from pytest_seedshift.scorers import transfers

_COLOURS = 3

_Generators = torch.Generator | list[torch.Generator] | None


class GlidePipeline(DiffusionPipeline):  # type: ignore[misc]
    """Text to image with GLIDE (Nichol et al., arXiv 2112.10741).

    The base is guided without a classifier: what its UNet predicts is moved away from what it predicts for the empty
    prompt. What a UNet predicts, noise or velocity, is for its scheduler's `prediction_type` to say; the last three
    channels of its output say where the variance of an ancestral step lies, and other schedulers leave them aside.
    """

    model_cpu_offload_seq = "text_encoder->unet->upsampler_text_encoder->upsampler"
    _callback_tensor_inputs = ("latents",)

    def __init__(
        self,
        tokenizer: GlideTokenizer,
        text_encoder: GlideTextEncoder,
        unet: UNet2DConditionModel,
        scheduler: SchedulerMixin,
        upsampler_text_encoder: GlideTextEncoder,
        upsampler: UNet2DConditionModel,
        upsampler_scheduler: SchedulerMixin,
        steps: str = "100",
        upsampler_steps: str = "fast27",
        temperature: float = 0.997,
        rounded: bool = True,
    ) -> None:
        """Put the parts together.

        Args:
            tokenizer: of both text encoders.
            text_encoder: of the base.
            unet: the base; from 3 channels to 6.
            scheduler: the base's sampler, a `GlideDDPMScheduler` as released.
            upsampler_text_encoder: of the upsampler.
            upsampler: from 6 channels, of which the last three are the small picture, to 6.
            upsampler_scheduler: the upsampler's sampler, a `GlideDDIMScheduler` as released.
            steps: the base's steps where a call does not say; see `schedulers.respaced`.
            upsampler_steps: likewise, the upsampler's.
            temperature: a factor of the upsampler's initial noise.
            rounded: whether the small picture is rounded to the 256 levels of a picture before it is enlarged, as
                released. Then a rounding error of the base's, such as comes of another batch size, now and then is one
                level more or less.
        """
        super().__init__()
        self.register_modules(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            unet=unet,
            scheduler=scheduler,
            upsampler_text_encoder=upsampler_text_encoder,
            upsampler=upsampler,
            upsampler_scheduler=upsampler_scheduler,
        )
        self.register_to_config(steps=steps, upsampler_steps=upsampler_steps, temperature=temperature, rounded=rounded)
        self.image_processor = VaeImageProcessor(vae_scale_factor=1)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        num_inference_steps: int | str | None = None,
        guidance_scale: float = 3.0,
        upsampler_steps: int | str | None = None,
        temperature: float | None = None,
        eta: float = 0.0,
        generator: _Generators = None,
        latents: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callable[[Any, int, int, dict[str, Any]], dict[str, Any]] | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> Any:
        """Draw a picture for each prompt.

        Args:
            prompt: one or several.
            num_inference_steps: the base's steps, or a respacing such as `fast27`; None for the pipeline's own.
            guidance_scale: how far the prediction is moved away from that for the empty prompt. At 1 or less the
                empty prompt is not asked for.
            upsampler_steps: the upsampler's, likewise.
            temperature: a factor of the upsampler's initial noise; None for the pipeline's own.
            eta: share of an ancestral sampler's noise, for the base's schedulers that know it (DDIM).
            generator: one, or one for each prompt.
            latents: the base's initial noise, (prompts, 3, size, size), in place of the generator's.
            output_type: `pil`, `np` or `pt`, the last in [0, 1].
            return_dict: False for a tuple.
            callback_on_step_end: called after each step of the base, not of the upsampler.
            callback_on_step_end_tensor_inputs: what it is given: `latents`, the state of the base's sampler.

        Raises:
            InvalidValueError: an argument is not valid.
        """
        prompts = [prompt] if isinstance(prompt, str) else prompt
        self._check(prompts, generator, callback_on_step_end_tensor_inputs)
        device = self._execution_device
        count = len(prompts)
        steps = self.config.steps if num_inference_steps is None else num_inference_steps
        timesteps = _timesteps(self.scheduler, steps)  # first: how much noise there is at the start is said by them
        # The upsampler's noise is drawn before the base's sampler draws any: so it is the same whatever that one is.
        latents = self.prepare_latents(count, device, generator, latents)
        enlarged = self.prepare_upsampler_latents(count, device, generator)
        enlarged = enlarged * (self.config.temperature if temperature is None else temperature)

        text = self.encode_prompt(prompts)
        empty = self.encode_prompt([""]).expand(count, -1, -1) if guidance_scale > 1 else None
        options = _options(self.scheduler, generator, eta)
        with self.progress_bar(total=len(timesteps)) as bar:
            for index, timestep in enumerate(timesteps):
                scaled = self.scheduler.scale_model_input(latents, timestep)
                predicted = self._guided(scaled, timestep, text, empty, guidance_scale)
                latents = _step(self.scheduler, predicted, timestep, latents, options)
                if callback_on_step_end is not None:
                    changed = callback_on_step_end(self, index, timestep, {"latents": latents})
                    latents = changed.pop("latents", latents)
                bar.update()

        text = self.encode_prompt(prompts, "upsampler")
        steps = self.config.upsampler_steps if upsampler_steps is None else upsampler_steps
        images = self.upsample(as_picture(latents, self.config.rounded), text, enlarged, steps, generator)
        images = self.image_processor.postprocess(images, output_type=output_type)
        self.maybe_free_model_hooks()
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def encode_prompt(self, prompt: list[str], part: str = "base") -> Tensor:
        """What a text encoder makes of prompts.

        Args:
            prompt: one or several.
            part: whose text encoder: `base` or `upsampler`.

        Returns:
            (prompts, context, width).
        """
        encoder = self.text_encoder if part == "base" else self.upsampler_text_encoder
        found = self.tokenizer(list(prompt))
        device = self._execution_device
        encoded: Tensor = encoder(*(transfers.send(found[each], device) for each in ("input_ids", "attention_mask")))
        return encoded

    def prepare_latents(
        self, count: int, device: torch.device, generator: _Generators, latents: Tensor | None = None
    ) -> Tensor:
        """The base's initial noise, the seed vector.

        Args:
            count: of pictures.
            device: where it shall be.
            generator: one, or one for each picture.
            latents: what shall be taken in place of it.

        Returns:
            float32, (count, 3, size, size).
        """
        shape = (count, _COLOURS, *_size(self.unet))
        if latents is None:
            latents = randn_tensor(shape, generator=generator, device=device, dtype=torch.float32)
        elif tuple(latents.shape) != shape:
            raise InvalidValueError(f"latents are of shape {tuple(latents.shape)}: give {shape}")
        scaled: Tensor = latents.to(device) * getattr(self.scheduler, "init_noise_sigma", 1.0)
        return scaled

    def prepare_upsampler_latents(self, count: int, device: torch.device, generator: _Generators) -> Tensor:
        """The upsampler's initial noise, float32, (count, 3, size, size); arguments as of `prepare_latents`."""
        shape = (count, _COLOURS, *_size(self.upsampler))
        drawn: Tensor = randn_tensor(shape, generator=generator, device=device, dtype=torch.float32)
        return drawn

    @torch.no_grad()
    def upsample(
        self, images: Tensor, text: Tensor, latents: Tensor, steps: int | str, generator: _Generators = None
    ) -> Tensor:
        """Enlarge pictures.

        Args:
            images: in [-1, 1], (count, 3, small, small).
            text: of their prompts by the upsampler's text encoder, (count, context, width).
            latents: initial noise, (count, 3, size, size).
            steps: how many, or a respacing.
            generator: for a scheduler that draws at its steps.

        Returns:
            In [-1, 1] and a little beyond, (count, 3, size, size).
        """
        beside = functional.interpolate(images, latents.shape[-2:], mode="bilinear", align_corners=False)
        options = _options(self.upsampler_scheduler, generator, 0.0)
        for timestep in _timesteps(self.upsampler_scheduler, steps):
            scaled = self.upsampler_scheduler.scale_model_input(latents, timestep)
            predicted = _predict(self.upsampler, torch.cat([scaled, beside], dim=1), timestep, text)
            latents = _step(self.upsampler_scheduler, predicted, timestep, latents, options)
        return latents

    def _guided(self, latents: Tensor, timestep: Tensor, text: Tensor, empty: Tensor | None, guidance: float) -> Tensor:
        """What the base predicts, guided; the variance is that of the prompt, as in the released code."""
        if empty is None:
            return _predict(self.unet, latents, timestep, text)
        both = _predict(self.unet, torch.cat([latents, latents]), timestep, torch.cat([empty, text]))
        without, asked = both.chunk(2)
        base = without[:, :_COLOURS]
        guided = base + guidance * (asked[:, :_COLOURS] - base)
        return torch.cat([guided, asked[:, _COLOURS:]], dim=1)

    def _check(self, prompts: list[str], generator: _Generators, wanted: Sequence[str]) -> None:
        if not isinstance(prompts, list) or not prompts or not all(isinstance(each, str) for each in prompts):
            raise InvalidValueError(f"prompt is {prompts!r}: give a text or a list of texts")
        if isinstance(generator, list) and len(generator) != len(prompts):
            raise InvalidValueError(f"{len(generator)} generators were given for {len(prompts)} prompts")
        if unknown := set(wanted) - set(self._callback_tensor_inputs):
            raise InvalidValueError(
                f"callback_on_step_end_tensor_inputs has {min(unknown)!r}: only 'latents' can be given"
            )


def as_picture(samples: Tensor, rounded: bool) -> Tensor:
    """Samples of the base as the upsampler is given them: in [-1, 1], and perhaps rounded to 256 levels."""
    clipped = samples.clamp(-1, 1)
    return ((clipped + 1) * 127.5).round() / 127.5 - 1 if rounded else clipped


def _size(unet: Any) -> tuple[int, int]:
    size = unet.config.sample_size
    return (size, size) if isinstance(size, int) else tuple(size)


def _predict(unet: Any, inputs: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
    """One call of a UNet; the sampler's own numbers stay in the sampler's number type."""
    there = transfers.send(timestep, inputs.device)  # schedulers, which look it up, have it on the CPU
    predicted: Tensor = unet(inputs.to(unet.dtype), there, text, class_labels=text[:, -1]).sample
    return predicted.to(inputs.dtype)


def _timesteps(scheduler: Any, steps: int | str) -> Tensor:
    """Set a scheduler's timesteps; only GLIDE's own know a respacing.

    Raises:
        InvalidValueError: the scheduler does not know it.
    """
    if isinstance(scheduler, (schedulers.GlideDDPMScheduler, schedulers.GlideDDIMScheduler)):
        scheduler.set_timesteps(steps)
    elif str(steps).isdecimal():
        scheduler.set_timesteps(int(steps))
    else:
        raise InvalidValueError(f"steps = {steps!r}: {type(scheduler).__name__} takes a number of steps")
    found: Tensor = scheduler.timesteps
    return found


def _options(scheduler: Any, generator: _Generators, eta: float) -> dict[str, Any]:
    """What of all this a scheduler's step takes. DDIM works with the noise of the clipped image, as released."""
    takes = inspect.signature(scheduler.step).parameters
    options = {"generator": generator, "eta": eta, "use_clipped_model_output": True}
    return {name: value for name, value in options.items() if name in takes}


def _step(scheduler: Any, predicted: Tensor, timestep: Tensor, sample: Tensor, options: dict[str, Any]) -> Tensor:
    """One step of a scheduler; one that does not choose its variance by the model gets the prediction alone."""
    knows = "variance_type" in inspect.signature(type(scheduler).__init__).parameters
    # A scheduler that was made of another one's configuration has all of its keys, also those that it does not know.
    if not knows or scheduler.config.variance_type not in ("learned", "learned_range"):
        predicted = predicted[:, :_COLOURS]
    result: Tensor = scheduler.step(predicted, timestep, sample, **options, return_dict=False)[0]
    return result
