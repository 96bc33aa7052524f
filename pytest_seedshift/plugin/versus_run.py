"""What a run of `seedshift versus` does besides: it says in a file how far it has come.

Such a run is given this module by `-p`. It is held against what `versus` says, not against the `[baseline]` of the
thresholds, nor by its names of models.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import atomic_files

if TYPE_CHECKING:
    import pytest

    from pytest_seedshift.plugin.eta import Outlook

OPTION = "--seedshift-progress-file"
_NAME = "seedshift_progress_file"

_EVERY = 0.3
"""Seconds between what is said of a case in work."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the file's path; nobody else gives it."""
    parser.addoption(OPTION, dest=_NAME, help=argparse.SUPPRESS)


def is_one(config: pytest.Config) -> bool:
    """Whether a session is a run of `versus`, or a worker of one."""
    return config.pluginmanager.hasplugin(__name__)


class Progress:
    """Says how far a run has come, where somebody reads it."""

    def __init__(self, config: pytest.Config) -> None:
        """Of other runs nothing is said."""
        given = config.getoption(_NAME, None)
        self._path = None if given is None else Path(given)
        self._said = -_EVERY

    def say(self, outlook: Outlook, in_work: Sequence[Mapping[str, Any]], *, always: bool = False) -> None:
        """Write it; of what is in work now and then, unless `always`."""
        now = time.monotonic()
        if self._path is None or (not always and now - self._said < _EVERY):
            return
        self._said = now
        images, expected = outlook.images(in_work)
        document = {
            "cases": ", ".join(str(each["case"]) for each in in_work[:1]),
            "images": images,
            "expected": expected,
            "left": outlook.now(in_work)[1],
        }
        with suppress(OSError):  # of a disk that is full: the run itself will say so
            atomic_files.write(self._path, json.dumps(document))
