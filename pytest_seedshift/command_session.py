"""Commands that work with models: in a pytest session that ends before anything is collected.

So they know the options, the models, the thresholds and the hooks that a run in the same folder knows, and share its
store.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pytest

from pytest_seedshift import limits, output
from pytest_seedshift.cli import CommandError

if TYPE_CHECKING:
    from pytest_seedshift.session import State

Work: TypeAlias = "Callable[[State], None]"
"""What a command does; a pytest.UsageError is told without a traceback, with status 4."""

OPTIONS = ("device", "dtype", "dir", "thresholds", "batch-size", "design-seed")
"""The options of a run that such a command takes too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `OPTIONS`, and what lifts the limits."""
    for name in OPTIONS:
        parser.add_argument(f"--{name}", metavar=name.upper().replace("-", "_"), help=f"as --seedshift-{name}")
    parser.add_argument("--no-limits", action="store_true", help="as --seedshift-no-limits")


def check_images(given: argparse.Namespace) -> None:
    """Hold a command's number of images against the limit.

    Raises:
        CommandError: it is above.
    """
    if given.images is not None:
        try:
            limits.check(given.images, limits.IMAGES, f"--images {given.images}", lifted=given.no_limits)
        except limits.LimitError as error:
            raise CommandError(str(error)) from None


def magnitudes(text: str, where: str, *, lifted: bool) -> tuple[float, ...]:
    """A command's magnitudes, checked as a run's are.

    Raises:
        CommandError: one that cannot be used.
    """
    from pytest_seedshift import options

    try:
        return options.check_magnitudes([text], where, lifted=lifted)
    except pytest.UsageError as error:
        raise CommandError(str(error)) from None


def run(models: Sequence[str], given: argparse.Namespace, work: Work) -> int:
    """Do some work with models; the exit status is pytest's."""
    values = {name: getattr(given, name.replace("-", "_")) for name in OPTIONS}
    arguments = [f"--seedshift-{name}={value}" for name, value in values.items() if value is not None]
    arguments += ["--seedshift-no-limits"] if given.no_limits else []
    named = f"--seedshift-model={','.join(models)}"
    return int(pytest.main(["-s", "-p", "no:cacheprovider", named, *arguments], plugins=[_Instead(work)]))


class _Instead:
    """Takes the place of the session."""

    def __init__(self, work: Work) -> None:
        self._work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Do the work; an interruption ends it without a traceback.

        Raises:
            pytest.UsageError: what cannot be used, as in a run.
        """
        from pytest_seedshift import options
        from pytest_seedshift.session import State

        # A run's wishes for its store and its end are none of a command's.
        given = dataclasses.replace(options.resolve(config), fresh=False, plan=False, write_thresholds=None)
        state = State(config, given)
        try:
            self._work(state)
        except KeyboardInterrupt:
            kept = ": what was stored so far is kept, and is not made again" if state.samples else ""
            output.say(f"interrupted{kept}", err=True)
            return pytest.ExitCode.INTERRUPTED
        finally:
            state.close()
            state.leave()
        return pytest.ExitCode.OK
