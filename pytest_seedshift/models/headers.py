"""What the files of a model say before any library is asked: whether weights are whole, how many steps there are."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift import contents, files
from pytest_seedshift.contents import networks

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.weights import Location

_MOST_HEADER = 100_000_000
"""Bytes of the header of a file of weights: what the format itself allows."""

_AGAIN = "get it again"

_ADAPTER = re.compile(
    r"(^|[._])lora(_[AB]|_down|_up|\.down|\.up)\b|^(lora|lycoris)_(unet|te\d?|transformer|prior)_|"
    r"\.(hada_w[12]_[ab]|lokr_w[12](_[ab])?|oft_(diag|blocks)|dora_scale|lora_magnitude_vector)\b"
)
"""What only the names of an adapter's weights have in them: LoRA, LoHa, LoKr, OFT and DoRA, of peft and of others."""


def check(entry: Entry, location: Location) -> None:
    """Make sure that the files that a model is loaded from are what they should be: see `why_not`.

    Args:
        entry: of the model.
        location: of its pipeline.

    Raises:
        ValueError: one is not; the message names it.
    """
    check_files(entry.name, location.files())
    for _, folder in entry.parts:
        found = contents.of(Path(folder), entry.variant)
        check_files(entry.name, [] if found is None else contents.paths(Path(folder), found))


def check_files(name: str, paths: Iterable[Path]) -> None:
    """Make sure of the files that a model or a scorer is loaded from.

    Raises:
        ValueError: one is not what it should be; the message names it, and the model or scorer `name`.
    """
    for path in paths:
        if (reason := why_not(path)) is not None:
            raise ValueError(f"{name} cannot be loaded: {path} {reason}")


def why_not(path: Path) -> str | None:
    """Why a file cannot be loaded, and what to do; None where nothing speaks against it.

    A file of weights is whole, and holds a model's weights and not an adapter's. No file is a pointer that git-lfs has
    left in place of it.
    """
    try:
        about = path.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return _why_not(path, about.st_size, about.st_mtime_ns, about.st_ino)


def is_adapter(path: Path) -> bool:
    """Whether a file of safetensors holds the weights of an adapter."""
    header = _header(path)
    return isinstance(header, dict) and any(map(_ADAPTER.search, header))


@lru_cache(maxsize=1024)
def _why_not(path: Path, size: int, *_: int) -> str | None:
    is_weights = path.name.endswith(networks.SUFFIX)
    if size < _LARGEST_POINTER and _is_pointer(path):
        return (
            f"is {'no file of safetensors, but ' if is_weights else ''}a pointer of git-lfs in place of the file: run "
            f"'git lfs install' and 'git lfs pull' in its repository, or {_AGAIN}"
        )
    if not is_weights:
        return None
    if not size:
        return f"is no file of safetensors, but empty: {_AGAIN}"
    header = _header(path)
    if isinstance(header, str):
        return f"{header}: {_AGAIN}"
    if any(map(_ADAPTER.search, header)):
        return f"holds the weights of a LoRA or another adapter, and no model. {networks.ADAPTER_ADVICE}"
    return None


_LARGEST_POINTER = 1024


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(files.LFS_POINTER)) == files.LFS_POINTER.encode()
    except OSError:
        return False


def _header(path: Path) -> dict[str, Any] | str:
    """The header of a file of safetensors, by name of each tensor; or why it is none, or not whole."""
    try:
        with files.foreign(path):
            size = path.stat().st_size
            with path.open("rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                if not 2 <= length <= min(size - 8, _MOST_HEADER):
                    other = _instead(path)
                    return f"is no file of safetensors, {'or is cut short' if other is None else f'but {other}'}"
                header: dict[str, Any] = files.parse_json(file.read(length).decode(), path)
            ends = [int(each["data_offsets"][1]) for name, each in header.items() if name != "__metadata__"]
    except files.FileError:
        other = _instead(path)
        return f"is no file of safetensors{'' if other is None else f', but {other}'}"
    missing = max(ends, default=0) - (size - 8 - length)
    return f"is cut short: {missing} bytes are missing" if missing > 0 else header


def _instead(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return files.instead(file.read(512))
    except OSError:
        return None


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
