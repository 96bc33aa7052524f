"""`seedshift card RUN`: a run's results in the form of a Hugging Face model card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import Output, check_output, output_option, run_argument
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import atomic_files
from pytest_seedshift.core import output as sinks

if TYPE_CHECKING:
    from pytest_seedshift.results.run import Run


@click.command(
    "card",
    cls=Command,
    help="Put the results of a run into a model card of Hugging Face. In an existing card, only the parts that this "
    "command has written are replaced.",
    examples=("card .seedshift --model toy-latent --output README.md",),
)
@run_argument
@click.option("--model", metavar="NAME", help="Model to describe, if the run has several.")
@output_option("-")
def command(run_folder: Path, model: str | None, output: Output) -> int:
    """What click calls."""
    return run(run_folder, model=model, output=output)


def run(folder: Path, *, model: str | None = None, output: Output = None) -> int:
    """Make the card.

    Args:
        folder: of the run.
        model: whose card; None where the run has only one.
        output: the card to write into, or to make; None to print one.

    Raises:
        CommandError: the folder holds no run, it is not clear whose card is meant, or the card cannot be used.
        UnwritableError: see `atomic_files.check_writable`.
    """
    return _make(folder, model, output)


def _make(folder: Path, given: str | None, output: Output) -> int:
    from pytest_seedshift.reporting import card
    from pytest_seedshift.results import run as runs

    found = runs.load(folder)
    model = _model(found, given)
    check_output(output, parents=False)
    into = output if isinstance(output, Path) else None
    existing = "" if into is None else _read(into)
    try:
        made = card.make(found, model, existing)
    except card.NoResultError as error:
        raise CommandError(f"{folder}: {error}") from None
    except card.CardError as error:
        raise CommandError(str(error) if into is None or not existing else f"{into}: {error}") from None
    for note in found.notes:
        sinks.say(f"warning: {note}", err=True)
    if into is None:
        sinks.say_file(made)
    else:
        _write(into, made)
        sinks.say(into)
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
        raise CommandError(f"--output {path}: there is no folder {path.parent}") from None
    except OSError as error:
        raise CommandError(f"--output {path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"--output {path}: is not UTF-8: {error.reason} at byte {error.start}") from None


def _write(path: Path, card: str) -> None:
    """Write the card, whole or not at all; where the path is a link, to the file that it leads to."""
    try:
        atomic_files.write(path.resolve(), card)
    except OSError as error:
        raise CommandError(f"--output {path}: cannot be written: {error.strerror}") from None
