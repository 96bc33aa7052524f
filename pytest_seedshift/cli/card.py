"""`seedshift card RUN`: a run's results in the form of a Hugging Face model card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift import output, whole
from pytest_seedshift.cli import CommandError

if TYPE_CHECKING:
    from pytest_seedshift.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the run folder, such as .seedshift")
    parser.add_argument("--model", metavar="NAME", help="whose results, where the run has several models")
    parser.add_argument(
        "--into", metavar="README.md", type=Path, help="the card to write them into, or to make (default: print one)"
    )


def run(options: argparse.Namespace) -> int:
    """Make the card.

    Raises:
        CommandError: the folder holds no run, it is not clear whose card is meant, or the card cannot be used.
    """
    from pytest_seedshift import run as runs
    from pytest_seedshift.extensions import scores_known
    from pytest_seedshift.scores import recorded

    with scores_known(recorded(runs.head(options.run))):
        return _make(options)


def _make(options: argparse.Namespace) -> int:
    from pytest_seedshift import run as runs
    from pytest_seedshift.report import card

    try:
        found = runs.load(options.run)
    except runs.RunError as error:
        raise CommandError(str(error)) from None
    model, into = _model(found, options.model), options.into
    if into is not None:
        whole.check_writable(into, "--into")
    existing = "" if into is None else _read(into)
    try:
        made = card.make(found, model, existing)
    except card.NoResultError as error:
        raise CommandError(f"{options.run}: {error}") from None
    except card.CardError as error:
        raise CommandError(str(error) if into is None or not existing else f"{into}: {error}") from None
    for note in found.notes:
        output.say(f"warning: {note}", err=True)
    if into is None:
        output.say_document(made)
    else:
        _write(into, made)
        output.say(into)
    return 0


def _model(run: Run, given: str | None) -> str:
    """Whose card is meant: a card is that of one model."""
    names = ", ".join(run.models)
    if given is None and len(run.models) > 1:
        raise CommandError(f"the run is of several models, a card is of one: say which with --model. It has {names}")
    if given is not None and given not in run.models:
        raise CommandError(f"--model {given}: the run has none of that name. It has {names}")
    return given or run.models[0]


def _read(path: Path) -> str:
    """The card that there is; empty where there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        if path.parent.is_dir():
            return ""
        raise CommandError(f"--into {path}: there is no folder {path.parent}") from None
    except OSError as error:
        raise CommandError(f"--into {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"--into {path}: is not UTF-8: {error.reason} at byte {error.start}") from None


def _write(path: Path, card: str) -> None:
    """Write the card, whole or not at all; where the path is a link, to the file that it leads to."""
    try:
        whole.write(path.resolve(), card)
    except OSError as error:
        raise CommandError(f"--into {path}: cannot be written: {error.strerror}") from None
