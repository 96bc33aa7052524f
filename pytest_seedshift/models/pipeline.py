"""Latent text-to-image pipelines of diffusers that take `latents`: Stable Diffusion and its relatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from diffusers import DiffusionPipeline
from diffusers.utils import is_accelerate_available

from pytest_seedshift import identity, loading, weights
from pytest_seedshift import pairs as pairing
from pytest_seedshift.models import prompts

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.models.base import Entry, OnStep, ShiftFunction
    from pytest_seedshift.pairs import Pair


class DiffusersPipeline:
    """A `TextToImage` made of a diffusers pipeline."""

    def __init__(self, name: str, pipeline: DiffusionPipeline, fingerprint: str, call: dict[str, Any]) -> None:
        """Wrap a pipeline.

        Args:
            name: the model as the user wrote it.
            pipeline: on its device, in its number type.
            fingerprint: of all that can change an image.
            call: what every call of the pipeline is given besides prompts and noise, such as `guidance_scale`.
        """
        self.name = name
        self.fingerprint = fingerprint
        self._pipeline = pipeline
        self._call = call
        pipeline.set_progress_bar_config(disable=True)
        prompts.remember(pipeline)

    @classmethod
    def load(cls, entry: Entry, device: str, dtype: str) -> DiffusersPipeline:
        """Load from a folder, the cache or the hub; safetensors only."""
        folder = weights.locate_pipeline(entry.source)
        call: dict[str, Any] = {}
        if entry.steps is not None:
            call["num_inference_steps"] = entry.steps
        if entry.guidance is not None:
            call["guidance_scale"] = entry.guidance
        with loading.complete(entry.source):
            pipeline = DiffusionPipeline.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=is_accelerate_available(),
            )
        pipeline.to(device)
        for part in (pipeline.unet, pipeline.vae):
            part.to(memory_format=torch.channels_last)  # the same numbers in an order that convolutions like
        return cls(entry.name, pipeline, identity.of_model(entry, device, dtype), call)

    @property
    def seed_shape(self) -> tuple[int, int, int]:
        """The shape of one seed vector: channels, height, width of the latents."""
        config = self._pipeline.unet.config
        return config.in_channels, config.sample_size, config.sample_size

    def generate(
        self, pairs: Sequence[Pair], shift: ShiftFunction | None = None, on_step: OnStep | None = None
    ) -> Tensor:
        """See `TextToImage.generate`."""
        z = pairing.noise(pairs, self.seed_shape)
        if shift is not None:
            z = shift(z, pairs)

        def after_step(_: object, step: int, __: object, state: dict[str, Tensor]) -> dict[str, Tensor]:
            if on_step is not None:
                on_step(step, state["latents"])
            return state

        output = self._pipeline(
            prompt=[pair.prompt for pair in pairs],
            latents=z.to(self._pipeline.device, self._pipeline.unet.dtype),
            # What an ancestral sampler draws later belongs to the pair too.
            generator=[pairing.generator(pair, "sampler") for pair in pairs],
            callback_on_step_end=after_step,
            output_type="pt",
            **self._call,
        )
        images: Tensor = output.images
        return images
