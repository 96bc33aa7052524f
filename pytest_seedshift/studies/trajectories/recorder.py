"""Trajectories of cases: looked up in the run folder, recorded where they are not there, summed up at once.

They are generations of their own, pair by pair. So the images of the verdict are what they are without them, a
trajectory depends on nothing but its pair and its case, and it makes no difference what the store holds.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_seedshift.core import atomic_files, messages
from pytest_seedshift.core.cases import CaseError, judging_case
from pytest_seedshift.core.errors import DataError, HarnessError
from pytest_seedshift.core.files import FileError
from pytest_seedshift.scorers import devices
from pytest_seedshift.studies.trajectories import files, plane, recording
from pytest_seedshift.studies.trajectories.recording import lengths
from pytest_seedshift.studies.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from pytest_seedshift.core.cases import Case
    from pytest_seedshift.core.pairs import Pair
    from pytest_seedshift.runner.model_pool import ModelPool
    from pytest_seedshift.runner.workbench import Workbench
    from pytest_seedshift.studies.trajectories.plane import Plane
    from pytest_seedshift.studies.trajectories.recording import Recording
    from pytest_seedshift.studies.trajectories.trajectory import Values

PAIRS = 4
"""How many pairs are recorded where the user does not say."""

_SIDE = 96
"""The longer side of a picture of the predicted x₀, in pixels, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """The control of a model, by its fingerprint: of which pairs, its states, (K, S + 1, D), and their plane."""

    fingerprint: str
    pairs: tuple[tuple[str, int], ...]
    states: Values
    plane: Plane

    def is_of(self, fingerprint: str, pairs: tuple[tuple[str, int], ...]) -> bool:
        """Whether it is of this version of a model and these pairs."""
        return (self.fingerprint, self.pairs) == (fingerprint, pairs)


class Recorder:
    """Records trajectories with a workbench's models, into its run folder."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._held: Control | None = None

    def keep(self, case: Case, pairs: Sequence[Pair]) -> None:
        """Have a case's trajectories in the run folder, or why there are none: no verdict depends on them.

        Raises:
            Exception: one after which nothing more works in this process.
        """
        try:
            self.trajectory(case, pairs)
        except Exception as error:
            if devices.is_poisoned(error):
                raise
            devices.free_memory()
            with suppress(OSError):  # then the report says that nothing was recorded
                self._tell(case, str(error) if isinstance(error, CaseError) else messages.first_line(error))

    def trajectory(self, case: Case, pairs: Sequence[Pair]) -> Trajectory:
        """A case's trajectories of some pairs: those that are there, or made now.

        Raises:
            CaseError: there are none; the message says why.
        """
        with judging_case(case):
            path, fingerprint = self._path(case)
            found = _found(path, pairs)
            if found is not None:
                return found
            control = self._control(case.control, pairs)
            if case.is_control:
                return self._written(path, pairs)
            recordings = self._recorded(case, pairs)
            self._write(path, fingerprint, summary(case, control, recordings), recordings)
            return self._written(path, pairs)

    def _path(self, case: Case) -> tuple[Path, str]:
        fingerprint = self._bench.samples(case.model).model
        return files.path_of(self._bench.folder, case, fingerprint), fingerprint

    def _written(self, path: Path, pairs: Sequence[Pair]) -> Trajectory:
        found = _found(path, pairs)
        if found is None:
            raise HarnessError(f"{path} was deleted while it was needed")
        return found

    def _tell(self, case: Case, reason: str) -> None:
        path, fingerprint = self._path(case)
        files.write_reason(path, case, fingerprint, reason)

    def _control(self, case: Case, pairs: Sequence[Pair]) -> Control:
        """The control's states, made by one process at a time, and its trajectories written."""
        (path, fingerprint), names = self._path(case), _names(pairs)
        if self._held is not None and self._held.is_of(fingerprint, names) and _found(path, pairs) is not None:
            return self._held
        self._held = None
        if self._bench.pool.is_here:
            self._bench.model(case.model)  # loaded before the lock, so that others wait for images only
        states_path = files.states_path(self._bench.folder, case.model, fingerprint)
        with self._bench.folder.lock(f"trajectories {case.model}"):
            kept = files.read_states(states_path, names)
            if kept is None or _found(path, pairs) is None:
                recordings = self._recorded(case, pairs)
                kept = _stacked(recordings)
                made = Control(fingerprint, names, kept, _plane(kept))
                self._write(path, fingerprint, summary(case, made, recordings), recordings)
                files.write_states(states_path, names, kept)
            else:
                made = Control(fingerprint, names, kept, _plane(kept))
        self._held = made
        return made

    def _recorded(self, case: Case, pairs: Sequence[Pair]) -> list[Recording]:
        found: list[Recording] = self._bench.scheduler.call(case.model, _record, case, tuple(pairs))
        return found

    def _write(self, path: Path, fingerprint: str, made: Trajectory, recordings: Sequence[Recording]) -> None:
        for place, each in enumerate(recordings):
            for step in made.shown:
                _save(files.picture_path(path, place, step), each.pictures[step])
        files.write(path, fingerprint, made)


def _record(pool: ModelPool, model: str, case: Case, pairs: Sequence[Pair]) -> list[Recording]:
    """Record where the model is."""
    loaded = pool.model(model)
    return [recording.record(loaded, case, pair) for pair in pairs]


def summary(case: Case, control: Control, recordings: Sequence[Recording]) -> Trajectory:
    """What is kept of a case's recordings, one for each of the control's pairs.

    Raises:
        DataError: their states are not of as many steps or numbers as the control's.
    """
    states = _stacked(recordings)
    if states.shape != control.states.shape:
        raise DataError(f"its states are {states.shape[1:]}, the control's {control.states.shape[1:]}")
    steps = [each.pictures.keys() for each in recordings]
    return Trajectory(
        case=case,
        pairs=control.pairs,
        size=states.shape[2],
        mean=states.mean(axis=2),
        std=states.std(axis=2),
        norm=np.linalg.norm(states, axis=2),
        distance=np.linalg.norm(states - control.states, axis=2),
        length=lengths(states),
        plane=control.plane.project(states),
        control_length=lengths(control.states),
        control_plane=control.plane.project(control.states),
        explained=control.plane.explained,
        shown=tuple(step for step in steps[0] if all(step in each for each in steps)),
        notes=tuple(dict.fromkeys(note for each in recordings for note in each.notes)),
    )


def _stacked(recordings: Sequence[Recording]) -> Values:
    return np.stack([each.states for each in recordings])


def _plane(states: Values) -> Plane:
    return plane.fit(states.reshape(-1, states.shape[2]))


def _names(pairs: Sequence[Pair]) -> tuple[tuple[str, int], ...]:
    return tuple((pair.label.name, pair.seed) for pair in pairs)


def _found(path: Path, pairs: Sequence[Pair]) -> Trajectory | None:
    try:
        found = files.read(path).trajectory
    except FileError:  # not there, damaged, or of another version: it is made anew
        return None
    return found if found is not None and found.pairs == _names(pairs) else None


def _save(path: Path, picture: Tensor) -> None:
    """Save a small picture, float (3, height, width) in [0, 1], as PNG."""
    from torchvision.transforms.v2.functional import to_pil_image

    image = to_pil_image(picture.mul(255).round().byte().cpu())
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    atomic_files.make_folder(path.parent, path.parent.parent.parent)
    atomic_files.write(path, buffer.getvalue())
