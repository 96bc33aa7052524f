"""What the files of a model say before any library is asked: whether weights are whole, how many steps there are."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift import files, typed, weights

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.weights import Location

_MOST_HEADER = 100_000_000
"""Bytes of the header of a file of weights: what the format itself allows."""


def check(entry: Entry, location: Location) -> None:
    """Make sure that the files of weights of a model and of its scorers are as long as their headers say.

    Args:
        entry: of the model, whose scorers are on this machine.
        location: of its pipeline.

    Raises:
        ValueError: one is not; the message names it.
    """
    for path in _weights(entry, location):
        if (reason := _why_not(path)) is not None:
            raise ValueError(f"{entry.name} cannot be loaded: {path} {reason}: get it again")


def check_steps(entry: Entry, location: Location) -> None:
    """Make sure that a schedule of betas has as many steps as an entry asks for.

    Raises:
        ValueError: it has fewer.
    """
    folder = location.path if location.path.is_dir() else location.config
    if folder is None or entry.steps is None or not (path := folder / "scheduler/scheduler_config.json").is_file():
        return
    config: Any = files.read_json(path, finite=False)
    options = {
        **(config if isinstance(config, dict) else {}),
        **dict(entry.scheduler.options if entry.scheduler else ()),
    }
    most = options.get("num_train_timesteps")
    if isinstance(most, int) and "beta_schedule" in options and entry.steps > most:
        raise ValueError(
            f"{entry.name}: steps = {entry.steps}: the model was trained with {most} steps: give at most so many"
        )


def _weights(entry: Entry, location: Location) -> Iterator[Path]:
    """The files of weights that a model and its scorers are loaded from."""
    if location.path.is_file():
        yield location.path
    elif location.released is None:
        for part in location.parts:
            if part != weights.SAFETY_CHECKER:
                yield from sorted((location.path / part).glob(f"*{weights.SINGLE_FILE}"))
    for _, folder in entry.parts:
        yield from sorted(Path(folder).glob(f"*{weights.SINGLE_FILE}"))
    for source in (entry.classifier, entry.clip):
        folder_of = typed.expand(source)
        if folder_of.is_dir():
            yield from sorted(folder_of.glob(f"*{weights.SINGLE_FILE}"))


def _why_not(path: Path) -> str | None:
    """Why a file is none of safetensors, or is not whole; None where it is."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if not 2 <= length <= min(size - 8, _MOST_HEADER):
                return "is no file of safetensors, or is cut short"
            header = json.loads(file.read(length))
        ends = [int(each["data_offsets"][1]) for name, each in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error, RecursionError):
        return "is no file of safetensors"
    missing = max(ends, default=0) - (size - 8 - length)
    return f"is cut short: {missing} bytes are missing" if missing > 0 else None
