"""Trajectories in the run folder: one small file a case, with the pictures of its predicted x₀ beside it.

`trajectories/<case>-<model's fingerprint>.safetensors` has the arrays of a `Trajectory` and, in its header, what they
are of; or in the header alone why there is none. `trajectories/states/` has the control's states in full while a
session needs them. Nothing here loads torch: a report is made without it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift import whole
from pytest_seedshift.cases import Case
from pytest_seedshift.trajectories.trajectory import ARRAYS, Trajectory

if TYPE_CHECKING:
    from pytest_seedshift.folder import RunFolder
    from pytest_seedshift.trajectories.trajectory import Values

VERSION = 1

_HEADER = "seedshift"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the run folder has of a case's trajectories: them, or why there are none.

    Attributes:
        case: the case.
        fingerprint: of the model that made them.
        trajectory: None where there is none.
        reason: why.
        pictures: by the pair's place and the step, where the picture of the predicted x₀ was put.
    """

    case: Case
    fingerprint: str
    trajectory: Trajectory | None
    reason: str
    pictures: Mapping[tuple[int, int], Path]


def path_of(folder: RunFolder, case: Case, fingerprint: str) -> Path:
    """Where a case's trajectories lie."""
    return folder.trajectories_folder / f"{folder.picture_folder(case).name}-{fingerprint[:8]}.safetensors"


def picture_path(path: Path, pair: int, step: int) -> Path:
    """Where a picture lies whose trajectories lie at `path`, by the pair's place and the step, from 1."""
    return path.with_suffix("") / f"{pair}-{step}.png"


def states_path(folder: RunFolder, model: str, fingerprint: str) -> Path:
    """Where a model's control states lie while they are needed."""
    return folder.states_folder / f"{folder.picture_folder(Case(model)).name}-{fingerprint[:8]}.safetensors"


def write(path: Path, fingerprint: str, trajectory: Trajectory) -> None:
    """Write trajectories, whole or not at all.

    Raises:
        OSError: they cannot be written.
    """
    header = {
        "pairs": trajectory.pairs,
        "size": trajectory.size,
        "shown": trajectory.shown,
        "notes": trajectory.notes,
        "reason": "",
    }
    arrays = {name: np.ascontiguousarray(getattr(trajectory, name), np.float32) for name in ARRAYS}
    _save(path, arrays, _of(trajectory.case, fingerprint) | header)


def write_reason(path: Path, case: Case, fingerprint: str, reason: str) -> None:
    """Write why a case has no trajectories.

    Raises:
        OSError: it cannot be written.
    """
    _save(path, {}, _of(case, fingerprint) | {"reason": reason})


def write_states(path: Path, pairs: tuple[tuple[str, int], ...], states: Values) -> None:
    """Write the control's states, (K, S + 1, D), whole or not at all.

    Raises:
        OSError: they cannot be written.
    """
    _save(path, {"states": states}, {"version": VERSION, "pairs": pairs})


def read_states(path: Path, pairs: tuple[tuple[str, int], ...]) -> Values | None:
    """The control's states of these pairs, (K, S + 1, D); None where they are not there."""
    try:
        arrays, header = _load(path)
        same = header["version"] == VERSION and _pairs(header) == pairs
        states: Values = arrays["states"]
        return states if same and states.ndim == 3 else None
    except _UNREADABLE:
        return None


def read(path: Path) -> Kept:
    """Read a case's trajectories, or why there are none.

    Raises:
        ValueError: the file cannot be used; the message says why.
    """
    try:
        arrays, header = _load(path)
        version = header["version"]
        if version != VERSION:
            newer = ": upgrade pytest-seedshift" if isinstance(version, int) and version > VERSION else ""
            raise ValueError(f"its version is {version!r}, this version of seedshift reads {VERSION}{newer}")
        case = Case(str(header["model"]), str(header["shift"]), float(header["magnitude"]))
        _ = case.id  # a magnitude that is no number
        fingerprint, reason = str(header["fingerprint"]), str(header["reason"])
        if reason:
            return Kept(case, fingerprint, None, reason, {})
        made = Trajectory(
            case=case,
            pairs=_pairs(header),
            size=int(header["size"]),
            shown=tuple(int(step) for step in header["shown"]),
            notes=tuple(map(str, header["notes"])),
            **{name: arrays[name] for name in ARRAYS},
        )
        _check(made)
    except _UNREADABLE as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from None
    places = [(pair, step) for pair in range(len(made.pairs)) for step in made.shown]
    return Kept(case, fingerprint, made, "", {place: picture_path(path, *place) for place in places})


def find(folder: RunFolder) -> Iterator[Path]:
    """The files of all cases' trajectories, whatever version of a model made them."""
    yield from sorted(folder.trajectories_folder.glob("*.safetensors"))


def take_over(source: RunFolder, target: RunFolder) -> None:
    """Copy the trajectories of another run that are not there; the pictures before the file that names them.

    Raises:
        OSError: they cannot be copied.
    """
    for path in find(source):
        there = target.trajectories_folder / path.name
        if path.is_symlink() or there.exists():
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        pictures = path.with_suffix("")
        if pictures.is_dir() and not pictures.is_symlink():
            shutil.copytree(pictures, there.with_suffix(""), symlinks=True, dirs_exist_ok=True)
        whole.write(there, path.read_bytes())


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def _of(case: Case, fingerprint: str) -> dict[str, Any]:
    told = {"model": case.model, "shift": case.shift, "magnitude": case.magnitude, "fingerprint": fingerprint}
    return {"version": VERSION, **told}


def _pairs(header: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((str(label), int(seed)) for label, seed in header["pairs"])


def _check(made: Trajectory) -> None:
    """Check that the arrays are of one size.

    Raises:
        ValueError: they are not.
    """
    pairs, steps = len(made.pairs), made.steps
    states = (pairs, steps + 1)
    expected = {"length": (pairs, steps), "control_length": (pairs, steps), "explained": (2,)}
    expected |= {"plane": (*states, 2), "control_plane": (*states, 2)}
    for name in ARRAYS:
        shape = getattr(made, name).shape
        if shape != expected.get(name, states) or not pairs or not steps:
            raise ValueError(f"{name} is of shape {shape}")
    if any(not 1 <= step <= steps for step in made.shown):
        raise ValueError(f"pictures of steps {made.shown} of {steps}")


def _save(path: Path, arrays: dict[str, Any], header: Mapping[str, Any]) -> None:
    from safetensors.numpy import save

    path.parent.mkdir(parents=True, exist_ok=True)
    whole.write(path, save(arrays, {_HEADER: json.dumps(header, ensure_ascii=False)}))


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()[_HEADER])
            return {name: file.get_tensor(name) for name in file.keys()}, dict(header)  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from None
