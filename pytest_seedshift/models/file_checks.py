"""What the files of a model say before any library is asked: whether weights are whole, how many steps there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import files
from pytest_seedshift.core.checkpoints import contents, headers
from pytest_seedshift.core.errors import ModelError

if TYPE_CHECKING:
    from pytest_seedshift.models.base import Entry
    from pytest_seedshift.models.location import Location


def check(entry: Entry, location: Location) -> None:
    """Make sure that the files that a model is loaded from are what they should be: see `headers.why_not`.

    Args:
        entry: of the model.
        location: of its pipeline.

    Raises:
        ModelError: one is not; the message names it.
    """
    if (
        location.path.is_file()
        and (other := headers.no_pipeline(location.path, whole=location.config is None)) is not None
    ):
        raise ModelError(f"{entry.name} cannot be loaded: {location.path} {other}")
    headers.check_files(entry.name, location.files())
    for _, folder in entry.parts:
        found = contents.of(Path(folder), entry.variant)
        headers.check_files(entry.name, [] if found is None else contents.paths(Path(folder), found))


def check_steps(entry: Entry, location: Location) -> None:
    """Make sure that a schedule of betas has as many steps as an entry asks for.

    Raises:
        ModelError: it has fewer.
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
        raise ModelError(
            f"{entry.name}: steps = {entry.steps}: the model was trained with {most} steps: give at most that number"
        )
