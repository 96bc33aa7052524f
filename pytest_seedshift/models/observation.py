"""What the samplers of a pipeline do while it generates: where they start, and which picture they expect at each step.

A pipeline reports the state after every step, but neither the state before the first one nor the picture that the model
expects at the end, x₀. The samplers of diffusers are given the one and work out the other: they are watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SchedulerMixin

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from torch import Tensor

_DATA = ("dpmsolver++", "sde-dpmsolver++")

# The initial noise of samplers that keep the variance has a standard deviation of 1.
_GROWS = 1.5


@dataclass(slots=True)
class Sampled:
    """One sampler's steps up to now, one row a pair.

    States are brought to the variance that they would have if the sampler kept it: those of Euler and its kind, which
    work with x₀ + σ·ε, are divided by √(1 + σ²) (Karras et al., arXiv 2206.00364, table 1). Otherwise each of their
    steps would be shorter than the one before for this reason alone.

    Attributes:
        start: before the first step, float (batch, …), with the axes of a seed vector or of what the sampler takes.
        state: after the last step, (batch, …) likewise.
        predicted: the picture x₀ that was expected at the last step, in the state's own space, (batch, …) likewise;
            None where the sampler does not report it.
    """

    start: Tensor
    state: Tensor
    predicted: Tensor | None


@dataclass(slots=True)
class _Record:
    sampler: Any  # held, so that no other one gets its id
    sampled: Sampled | None = None
    given: Tensor | None = None
    """The state as the sampler has returned it."""
    converted: Tensor | None = None


class Observation:
    """What the samplers of a pipeline have done since the observation began.

    A model of the user's own that is `Observable` gives one of a class of its own, with another `of`.
    """

    def __init__(self) -> None:
        self._records: dict[int, _Record] = {}

    def of(self, state: Tensor) -> Sampled | None:
        """The steps of the sampler that has given this very state last.

        Args:
            state: as the model reported it to `OnStep`, (batch, …).

        Returns:
            The steps up to now; None where none of the samplers has given it.
        """
        for record in self._records.values():
            given = record.given
            if given is not None and (given is state or (given.shape == state.shape and torch.equal(given, state))):
                return record.sampled
        return None

    def _of(self, sampler: Any) -> _Record:
        return self._records.setdefault(id(sampler), _Record(sampler))

    def _step(self, native: Callable[..., Any]) -> Callable[..., Any]:
        takes = signature(native).parameters

        @wraps(native)  # pipelines ask which arguments a step takes
        def step(sampler: Any, *args: Any, **kwargs: Any) -> Any:
            record = self._of(sampler)
            record.converted = None
            given = signature(native).bind(sampler, *args, **kwargs).arguments
            before, output = given.get("sample"), given.get("model_output")
            if "return_dict" not in takes or not isinstance(before, torch.Tensor):
                return native(sampler, *args, **kwargs)
            result = native(sampler, **_keywords(given, takes, sampler), return_dict=True)
            after = result.prev_sample
            scales = _scales(sampler)
            start = before * scales[0] if record.sampled is None else record.sampled.start
            predicted = _predicted(sampler, result, before, output, record)
            record.sampled = Sampled(start, after * scales[1], predicted)
            record.given = after
            return result if given.get("return_dict", True) else result.to_tuple()

        return step

    def _convert(self, native: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(native)
        def convert(sampler: Any, *args: Any, **kwargs: Any) -> Any:
            result = native(sampler, *args, **kwargs)
            if sampler.config.get("algorithm_type") in _DATA or getattr(sampler, "predict_x0", False):
                self._of(sampler).converted = result
            return result

        return convert


@contextmanager
def observed(pipeline: DiffusionPipeline) -> Iterator[Observation]:
    """Watch the samplers of a pipeline. What it generates meanwhile is the same to the last bit.

    The classes are watched, not the objects: some pipelines work with copies of their samplers.
    """
    observation = Observation()
    with ExitStack() as stack:
        for kind in samplers(pipeline):
            stack.enter_context(changed_method(kind, "step", observation._step))
            if hasattr(kind, "convert_model_output"):
                stack.enter_context(changed_method(kind, "convert_model_output", observation._convert))
        yield observation


@contextmanager
def ending_in(pipeline: DiffusionPipeline, states: Tensor) -> Iterator[None]:
    """Let every step of a pipeline's samplers lead to given states, so that the pipeline decodes these.

    Args:
        pipeline: of any family.
        states: (batch, …); a sampler whose states are of another shape, such as a prior's, is left alone.
    """

    def around(native: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(native)
        def step(*args: Any, **kwargs: Any) -> Any:
            result = native(*args, **kwargs)
            if isinstance(result, tuple):
                return tuple(_instead(each, states) for each in result)
            for name, value in result.items():
                result[name] = _instead(value, states)
            return result

        return step

    with ExitStack() as stack:
        for kind in samplers(pipeline):
            stack.enter_context(changed_method(kind, "step", around))
        yield


def _instead(value: Any, states: Tensor) -> Any:
    fits = isinstance(value, torch.Tensor) and value.shape == states.shape
    return states.to(value) if fits else value


def samplers(pipeline: DiffusionPipeline) -> set[type]:
    """The classes of a pipeline's samplers."""
    return {type(each) for each in pipeline.components.values() if isinstance(each, SchedulerMixin)}


def _keywords(given: dict[str, Any], takes: Any, sampler: Any) -> dict[str, Any]:
    """The arguments of a step by their names, without the sampler and without what is asked of the result."""
    named = {name: value for name, value in given.items() if value is not sampler and name != "return_dict"}
    for name, parameter in takes.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(name, {})
    return named


def _scales(sampler: Any) -> tuple[float, float]:
    """What brings the states before and after the last step to the variance that a sampler would keep."""
    sigmas, index = getattr(sampler, "sigmas", None), getattr(sampler, "step_index", None)
    if sigmas is None or index is None or float(getattr(sampler, "init_noise_sigma", 1.0)) < _GROWS:
        return 1.0, 1.0
    before, after = (float(1 / (1 + sigmas[place] ** 2) ** 0.5) for place in (max(index - 1, 0), index))
    return before, after


def _predicted(sampler: Any, result: Any, before: Tensor, output: Any, record: _Record) -> Tensor | None:
    """The picture that is expected: as the step reports it, as the sampler converted it, or by the flow's formula."""
    told = getattr(result, "pred_original_sample", None)
    if told is None:
        told = getattr(result, "denoised", None)
    if told is None:
        told = record.converted
    if told is None and isinstance(sampler, FlowMatchEulerDiscreteScheduler) and sampler.step_index:
        # On the straight way from picture to noise, x = (1 - σ)·x₀ + σ·ε, the velocity is ε - x₀ (arXiv 2210.02747).
        told = before - sampler.sigmas[sampler.step_index - 1].to(before.device) * output
    return told if isinstance(told, torch.Tensor) and told.shape == before.shape else None


@contextmanager
def changed_method(kind: type, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    """Let a method of a class, its own or an inherited one, be another for a while."""
    own = name in vars(kind)
    native = getattr(kind, name)
    setattr(kind, name, around(native))
    try:
        yield
    finally:
        if own:
            setattr(kind, name, native)
        else:
            delattr(kind, name)
