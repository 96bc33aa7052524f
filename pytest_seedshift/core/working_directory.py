"""Where a session works: in the folder in which it began, wherever its tests have gone.

Tests change the working folder, and some remove the one that they leave behind. Models, class lists and folders that
were named by a path mean what they meant when the session began, and so do the files that are written at its end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _OfSession(Protocol):
    @property
    def start(self) -> Path:
        """The folder in which the session began."""


_Self = TypeVar("_Self", bound=_OfSession)


def here() -> Path | None:
    """The working folder; None where it was removed."""
    try:
        return Path.cwd()
    except OSError:
        return None


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, and go back to where one was, if both are still there."""
    before = here()
    if before == folder:
        yield
        return
    with suppress(OSError):
        os.chdir(folder)
    try:
        yield
    finally:
        if before is not None:
            with suppress(OSError):
                os.chdir(before)


def at_start(method: Callable[Concatenate[_Self, _P], _T]) -> Callable[Concatenate[_Self, _P], _T]:
    """Let a method of what has a `start` work in that folder."""

    @wraps(method)
    def inside(self: _Self, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with working_in(self.start):
            return method(self, *args, **kwargs)

    return inside
