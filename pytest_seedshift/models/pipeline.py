"""Text-to-image pipelines of diffusers, of whatever family."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from pytest_seedshift.core.errors import ModelError
from pytest_seedshift.core.pairs import Label, Pair
from pytest_seedshift.models import engine, in_effect, memory, observation, prompt_cache, rng, sampler_waits, sizes
from pytest_seedshift.models import seed_weight as seed_weights
from pytest_seedshift.models.seed_vector import NoUpsamplerError, SeedVector, SeedVectorError, from_images, to_images
from pytest_seedshift.scorers import transfers

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from diffusers import DiffusionPipeline
    from torch import Tensor

    from pytest_seedshift.models.base import Axes, OnStep, ShiftFunction
    from pytest_seedshift.models.observation import Observation
    from pytest_seedshift.models.seed_weight import SeedWeight

# Asked for tensors, these give what their decoder gives: in [-1, 1], and beyond.
_SIGNED = {
    "IFPipeline",
    "Kandinsky3Pipeline",
    "KandinskyCombinedPipeline",
    "KandinskyV22CombinedPipeline",
    "PRXPixelPipeline",
}

# These give colours and how opaque they are. A scorer sees them as a viewer shows them, on white.
_LAYERED = {"QwenImage21Pipeline"}

# The parts that make pictures of latents, by the names that pipelines give them.
_DECODERS = ("vae", "movq", "vqvae", "vqgan")

# Asked for a single step, this takes from its sampler what only those of distilled models give.
_TWO_STEPS = {"PixArtAlphaPipeline"}

# With guidance, the time embedding of PRX is of two rows, whatever the batch. GLM-Image seeds its first stage, which
# samples tokens, by the first generator of a batch alone.
_ALONE = {"GlmImagePipeline", "PRXPipeline", "PRXPixelPipeline"}

# These pad prompts to the longest of the batch and let the padding have its say in the image.
_PADDED = {
    "CogView4Pipeline",
    "Kandinsky3Pipeline",
    "Kandinsky5T2IPipeline",
    "OmniGenPipeline",
    "QwenImage21Pipeline",
}

# What every call is given here, and what would make another number of images.
_OURS = {
    "callback",
    "callback_on_step_end",
    "callback_on_step_end_tensor_inputs",
    "callback_steps",
    "generator",
    "latents",
    "num_images_per_prompt",
    "output_type",
    "prompt",
    "return_dict",
}

_ANY_PAIR = Pair(Label("picture", 0), 0)


ReadLatents: TypeAlias = "Callable[[Sequence[Pair], tuple[int, ...]], list[Tensor | None]]"


class _SeenError(Exception):
    """Ends a generation that is made for its draw alone."""


class DiffusersPipeline:
    """A `TextToImage` made of a diffusers pipeline."""

    def __init__(
        self,
        name: str,
        pipeline: DiffusionPipeline,
        fingerprint: str,
        call: Mapping[str, Any],
        *,
        upsampler: bool = False,
        latents: ReadLatents | None = None,
        repair: ShiftFunction | None = None,
    ) -> None:
        """Wrap a pipeline. Its safety checker is switched off: it blackens pictures, whatever they show.

        Args:
            name: the model as the user wrote it.
            pipeline: on its device, in its number type.
            fingerprint: of all that can change an image.
            call: what every call of the pipeline is given besides prompts and generators, such as `guidance_scale`.
            upsampler: whether the noise of the pipeline's second stage is shifted too.
            latents: gives the seed vectors of pairs, of a shape, that take the place of keyed noise; None for each
                that is drawn, and where all are.
            repair: is done to the seed vectors after their shift, and to those of the control as well.

        Raises:
            ModelError: the pipeline's call does not take what `call` has, or it has no second stage.
            SeedVectorError: the pipeline draws its seed vectors in a way that is not known.
        """
        self.name = name
        self.fingerprint = fingerprint
        self._pipeline = pipeline
        self._call = dict(call)
        self._latents = latents
        self._repair = repair
        self._takes = inspect.signature(type(pipeline).__call__).parameters
        self._check_call()
        try:
            self._seed = SeedVector(pipeline, call, upsampler=upsampler)
        except NoUpsamplerError as error:
            raise ModelError(f"{name}: upsampler = true: {error}") from None
        self._kinds = {each.__name__ for each in type(pipeline).__mro__}
        if getattr(pipeline, "safety_checker", None) is not None:
            pipeline.safety_checker = None
        pipeline.set_progress_bar_config(disable=True)
        prompt_cache.remember(pipeline)
        self._seed_shape: tuple[int, ...] | None = None

    def _check_call(self) -> None:
        settable = [
            name
            for name, parameter in self._takes.items()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in {"self", *_OURS}
        ]
        for argument in self._call:
            if argument not in settable:
                what = "is set by this package" if argument in _OURS else f"is not an argument of {self._family}'s call"
                raise ModelError(f"{self.name}: {argument} {what}. It can be given: {', '.join(settable)}")

    @property
    def _family(self) -> str:
        return type(self._pipeline).__name__

    @property
    def seed_shape(self) -> tuple[int, ...]:
        """See `TextToImage.seed_shape`."""
        return self._shape_by(_ANY_PAIR)

    def _shape_by(self, pair: Pair) -> tuple[int, ...]:
        """The shape of all seed vectors, learned from a generation that ends where the pipeline draws.

        It is that of a pair which is to be generated, where there is one: its prompt need not be encoded again.
        """
        shapes: list[torch.Size] = []

        def on_draw(z: Tensor) -> Tensor:
            shapes.append(z.shape[1:])
            raise _SeenError

        if self._seed_shape is None:
            try:
                with self._seed.drawn(on_draw):
                    self._run([pair], "shape", {})
            except _SeenError:
                pass
            self._seed_shape = tuple(shapes[0])
        return self._seed_shape

    @property
    def weight_bytes(self) -> int:
        """Bytes that the weights of all parts take in memory; of quantised ones those that they take so."""
        return memory.loaded(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module))

    def settings(self, dtype: str) -> dict[str, Any]:
        """What it is run with, in effect: see `in_effect`; `dtype` is the number type that it was loaded in."""
        return in_effect.of_pipeline(self._pipeline, self._call, dtype)

    @property
    def seed_axes(self) -> Axes:
        """See `TextToImage.seed_axes`."""
        return self._seed.axes

    def seed_weight(self) -> SeedWeight:
        """How much of the seed vector the sampler keeps, from its schedule alone: see `seed_weight`.

        Raises:
            ModelError: a sampler that it is not known for.
        """
        scheduler: Any = copy.deepcopy(getattr(self._pipeline, "scheduler", None))
        steps = self._call.get("num_inference_steps", self._takes["num_inference_steps"].default)
        if hasattr(scheduler, "set_timesteps"):
            scheduler.set_timesteps(steps)
        return seed_weights.seed_weight(scheduler, self._call.get("eta", 0.0))

    def generate(
        self, pairs: Sequence[Pair], shift: ShiftFunction | None = None, on_step: OnStep | None = None
    ) -> Tensor:
        """See `TextToImage.generate`.

        Without a shift it is the pipeline's own call with one generator on the CPU for each pair, bit for bit where the
        model runs in float32. In other number types the pipeline would draw in them; here it is always float32.

        Raises:
            SeedVectorError: the pipeline draws its seed vectors in a way that is not known.
        """
        steps: dict[int, list[Tensor]] = defaultdict(list)

        def note(step: int, state: Tensor) -> None:
            steps[step].append(state)

        groups = self._groups(pairs)
        at_once = len(groups) == 1
        images = [
            self._generate([pairs[index] for index in group], shift, on_step if at_once or on_step is None else note)
            for group in groups
        ]
        if at_once:
            return images[0]
        order = torch.tensor([index for group in groups for index in group]).argsort()
        order = transfers.send(order, images[0].device)
        if on_step is not None:
            for step, states in steps.items():
                on_step(step, torch.cat(states)[order])
        return torch.cat(images)[order]

    def forget_prompts(self) -> None:
        """Give back the memory of what was encoded; prompts are encoded again when they are asked for."""
        prompt_cache.forget(self._pipeline)

    @property
    def stages(self) -> str | None:
        """What its reports of steps leave out, in words; None where that is nothing."""
        if getattr(self._pipeline, "upsampler", None) is None:
            return None
        return "the steps are those of the base, at its size; the upsampler, which samples again, reports none"

    def observed(self) -> AbstractContextManager[Observation]:
        """See `Observable.observed`."""
        return observation.observed(self._pipeline)

    def pictures(self, pair: Pair, predicted: Tensor) -> Tensor:
        """See `Observable.pictures`.

        A model in pixels has them already. Of any other the pipeline itself decodes them, whatever it has packed or
        scaled: it makes a generation of one step, which its sampler ends in these states.
        """
        parts = self._pipeline.components
        if predicted.ndim == 4 and predicted.shape[1] == 3 and not any(parts.get(name) for name in _DECODERS):
            return (predicted.float() / 2 + 0.5).clamp(0, 1)
        if "num_inference_steps" not in self._takes:
            raise ModelError(f"it is not known how {self._family} can be given states to decode")
        more = {"num_inference_steps": 2 if self._kinds & _TWO_STEPS else 1, "timesteps": None, "sigmas": None}
        given = {name: value for name, value in more.items() if name in self._takes}
        made = []
        for rows in torch.split(predicted, 1 if self._kinds & _ALONE else len(predicted)):
            twins = [pair] * len(rows)
            with observation.ending_in(self._pipeline, rows):
                made.append(self._images(self._run(twins, f"z{self.seed_shape}", given), len(twins)))
        return torch.cat(made)

    def _groups(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Which pairs are generated in one call: all, but for families where some would change the others' images."""
        if self._kinds & _ALONE or engine.is_by_batch(self._pipeline):
            return [[index] for index in range(len(pairs))]
        groups: dict[object, list[int]] = defaultdict(list)
        if not self._kinds & _PADDED:
            for index, pair in enumerate(pairs):  # an empty negative prompt is not the same as none
                groups[bool(pair.negative_prompt)].append(index)
            return list(groups.values())
        tokenizer: Any = getattr(self._pipeline, "tokenizer", None) or self._pipeline.processor
        for index, pair in enumerate(pairs):
            texts = [pair.prompt, pair.negative_prompt] if pair.negative_prompt else [pair.prompt]
            groups[tuple(len(tokenizer(text=[text])["input_ids"][0]) for text in texts)].append(index)
        return list(groups.values())

    def _generate(self, pairs: Sequence[Pair], shift: ShiftFunction | None, on_step: OnStep | None) -> Tensor:
        shape = self._shape_by(pairs[0])
        own = [None if pair.noise is None else rng.vector_generator(pair, shape) for pair in pairs]
        given = [None] * len(pairs) if self._latents is None else self._latents(pairs, shape)

        def on_draw(z: Tensor) -> Tensor:
            if len(z) != len(pairs):
                raise SeedVectorError(f"{self._family} draws {len(z)} seed vectors for {len(pairs)} images")
            for row, vector in enumerate(own):
                if vector is not None:  # the pair's other generator, which has drawn z, is for all that is not z
                    z[row] = torch.randn(z[row].shape, generator=vector)
                elif (latents := given[row]) is not None and latents.shape == z[row].shape:  # no second stage's
                    z[row] = latents
            acting = [each for each in (shift, self._repair) if each is not None]
            if not acting:
                return z
            vectors = to_images(z, self._seed.axes)
            for each in acting:
                vectors = each(vectors, pairs)
            return from_images(vectors, self._seed.axes, z.shape)

        # The shape is in the key: seed vectors of different shapes must not share their first numbers.
        purpose = f"z{shape}"
        with self._seed.drawn(on_draw):
            output = self._run(pairs, purpose, self._watched(on_step))
        return self._images(output, len(pairs))

    def _run(self, pairs: Sequence[Pair], purpose: str, more: Mapping[str, Any]) -> Any:
        """The first thing that a call of the pipeline gives: in every family these are the images."""
        engine.forget(self._pipeline)
        with warnings.catch_warnings(), ExitStack() as stack:
            # Of the libraries' own code, which nobody here can change; in a strict session they would be errors.
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            stack.enter_context(sizes.heard(type(self._pipeline), self._refuse_size))
            stack.enter_context(sampler_waits.avoided(self._pipeline))
            return self._pipeline(
                prompt=[pair.prompt for pair in pairs],  # a list of its own: Z-Image writes into it
                generator=[rng.generator(pair, purpose) for pair in pairs],
                output_type="pt",
                **{**self._texts(len(pairs)), **self._negatives(pairs), **more},
            )[0]

    def _texts(self, count: int) -> dict[str, Any]:
        """What every call is given, with one text for each prompt where some pipelines would not take one for all."""
        return {
            name: [value] * count
            if isinstance(value, str) and name.startswith("negative_prompt") and self._takes_list(name)
            else value
            for name, value in self._call.items()
        }

    def _negatives(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """The negative prompts of pairs, of which all have one or none has."""
        if not pairs[0].negative_prompt:
            return {}
        if "negative_prompt" not in self._takes:
            raise ModelError(f"{self.name}: {self._family} takes no negative prompt, and {pairs[0]} has one")
        return {"negative_prompt": [pair.negative_prompt for pair in pairs]}

    def _takes_list(self, name: str) -> bool:
        return "list" in str(self._takes[name].annotation).lower()

    def _refuse_size(self, warning: str) -> None:
        """Make no images of another size than was asked for."""
        if sizes.is_changed(warning) and not {"height", "width"}.isdisjoint(self._call):
            asked = ", ".join(f"{name} = {self._call[name]}" for name in ("height", "width") if name in self._call)
            raise ModelError(f"{self.name}: {asked}: {self._family} says: {' '.join(warning.split())}")

    def _watched(self, on_step: OnStep | None) -> dict[str, Any]:
        """The arguments by which a pipeline reports its steps; none where it reports none."""
        if on_step is None:
            return {}

        def at_step_end(_: object, step: int, __: object, state: dict[str, Tensor]) -> dict[str, Tensor]:
            on_step(step, state["latents"])
            return state

        def old(step: int, _: object, latents: Tensor) -> None:
            on_step(step, latents)

        if "callback_on_step_end" in self._takes:
            return {"callback_on_step_end": at_step_end}
        return {"callback": old, "callback_steps": 1} if "callback" in self._takes else {}

    def _images(self, output: Any, count: int) -> Tensor:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        if isinstance(output, torch.Tensor) and output.ndim == 4 and shape[:2] == (count, 4) and self._kinds & _LAYERED:
            return _on_white(output.float().clamp(0, 1))
        if not isinstance(output, torch.Tensor) or output.ndim != 4 or shape[:2] != (count, 3):
            raise ModelError(
                f"{self.name}: {self._family} gave {shape} where ({count}, 3, height, width) was expected: "
                "it is not a text-to-image pipeline of colour pictures"
            )
        images = output.float()
        return (images / 2 + 0.5 if self._kinds & _SIGNED else images).clamp(0, 1)


def _on_white(images: Tensor) -> Tensor:
    """Pictures of four channels, the last of which is their opacity, laid on white: (batch, 3, height, width)."""
    colours, opacity = images[:, :3], images[:, 3:]
    return colours * opacity + (1 - opacity)
