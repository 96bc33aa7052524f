"""What is known of a text-to-image model before it is loaded, and what the engine asks of it then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from pytest_seedshift import scorers
from pytest_seedshift.core import limits, prompt_sets
from pytest_seedshift.models.engine_settings import PLAIN, EngineSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor

    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.core.prompt_sets import PromptSet
    from pytest_seedshift.core.registry import Extension
    from pytest_seedshift.models.observation import Observation
    from pytest_seedshift.scorers.declaration import Declared

ShiftFunction: TypeAlias = "Callable[[Tensor, Sequence[Pair]], Tensor]"
"""Shifts the seed vectors of some pairs: `shift(z, pairs)`, z float (len(pairs), channels, height, width).

What it returns has the shape, dtype and device of z. A model's `generate` calls it once, with all of its pairs.
"""

OnStep: TypeAlias = "Callable[[int, Tensor], None]"
"""Called after every denoising step with its index (0, 1, …) and the state, (len(pairs), …), one row a pair."""


ANY_DEVICE = "*"
"""In place of a kind of device, in `Entry.dtype`: all that are not named."""


@dataclass(frozen=True, slots=True)
class Scheduler:
    """The sampler that a pipeline gets in place of its own: a class of diffusers and what its configuration changes."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a derived model changes of whatever scheduler it has; see `derive`.

    Attributes:
        sampler: a name of `model_names.SAMPLERS` or a scheduler class of diffusers; None for the one that is there.
        clip: False for no clipping of the guessed picture, True for clipping, a number for clipping to that range;
            None leaves it as it is.
        zsnr: whether the schedule is rescaled to zero terminal SNR.
    """

    sampler: str | None = None
    clip: float | None = None
    zsnr: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a model before it is loaded; None leaves it to the pipeline.

    Attributes:
        name: as the user writes it.
        pipeline: where it is: folders, single files (`.safetensors`), hub ids, tried in this order.
        revision: of a hub id.
        variant: of the files of weights, such as `fp16`, which is taken where there is one.
        parts: by name, folders of parts that take the place of the pipeline's own.
        scheduler: see `Scheduler`.
        sampling: of a derived model, what is not settled yet: see `samplers.settle`. None for every other model.
        steps: denoising steps.
        guidance: `guidance_scale`.
        height: of an image, in pixels.
        width: of an image, in pixels.
        dtype: by kind of device (`cuda`, `cpu`, …, or `ANY_DEVICE`), the name of the number type.
        call: what every call of the pipeline is given besides.
        upsampler: whether the noise of a second stage, which enlarges what the first one draws, is shifted too.
        classes: the class list whose labels it is asked for: a name, or the path of a CSV file.
        prompts: the path of a prompt set, which takes the place of the class list; empty where there is none.
        template: that make prompts of labels, of which each pair has one; none for "A photo of a {label}".
        classifier: the source of the classifier's weights; empty where it is not needed.
        clip: the source of CLIP's weights; likewise.
        memory: GiB that its weights take in the number type of `cuda`, as far as it is known.
        licence: a note for the user.
        advice: how its weights are to be had, for the error where they are nowhere.
        declared: the scorers that are named by tables or short names, of which something is asked.
        own: the factory of a model of the user's own, which takes the place of a pipeline.
        engine: how it is run, apart from how it is sampled.
    """

    name: str
    pipeline: tuple[str, ...]
    revision: str | None = None
    variant: str | None = None
    parts: tuple[tuple[str, str], ...] = ()
    scheduler: Scheduler | None = None
    sampling: Sampling | None = None
    steps: int | None = None
    guidance: float | None = None
    height: int | None = None
    width: int | None = None
    dtype: tuple[tuple[str, str], ...] = ()
    call: tuple[tuple[str, Any], ...] = ()
    upsampler: bool = False
    classes: str = "imagenet100"
    prompts: str = ""
    template: tuple[str, ...] = ()
    classifier: str = scorers.DEFAULT_CLASSIFIER
    clip: str = scorers.DEFAULT_CLIP
    memory: float | None = None
    licence: str = ""
    advice: str = ""
    declared: tuple[Declared, ...] = ()
    own: Extension | None = None
    engine: EngineSettings = PLAIN

    @property
    def prompt_set(self) -> PromptSet:
        """What it is asked for.

        Raises:
            InvalidValueError: it cannot be read, or a template does not fit it.
        """
        if self.prompts:
            return prompt_sets.read(self.prompts, self.template)
        return prompt_sets.class_list(self.classes, self.template)

    @property
    def asked(self) -> str:
        """The name of its prompt set: of a class list, or the path of a file."""
        return self.prompts or self.classes

    def dtype_on(self, device: str) -> str | None:
        """The number type for a device, such as `cuda:0`; None where the entry names none for its kind."""
        by_kind = dict(self.dtype)
        return by_kind.get(device.partition(":")[0], by_kind.get(ANY_DEVICE))


