"""The user's own code, called: whatever it raises becomes one sentence, with the file and the line.

A test may skip, fail or end the process. What is called outside of one, such as a hook or a model's factory, cannot:
pytest would answer with an internal error.
"""

from __future__ import annotations

import inspect
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_seedshift.core import working_directory
from pytest_seedshift.core.errors import ModelError, SeedshiftError

_log = logging.getLogger(__name__)

_OUTCOMES = {"Skipped": "called pytest.skip", "XFailed": "called pytest.xfail", "Failed": "called pytest.fail"}
"""What these of pytest's exceptions come from."""

_NOT_THEIRS = sys.stdlib_module_names | {"pytest_seedshift", "pluggy", "_pytest", "torch", "__main__"}
"""Packages whose lines are not the user's."""


_TIMERS = ("pytest_timeout",)
"""Modules of plugins that say when a test has taken too long."""


class TheirError(ModelError):
    """Code of the user's raised something; the message says whose, what and where."""


@contextmanager
def calling(
    what: str,
    code: object = None,
    *,
    error: type[SeedshiftError] = TheirError,
    passes: Callable[[BaseException], bool] = lambda _: False,
) -> Iterator[None]:
    """The net around a call of the user's code.

    Args:
        what: whose code it is and what it does, such as `the model 'mine' of conftest.py: generate`.
        code: what is called: where it begins is reported if the error has no line of its own.
        error: what is raised in place of whatever the code raises.
        passes: whether an error is none of the code's, such as one that stands for a GPU that is gone.

    Raises:
        SeedshiftError: of the class `error`. An interruption and pytest.exit pass.
    """
    try:
        yield
    except BaseException as raised:  # pytest.skip and the like are no Exceptions, nor is what sys.exit raises
        if isinstance(raised, (KeyboardInterrupt, error)) or _is_pytests(raised, "Exit") or _is_closing(raised):
            raise
        if passes(raised) or _is_timeout(raised):
            raise
        _log.debug("%s", what, exc_info=raised)
        raise error(f"{what} {describe(raised, code)}") from raised


def describe(raised: BaseException, code: object = None) -> str:
    """What an error of the user's says: `raised KeyError: 'a' (conftest.py, line 3)`."""
    kind, said = type(raised).__name__, " ".join(str(raised).split())
    verb = _OUTCOMES[kind] if _is_pytests(raised, *_OUTCOMES) else f"raised {kind}"
    place = _place(raised) or _definition(code)
    return verb + (f": {said}" if said else "") + (f" ({place})" if place else "")


def _is_pytests(raised: BaseException, *names: str) -> bool:
    # These say that they are of the module builtins, so that they look well where a traceback is printed.
    return type(raised).__module__ in ("builtins", "_pytest.outcomes") and type(raised).__name__ in names


def _is_closing(raised: BaseException) -> bool:
    """Whether Python closes a generator of ours here; what the user's code raises is an error like any other."""
    modules = {str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(raised.__traceback__)}
    ours = {each for each in modules if each.partition(".")[0] in ("pytest_seedshift", "contextlib")}
    return isinstance(raised, GeneratorExit) and modules == ours


def _is_timeout(raised: BaseException) -> bool:
    """Whether an outcome comes from a plugin that interrupts tests by a signal, wherever they are."""
    frames = traceback.walk_tb(raised.__traceback__)
    return _is_pytests(raised, *_OUTCOMES) and any(f.f_globals.get("__name__") in _TIMERS for f, _ in frames)


def _place(raised: BaseException) -> str | None:
    """The innermost line of the user's that an error went through."""
    if isinstance(raised, SyntaxError) and raised.filename:
        return _line(raised.filename, raised.lineno or 1)
    lines = [
        (frame.f_code.co_filename, number)
        for frame, number in traceback.walk_tb(raised.__traceback__)
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _NOT_THEIRS
    ]
    if not lines:
        return None
    folder = Path(lines[0][0]).parent  # deeper lines of other packages say less to the user
    return _line(*[line for line in lines if Path(line[0]).is_relative_to(folder)][-1])


def _definition(code: object) -> str | None:
    """Where a function or a class begins."""
    if code is None or str(getattr(code, "__module__", "")).partition(".")[0] in _NOT_THEIRS:
        return None
    try:
        return _line(str(inspect.getsourcefile(code)), inspect.getsourcelines(code)[1])  # type: ignore[arg-type]
    except (TypeError, OSError):
        return None


def _line(file: str, line: int) -> str:
    path, here = Path(file), working_directory.here()
    shown = path.relative_to(here) if here is not None and path.is_relative_to(here) else path
    return f"{shown}, line {line}"
