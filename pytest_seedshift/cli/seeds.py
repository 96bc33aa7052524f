"""`seedshift seeds RUN`: which seed indices are worse than others over all labels, beyond chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import (
    NUMBER,
    STDOUT,
    Output,
    PathType,
    check_beside,
    check_output,
    invocation,
    json_option,
    output_option,
    run_argument,
    write_with_figures,
    writing,
)
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import messages
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.scores import CERTAINTY

_KEYS = ("version", "model", "indices", "meaning")


@click.command(
    "seeds",
    cls=Command,
    help="Find the seed indices of a run that are worse than others over all labels, beyond chance. The certainty "
    "holds over all indices together. RUN is the folder of a run with --seedshift-exact. Noise is drawn by label and "
    "index, so an index is one seed vector only if labels share vectors: see the guide.",
    examples=("seeds .seedshift", "seeds .seedshift --model mine --score clip --confirm other-prompts --json"),
)
@run_argument
@click.option("--model", metavar="NAME", help="Model to look at, if the run has several.")
@click.option("--score", metavar="NAME", help="Score to compare by. Default: the first of the run.")
@click.option(
    "--confirm",
    metavar="RUN",
    type=PathType(folder=True),
    help="Run of other labels on the same indices, to confirm what is found.",
)
@click.option(
    "--latents", metavar="FILE", type=PathType(), help="File of the seed vectors that the model was run with."
)
@click.option(
    "--certainty",
    metavar="NUMBER",
    type=NUMBER,
    default=CERTAINTY,
    help=f"Certainty over all indices. Default: {CERTAINTY}.",
)
@output_option("seeds-MODEL.html in RUN")
@json_option
def command(run_folder: Path, **options: Any) -> int:
    """What click calls."""
    return run(run_folder, invoked=invocation(), **options)


def run(
    run_folder: Path,
    *,
    model: str | None = None,
    score: str | None = None,
    confirm: Path | None = None,
    latents: Path | None = None,
    certainty: float = CERTAINTY,
    output: Output = None,
    as_json: bool = False,
    invoked: str = "seedshift seeds",
) -> int:
    """Compare the seed indices of a run; always 0.

    Args:
        run_folder: of the run.
        model: its name; None where the run has one.
        score: None for the first that the run has.
        confirm: the folder of a run of other labels.
        latents: a file of safetensors with a tensor for each pair.
        certainty: that no index is found where none differs.
        output: the page; None for seeds-MODEL.html in the run folder.
        as_json: whether all figures are printed.
        invoked: the command line that the page shows.

    Raises:
        CommandError: the user's mistake.
        SeedsError: there is nothing to compare.
    """
    from pytest_seedshift.reporting import seeds as told
    from pytest_seedshift.reporting.page import seeds as page
    from pytest_seedshift.results import run as runs
    from pytest_seedshift.results import seeds
    from pytest_seedshift.results.run_folder import file_name

    if not 0.5 < certainty < 1:
        raise CommandError(f"--certainty {certainty:g}: give a number above 0.5 and below 1, such as 0.99")
    check_output(output, as_json=as_json)
    of = runs.load(run_folder)
    found = seeds.of_run(
        of,
        model=model,
        score=score,
        certainty=certainty,
        confirm=None if confirm is None else runs.load(confirm),
        latents=latents,
    )
    figures, aside = told.document(found), as_json or output == STDOUT
    path = run_folder / f"seeds-{file_name(found.model)}.html"
    if output != STDOUT:
        check_beside(Path(output or path), _KEYS, "seeds")
    with writing():
        written = write_with_figures(page.make(found, of, invoked), figures, output, path)
    sinks.say(*told.lines(found), err=aside)
    sinks.say(*(messages.relative(str(each)) for each in written[:1]), err=aside)
    if as_json:
        sinks.say_json(figures)
    return 0
