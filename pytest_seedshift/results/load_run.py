"""A run folder for whoever writes Python: read with the scores that its own verdicts.json names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift.results import run

if TYPE_CHECKING:
    from pytest_seedshift.results.data import Run


def load_run(path: str | os.PathLike[str] = ".seedshift") -> Run:
    """Read what a run has left: its cases, their verdicts and samples. Nothing is written, no model is loaded.

    What is missing or cannot be read, such as a lost picture, is left out and reported in `Run.notes`. A run that was
    interrupted is read as far as it came.

    Args:
        path: a run folder, as `--seedshift-dir` named it or `merge` made it.

    Returns:
        The run; `case_rows` and `sample_rows` are its tables.

    Raises:
        DataError: there is no such folder, nothing of a run is in it, or a newer version wrote it.
    """
    return run.load(Path(path))
