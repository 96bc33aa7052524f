"""Commands that work with models: in a pytest session that ends before anything is collected.

So they know the options, the models, the thresholds and the hooks that a run in the same folder knows, and share its
store.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pytest

from pytest_seedshift.core import output
from pytest_seedshift.core.errors import SeedshiftUsageError

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session import Session

Work: TypeAlias = "Callable[[Session], int | None]"
"""What a command does; its exit status, where that is not 0."""


_IMPORTED = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
"""A command has imported this package before pytest begins; where a user's settings make errors of warnings, that is
none."""


class RefusedError(SeedshiftUsageError):
    """What a session refuses as the user's mistake; the message says what, and what to do."""


def magnitudes(text: str, where: str, *, lifted: bool) -> tuple[float, ...]:
    """A command's magnitudes, checked as a run's are.

    Raises:
        RefusedError: one that cannot be used.
    """
    from pytest_seedshift.plugin import option_values

    try:
        return option_values.check_magnitudes([text], where, lifted=lifted)
    except pytest.UsageError as error:
        raise RefusedError(str(error)) from None


def run(models: Sequence[str], arguments: Sequence[str], work: Work) -> int:
    """Do some work with models.

    Args:
        models: their names.
        arguments: of pytest.
        work: is given the session. What it raises is raised here, when the session has ended.

    Returns:
        What the work returns, or the status of a session that does not come to it, about which pytest has said why.

    Raises:
        RefusedError: the session or the work has raised a pytest.UsageError.
    """
    instead = _Instead(work)
    named = f"--seedshift-model={','.join(models)}"
    status = int(pytest.main(["-s", "-p", "no:cacheprovider", "-W", _IMPORTED, named, *arguments], plugins=[instead]))
    error = instead.error
    if isinstance(error, pytest.UsageError):
        raise RefusedError("\n".join(map(str, error.args))) from None
    if error is not None:
        raise error
    return status


class _Instead:
    """Takes the place of the session."""

    error: Exception | None = None

    def __init__(self, work: Work) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Do the work; an interruption ends it without a traceback, an error is kept for `run`."""
        from pytest_seedshift.plugin import option_resolution
        from pytest_seedshift.plugin.session import Session

        try:
            # A run's wishes for its store and its end are none of a command's.
            given = option_resolution.resolve(config)
            given = dataclasses.replace(given, fresh=False, plan=False, write_thresholds=None)
            return self._do(Session(config, given))
        except Exception as error:  # whatever it is, it is raised again once the session has ended
            self.error = error
            return pytest.ExitCode.USAGE_ERROR

    def _do(self, session: Session) -> int:
        try:
            return self._work(session) or pytest.ExitCode.OK
        except KeyboardInterrupt:
            kept = ": what was stored so far is kept and reused" if session.folder_use.samples else ""
            output.say(f"interrupted{kept}", err=True)
            return pytest.ExitCode.INTERRUPTED
        finally:
            session.close()
            session.folder_use.leave()
