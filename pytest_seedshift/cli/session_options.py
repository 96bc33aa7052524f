"""The options of commands that work with models, and how they get a session: see `plugin.command_session`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_seedshift.cli.options import FILE, FOLDER, Choice
from pytest_seedshift.core import limits

if TYPE_CHECKING:
    from pytest_seedshift.plugin.session import Session

BOTH_SIDES = "-0.3,0.3"
"""The magnitudes that a command looks at unless told otherwise: which side breaks a model is not known before."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """The options of a run that such a command takes too, as they were given; None where one was not."""

    device: str | None = None
    dtype: str | None = None
    dir: object = None
    thresholds: object = None
    batch_size: str | None = None
    design_seed: str | None = None
    no_limits: bool = False

    def arguments(self) -> list[str]:
        """As pytest takes them."""
        values = {name: getattr(self, name.replace("-", "_")) for name in _HELP}
        given = [f"--seedshift-{name}={value}" for name, value in values.items() if value is not None]
        return [*given, *(["--seedshift-no-limits"] if self.no_limits else [])]


_HELP = {
    "device": "Torch device, such as cuda:1. Default: cuda if there is one.",
    "dtype": "Number type of the model: float32, float16 or bfloat16.",
    "dir": "Run folder, whose samples are reused. Default: .seedshift.",
    "thresholds": "Thresholds file, which also describes models. Default: thresholds.toml.",
    "batch-size": "Most images to generate at once. Default: as many as fit.",
    "design-seed": "Seed of the design of pairs. Default: 0, or that of the thresholds file.",
}
_TYPES: dict[str, click.ParamType[Any]] = {
    "dtype": Choice(("float32", "float16", "bfloat16")),
    "dir": FOLDER,
    "thresholds": FILE,
}
_METAVARS = {
    "dtype": "TYPE",
    "dir": "RUN",
    "thresholds": "PATH",
    "batch-size": "N",
    "design-seed": "N",
    "device": "DEVICE",
}


def with_options(**other: str) -> Callable[[_Function], _Function]:
    """Take `SessionOptions`; the last options of a command. `other` is what some of them mean there."""

    def take(function: _Function) -> _Function:
        limitless = "Allow any number of images and any magnitude, as --seedshift-no-limits does."
        function = click.option("--no-limits", is_flag=True, help=limitless)(function)
        for name, text in reversed((_HELP | other).items()):
            option = click.option(f"--{name}", metavar=_METAVARS.get(name), type=_TYPES.get(name), help=text)
            function = option(function)
        return function

    return take


session_options = with_options()
"""Take them as they are."""


def check_images(images: int | None, given: SessionOptions) -> None:
    """Hold a command's number of images against the limit.

    Raises:
        LimitError: it is above.
    """
    if images is not None:
        limits.check(images, limits.IMAGES, f"--images {images}", lifted=given.no_limits)


def magnitudes(text: str, given: SessionOptions) -> tuple[float, ...]:
    """A command's magnitudes, checked as a run's are.

    Raises:
        RefusedError: one that cannot be used.
    """
    from pytest_seedshift.plugin import command_session

    return command_session.magnitudes(text, "--magnitude", lifted=given.no_limits)


def run(
    models: Sequence[str], given: SessionOptions, work: Callable[[Session], int | None], more: Sequence[str] = ()
) -> int:
    """Do some work with models; the exit status is what it returns, or pytest's. `more` are options of pytest besides.

    Raises:
        RefusedError: something cannot be used, as in a run.
    """
    from pytest_seedshift.plugin import command_session

    return command_session.run(models, [*given.arguments(), *more], work)
