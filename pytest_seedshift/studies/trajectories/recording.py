"""One generation, recorded: every state of the sampler, and what x₀ was expected at some steps."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from pytest_seedshift.core import messages
from pytest_seedshift.core.cases import CaseError
from pytest_seedshift.models import drawing
from pytest_seedshift.models.base import Observable
from pytest_seedshift.runner.generate import shift_function
from pytest_seedshift.scorers import devices

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.models.base import TextToImage
    from pytest_seedshift.models.observation import Observation
    from pytest_seedshift.studies.trajectories.trajectory import Values

_CLOSE = 0.02
"""How far, on average over a picture's numbers, the decoded last state may lie from the image that was generated."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One pair's trajectory in full, held only while its case is in work.

    Attributes:
        states: (S + 1, D), float32; the first is NaN where the model does not tell what its sampler starts from.
        pictures: by step, from 1: the predicted x₀, float, (3, height, width) in [0, 1].
        notes: what is to be known of it, such as why there are no pictures.
    """

    states: Values
    pictures: dict[int, Tensor]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Steps:
    """What was reported, step by step."""

    observation: Observation | None
    start: Tensor | None = None
    states: list[Tensor] = field(default_factory=list)
    predicted: list[Tensor | None] = field(default_factory=list)
    last: Tensor | None = None
    """The last state as it was reported."""

    def note(self, step: int, state: Tensor) -> None:
        """Add a step. Of several samplings in a row, such as a prior's and a decoder's, the last one counts."""
        if step < len(self.states) or (self.last is not None and self.last.shape != state.shape):
            self.start = None
            self.states, self.predicted = [], []
        sampled = None if self.observation is None else self.observation.of(state)
        if sampled is not None and not self.states:
            self.start = sampled.start.detach().float().cpu().flatten()
        shown = state if sampled is None else sampled.state
        self.states.append(shown.detach().float().cpu().flatten())
        self.predicted.append(None if sampled is None or sampled.predicted is None else sampled.predicted.clone())
        self.last = state.detach().clone()


@torch.inference_mode()
def record(model: TextToImage, case: Case, pair: Pair) -> Recording:
    """Generate one image of a case, alone in its batch, and keep what its sampler does.

    Raises:
        CaseError: the model reports no steps.
    """
    observable = model if isinstance(model, Observable) else None
    drawn: list[Tensor] = []
    shift = shift_function(case)

    def shifted(z: Tensor, pairs: object) -> Tensor:
        moved = z if shift is None else shift(z, [pair])
        drawn.append(moved.detach().float().cpu().flatten().clone())
        return moved

    with nullcontext() if observable is None else observable.observed() as observation:
        steps = _Steps(observation)
        image = drawing.generate(model, [pair], shifted, steps.note)
    if not steps.states:
        raise CaseError(
            f"{case.model} reports no steps, so it has no trajectory: its pipeline takes no callback that is called "
            "after every step (callback_on_step_end)"
        )
    notes = [] if observable is None or observable.stages is None else [observable.stages]
    start = steps.start
    if start is None and observable is None and drawn and drawn[0].shape == steps.states[0].shape:
        start = drawn[0]
        notes.append("it does not tell what its sampler starts from: taken for the seed vector itself")
    if start is None or start.shape != steps.states[0].shape:
        start = torch.full_like(steps.states[0], torch.nan)
        notes.append("it does not tell what its sampler starts from, so the first step has no length")
    if drawn and len(drawn[0]) != len(start):
        notes.append("its steps are of another sampling than the one whose seed vector is shifted, and come after it")
    pictures, why = _pictures(model, pair, steps, image)
    states = torch.stack([start, *steps.states]).numpy()
    return Recording(states, pictures, (*notes, *([] if why is None else [why])))


def chosen(steps: int) -> tuple[int, ...]:
    """The steps, from 1, whose predicted x₀ is kept as a picture: the first ones, some between, the last."""
    marks = (1, 2, 3, round(steps / 4), round(steps / 2), steps)
    return tuple(sorted({step for step in marks if 1 <= step <= steps}))


def _pictures(model: TextToImage, pair: Pair, steps: _Steps, image: Tensor) -> tuple[dict[int, Tensor], str | None]:
    """Pictures of the predicted x₀, and why there are none."""
    if not isinstance(model, Observable):
        return {}, "no pictures of the predicted x₀: it offers none (see pytest_seedshift.Observable)"
    wanted = chosen(len(steps.states))
    predicted = {step: each for step in wanted if (each := steps.predicted[step - 1]) is not None}
    if not predicted or steps.last is None:
        return {}, "no pictures of the predicted x₀: its sampler does not tell what it expects"
    try:
        *made, last = model.pictures(pair, torch.cat([*predicted.values(), steps.last])).float().cpu()
    except Exception as error:  # a picture less is no reason to lose the states
        if devices.is_poisoned(error):
            raise
        return {}, f"no pictures of the predicted x₀: {messages.first_line(error)}"
    # The upsampler of a cascade makes another image of the last state, of another size.
    if last.shape == image.shape[1:] and float((last - image[0].float().cpu()).abs().mean()) > _CLOSE:
        return {}, "no pictures of the predicted x₀: its last state, decoded, is not the image that it has made"
    return dict(zip(predicted, made, strict=True)), None


def lengths(states: Values) -> Values:
    """The length of each step, (…, S), of states (…, S + 1, D)."""
    found: Values = np.linalg.norm(np.diff(states, axis=-2), axis=-1)
    return found
