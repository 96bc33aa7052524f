"""Trajectories without a model: random walks, written through the package's own writers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pytest_seedshift.studies.trajectories import files, plane, recorder
from pytest_seedshift.studies.trajectories.recording import Recording

if TYPE_CHECKING:
    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.studies.trajectories.trajectory import Trajectory

PAIRS = (("owl", 0), ("pizza", 1))
CASES = tuple(
    (model, *shift)
    for model in ("toy-latent", "toy-glide")
    for shift in (("none", 0.0), ("mean", -0.3), ("mean", 0.3), ("std", 0.3))
)
"""Of the run that `synthetic.write` makes, with one that is not recorded."""

STEPS = 8
SIZE = 48


def walks(start: float = 0.0, steps: int = STEPS, pairs: int = len(PAIRS)) -> np.ndarray:
    """States, (pairs, steps + 1, SIZE), that begin at `start` beside those that begin at 0."""
    draw = np.random.default_rng(0)
    states = draw.standard_normal((pairs, steps + 1, SIZE)).cumsum(axis=1)
    return (states + start * np.linspace(1, 0.2, steps + 1)[:, None]).astype(np.float32)


def control(states: np.ndarray, pairs: tuple[tuple[str, int], ...] = PAIRS) -> recorder.Control:
    return recorder.Control("print", pairs, states, plane.fit(states.reshape(-1, states.shape[-1])))


def trajectory(case: Case, states: np.ndarray, of: recorder.Control, notes: tuple[str, ...] = ()) -> Trajectory:
    return recorder.summary(case, of, [Recording(each, {}, notes) for each in states])


def add(folder: RunFolder, case: Case, fingerprint: str, pairs: tuple[tuple[str, int], ...] = PAIRS) -> None:
    """Write a case's trajectories, with pictures after the first and the last step."""
    made = trajectory(case, walks(case.magnitude), control(walks(), pairs), ("a note",))
    made = dataclasses.replace(made, shown=(1, STEPS))
    path = files.path_of(folder, case, fingerprint)
    for place in range(len(pairs)):
        for step in made.shown:
            picture = files.picture_path(path, place, step)
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (30 * step, 100 * place, int(abs(case.magnitude) * 255))).save(picture)
    files.write(path, fingerprint, made)