@dataclass(frozen=True, slots=True)
class Axes:
    """Which axes of one seed vector, without the batch, are its channels, height and width.

    Axes that are none of these (frames, of which an image has one) belong to the channels.

    Attributes:
        channels: the index of an axis, from 0.
        height: the index of another one.
        width: the index of a third one.
    """

    channels: int = 0
    height: int = 1
    width: int = 2


class TextToImage(Protocol):
    """A text-to-image model, ready to generate: what a factory of the hook `pytest_seedshift_models` makes."""

    @property
    def name(self) -> str:
        """The model as the user wrote it."""

    @property
    def fingerprint(self) -> str:
        """A text that changes with all that can change an image: weights, scheduler, steps, guidance, number type.

        It is not empty, and the same whenever it is asked for: samples are found again by it.
        """

    @property
    def seed_shape(self) -> tuple[int, ...]:
        """The shape of one seed vector, as the model itself draws it, such as (4, 64, 64): three axes or more."""

    @property
    def seed_axes(self) -> Axes:
        """Which of its axes are channels, height and width."""

    def generate(
        self, pairs: Sequence[Pair], shift: ShiftFunction | None = None, on_step: OnStep | None = None
    ) -> Tensor:
        """One image for each pair.

        The seed vectors and every later draw of the sampler are keyed by the pair alone, so an image depends neither
        on the batch that it is in nor on what was generated before.

        Args:
            pairs: prompts and seed indices, at least one.
            shift: applied to the seed vectors, in float32 on the CPU, before the scheduler's own scaling.
            on_step: see `OnStep`.

        Returns:
            Float, (len(pairs), 3, height, width), in [0, 1], on the model's device.

        Raises:
            ModelError: they cannot be made; the message becomes the error of the case. So does whatever else is raised.
        """


@runtime_checkable
class Observable(Protocol):
    """What a `TextToImage` may offer besides: more of its trajectories than the states after its steps."""

    @property
    def stages(self) -> str | None:
        """What its reports of steps leave out, in words; None where that is nothing."""

    def observed(self) -> AbstractContextManager[Observation]:
        """Watch the generations that are made meanwhile; they are the same as without."""

    def pictures(self, pair: Pair, predicted: Tensor) -> Tensor:
        """What states of a generation without noise, the predicted x₀, look like.

        Args:
            pair: which they are of.
            predicted: (count, …), as observed.

        Returns:
            Float, (count, 3, height, width), in [0, 1]; the size may differ from that of the model's images.

        Raises:
            ModelError: it is not known how to decode them; the message says why. So may whatever else is raised.
        """


def check_limits(entry: Entry) -> None:
    """Hold the numbers of a model's entry against their limits.

    Raises:
        LimitError: one is above.
    """
    numbers = {"height": limits.SIDE, "width": limits.SIDE, "steps": limits.STEPS, "guidance": limits.GUIDANCE}
    for name, most in numbers.items():
        value = getattr(entry, name)
        if value is not None:
            limits.check(value, most, f"{entry.name}: {name} = {value}", lifted=False)
    height, width = entry.height or 1, entry.width or 1
    what = f"{entry.name}: height = {height}, width = {width}: pixels"
    limits.check(height * width, limits.PIXELS, what, lifted=False)
