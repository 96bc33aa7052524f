"""`seedshift history FOLDER`: add runs to a history, and see since when a model is worse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import (
    FOLDER,
    NUMBER,
    STDOUT,
    Output,
    PathType,
    check_beside,
    check_output,
    invocation,
    json_option,
    output_option,
    write_with_figures,
)
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import messages
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.scores import CERTAINTY

if TYPE_CHECKING:
    from pytest_seedshift.results.history import History
    from pytest_seedshift.results.history_changes import Changes

_KEYS = ("version", "certainty", "models")


@click.command(
    "history",
    cls=Command,
    help="Show each case over the versions of a model, and the first version that became worse. FOLDER holds "
    "history.jsonl; --add adds a run to it, as pytest's --seedshift-history does. Status 1 means that something became "
    "worse, and that the newest version is not known to be back at the level before.",
    examples=("history history --add .seedshift --name v1.3", "history history --model sd21 --json"),
)
@click.argument("folder", metavar="FOLDER", type=FOLDER)
@click.option("--add", "runs", metavar="RUN", type=PathType(folder=True), multiple=True, help="Add a run. Repeatable.")
@click.option("--name", metavar="TEXT", help="Name of the version that is added. Default: git's commit.")
@click.option("--model", "models", metavar="NAME", multiple=True, help="Only this model. Repeatable.")
@click.option(
    "--certainty",
    metavar="NUMBER",
    type=NUMBER,
    default=CERTAINTY,
    help=f"Certainty of a change. Default: {CERTAINTY}.",
)
@output_option("history.html in FOLDER")
@json_option
def command(
    folder: Path,
    runs: tuple[Path, ...],
    name: str | None,
    models: tuple[str, ...],
    certainty: float,
    output: Output,
    as_json: bool,
) -> int:
    """What click calls."""
    return run(
        folder,
        runs=runs,
        name=name,
        models=models,
        certainty=certainty,
        output=output,
        as_json=as_json,
        invoked=invocation(),
    )


def run(
    folder: Path,
    *,
    runs: Sequence[Path] = (),
    name: str | None = None,
    models: Sequence[str] = (),
    certainty: float = CERTAINTY,
    output: Output = None,
    as_json: bool = False,
    invoked: str = "seedshift history",
) -> int:
    """Add what is to be added, and show what there is; 1 where something is worse and not known to be back, else 0.

    Args:
        folder: of the history, or its file.
        runs: run folders to add.
        name: of their version; None for git's commit where they lie, else the date.
        models: which to show; all where none is named.
        certainty: that nothing is told of a model which has not changed.
        output: the page; None for history.html in the folder.
        as_json: whether all of it is printed as JSON.
        invoked: the command line, for the page.

    Raises:
        CommandError: the user's mistake.
        HistoryError: there is no history, or nothing can be added.
    """
    from pytest_seedshift.reporting import history as told
    from pytest_seedshift.reporting.page import history as page
    from pytest_seedshift.results import history

    if not 0.5 < certainty < 1:
        raise CommandError(f"--certainty {certainty:g}: give a number above 0.5 and below 1, such as 0.99")
    if name is not None and not runs:
        raise CommandError(f"--name {name}: nothing is added: give the run of that version, by --add RUN")
    place = history.file_of(folder)
    out = output or place.parent / "history.html"
    check_output(output, as_json=as_json)
    if out != STDOUT and place.parent.is_dir():
        check_beside(Path(out), _KEYS, "history")
    aside = as_json or out == STDOUT
    for made in runs:
        sinks.say(_add(place, made, name), err=aside)
    found = history.load(place)
    for wanted in models:
        if wanted not in found.models:
            raise CommandError(f"--model {wanted}: {place}: {unknown('model', wanted, found.models)}")
    changes = _changes(found, models or found.models, certainty)
    figures = told.document(changes, certainty)
    written = write_with_figures(page.make(changes, certainty, invoked), figures, output, place.parent / "history.html")
    if as_json:
        sinks.say_json(figures)
    sinks.say(*(f"warning: {note}" for note in found.notes), err=True)
    for each in changes:
        sinks.say(*told.lines(each), err=aside)
    sinks.say(told.summary(changes), *(messages.relative(str(path)) for path in written[:1]), err=aside)
    return 1 if any(each.open() for each in changes) else 0


def _changes(found: History, models: Sequence[str], certainty: float) -> list[Changes]:
    from pytest_seedshift.results import history_changes

    return [history_changes.of_model(found, model, certainty=certainty) for model in models]


def _add(place: Path, folder: Path, name: str | None) -> str:
    """Add a run; what was done, in a line."""
    from pytest_seedshift.results import history
    from pytest_seedshift.results import run as runs

    found = runs.load(folder)
    scores = history.scores_of(found)
    called = history.version_name(folder) if name is None else name
    line = history.line_of(found, scores, called, datetime.now(UTC))
    added = history.append(place, line, scores)
    what = messages.count(len(line.cases), "case")
    without = "" if scores is not None else ", without the scores of its pairs, which the run folder does not have"
    if not added:
        return f"{folder} is there already as {line.name}"
    return f"added {folder} as {line.name}: {what}{without}"
