"""Trajectories in the run folder: one small file a case, with the pictures of its predicted x₀ beside it.

`trajectories/<case>-<model's fingerprint>.safetensors` has the arrays of a `Trajectory` and, in its header, what they
are of; or in the header alone why there is none. `trajectories/states/` has the control's states in full while a
session needs them. Nothing here loads torch: a report is made without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_seedshift.core import atomic_files, files
from pytest_seedshift.core.cases import Case
from pytest_seedshift.core.errors import DataError
from pytest_seedshift.studies.trajectories.trajectory import ARRAYS, Trajectory

if TYPE_CHECKING:
    from pytest_seedshift.results.run_folder import RunFolder
    from pytest_seedshift.studies.trajectories.trajectory import Values

VERSION = 1

_HEADER = "seedshift"

_MOST_BYTES, _MOST_HEADER = 64_000_000, 1_000_000
"""Of a file, and of its header."""

_MOST_PAIRS, _MOST_STEPS, _MOST_SHOWN = 10_000, 10_000, 16

_PICTURE = re.compile(r"[0-9]+-[0-9]+\.png")
"""The names of pictures; see `picture_path`."""


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
    _save(path, arrays, _of(trajectory.case, fingerprint) | header, path.parent.parent)


def write_reason(path: Path, case: Case, fingerprint: str, reason: str) -> None:
    """Write why a case has no trajectories.

    Raises:
        OSError: it cannot be written.
    """
    _save(path, {}, _of(case, fingerprint) | {"reason": reason}, path.parent.parent)


def write_states(path: Path, pairs: tuple[tuple[str, int], ...], states: Values) -> None:
    """Write the control's states, (K, S + 1, D), whole or not at all.

    Raises:
        OSError: they cannot be written.
    """
    _save(path, {"states": states}, {"version": VERSION, "pairs": pairs}, path.parent.parent.parent)


def read_states(path: Path, pairs: tuple[tuple[str, int], ...]) -> Values | None:
    """The control's states of these pairs, (K, S + 1, D); None where they are not there."""
    from safetensors import safe_open

    within = path.parent.parent.parent  # the run folder
    try:
        with files.foreign(path):
            if not files.is_file(path, within):
                return None
            with safe_open(path, framework="numpy") as file:  # they are large, and of this session
                header = json.loads(file.metadata()[_HEADER])
                same = header["version"] == VERSION and _pairs(header) == pairs
                states: Values = file.get_tensor("states")
            return states if same and states.ndim == 3 else None
    except files.FileError:
        return None


def read(path: Path) -> Kept:
    """Read a case's trajectories, or why there are none.

    Raises:
        files.FileError: the file cannot be used; the message says why.
    """
    content = files.read_bytes(path, within=path.parent.parent, most=_MOST_BYTES)
    with files.foreign(path):
        return _read(path, content)


def _read(path: Path, content: bytes) -> Kept:
    from safetensors.numpy import load

    header = _header(path, content)
    version = header["version"]
    if version != VERSION:
        newer = ": upgrade pytest-seedshift" if isinstance(version, int) and version > VERSION else ""
        raise DataError(f"its version is {version}, this version of seedshift reads {VERSION}{newer}")
    case = Case(str(header["model"]), str(header["shift"]), float(header["magnitude"]))
    _ = case.id  # a magnitude that is no number
    fingerprint, reason = str(header["fingerprint"]), str(header["reason"])
    if reason:
        return Kept(case, fingerprint, None, reason, {})
    arrays = load(content)
    made = Trajectory(
        case=case,
        pairs=_pairs(header),
        size=int(header["size"]),
        shown=tuple(int(step) for step in header["shown"]),
        notes=tuple(map(str, header["notes"])),
        **{name: arrays[name] for name in ARRAYS},
    )
    _check(made)
    places = [(pair, step) for pair in range(len(made.pairs)) for step in made.shown]
    return Kept(case, fingerprint, made, "", {place: picture_path(path, *place) for place in places})


def find(folder: RunFolder) -> Iterator[Path]:
    """The files of all cases' trajectories, whatever version of a model made them."""
    yield from sorted(folder.trajectories_folder.glob("*.safetensors"))


def take_over(source: RunFolder, target: RunFolder, notes: list[str] | None = None) -> None:
    """Copy the trajectories of another run that are not there; the pictures before the file that names them.

    `notes` are told what cannot be read.

    Raises:
        OSError: they cannot be copied.
    """
    for path in find(source):
        there = target.trajectories_folder / path.name
        if there.exists():
            continue
        try:
            content = files.read_bytes(path, within=source.path, most=_MOST_BYTES)
        except files.FileError as error:
            if notes is not None:
                notes.append(f"warning: {error}: it is left out")
            continue
        atomic_files.make_folder(there.parent, target.path)
        pictures = path.with_suffix("")
        if files.is_folder(pictures, source.path):
            atomic_files.make_folder(there.with_suffix(""), target.path)
            for each in sorted(pictures.iterdir()):
                _take_picture(each, source, there.with_suffix("") / each.name, target)
        atomic_files.write(there, content, within=target.path)


def _take_picture(picture: Path, source: RunFolder, there: Path, target: RunFolder) -> None:
    """Copy a picture; what is none is left where it is, as its place on the page will say."""
    if _PICTURE.fullmatch(picture.name):
        try:
            content = files.read_bytes(picture, within=source.path)
        except files.FileError:
            return
        atomic_files.write(there, content, within=target.path)


def _of(case: Case, fingerprint: str) -> dict[str, Any]:
    told = {"model": case.model, "shift": case.shift, "magnitude": case.magnitude, "fingerprint": fingerprint}
    return {"version": VERSION, **told}


def _pairs(header: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((str(label), int(seed)) for label, seed in header["pairs"])


def _check(made: Trajectory) -> None:
    """Check that the arrays are of one size.

    Raises:
        DataError: they are not.
    """
    if made.length.ndim != 2 or made.size < 1:
        raise DataError(f"length is of shape {made.length.shape}, of states of {made.size} numbers")
    pairs, steps = len(made.pairs), made.steps
    if pairs > _MOST_PAIRS or steps > _MOST_STEPS:
        raise DataError(f"{pairs} pairs of {steps} steps")
    states = (pairs, steps + 1)
    expected = {"length": (pairs, steps), "control_length": (pairs, steps), "explained": (2,)}
    expected |= {"plane": (*states, 2), "control_plane": (*states, 2)}
    for name in ARRAYS:
        shape = getattr(made, name).shape
        if shape != expected.get(name, states) or not pairs or not steps:
            raise DataError(f"{name} is of shape {shape}")
        if getattr(made, name).dtype != np.float32:
            raise DataError(f"{name} is of type {getattr(made, name).dtype}")
    if any(not 1 <= step <= steps for step in made.shown) or len(made.shown) > _MOST_SHOWN:
        raise DataError(f"pictures of steps {made.shown[:_MOST_SHOWN]} of {steps}")


def _save(path: Path, arrays: dict[str, Any], header: Mapping[str, Any], within: Path) -> None:
    from safetensors.numpy import save

    atomic_files.make_folder(path.parent, within)
    atomic_files.write(path, save(arrays, {_HEADER: json.dumps(header)}))


def _header(path: Path, content: bytes) -> dict[str, Any]:
    """What the file says of its arrays."""
    length = int.from_bytes(content[:8], "little")
    if length > _MOST_HEADER:
        raise DataError(f"a header of {length} bytes")
    header = files.parse_json(content[8 : 8 + length].decode(), path)
    return dict(files.parse_json(header["__metadata__"][_HEADER], path))
