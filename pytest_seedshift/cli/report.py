"""`seedshift report RUN`: regenerate the report of a run folder, or of merged ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import STDOUT, Output, check_output, output_option, run_argument, summary_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import atomic_files, messages
from pytest_seedshift.core import output as sinks

if TYPE_CHECKING:
    from pytest_seedshift.results.run import Run


@click.command(
    "report",
    cls=Command,
    help="Write the report of a run again, as one page of HTML. RUN is a run folder, such as .seedshift, or a folder "
    "that `seedshift merge` has written.",
    examples=("report .seedshift --output report.html", "report .seedshift --beside --output report/index.html"),
)
@run_argument
@output_option("report.html in RUN")
@summary_option
@click.option(
    "--beside",
    is_flag=True,
    help="Write style, script and pictures into a folder beside the page, for hosts that forbid them inside it, such "
    "as Jenkins.",
)
def command(run_folder: Path, output: Output, summary: str | None, beside: bool) -> int:
    """What click calls."""
    return run(run_folder, output=output, summary=summary, beside=beside)


def check_summary(summary: str | None) -> None:
    """Make sure that what is asked for by `--summary` can be written.

    Raises:
        UnwritableError: it cannot.
    """
    from pytest_seedshift.reporting import publish

    file = publish.target(summary).file
    if file is not None:
        atomic_files.check_writable(file, "--summary", parents=True)


def summarise(run: Run, given: str | None, report: str, *, err: bool = False) -> None:
    """Write the summary that is asked for by `--summary`, and say so.

    Args:
        run: what its folder holds.
        given: the option.
        report: where the whole report lies; empty where it is not there.
        err: whether the standard output has something else.

    Raises:
        CommandError: it cannot be written.
    """
    from pytest_seedshift.reporting import publish

    target = publish.target(given)
    try:
        for warning in publish.publish(run, target, report):
            sinks.say(f"warning: {warning}", err=True)
    except OSError as error:
        raise CommandError(f"the summary cannot be written: {error.strerror} ({error.filename})") from None
    if target.file is not None:
        sinks.say(f"summary: {target.file}", err=err)


def run(folder: Path, *, output: Output = None, summary: str | None = None, beside: bool = False) -> int:
    """Make the report.

    Args:
        folder: of the run.
        output: the page; None for report.html in the folder.
        summary: the file of a summary, `none` for none at all.
        beside: whether style, script and pictures lie in a folder beside the page.

    Raises:
        CommandError: the folder holds no run, or a file cannot be written.
        UnwritableError: see `atomic_files.check_writable`.
    """
    from pytest_seedshift.reporting import page
    from pytest_seedshift.reporting.page import beside as page_beside
    from pytest_seedshift.results import run as runs

    from_folder = folder / page.FILE_NAME if folder.is_dir() else None
    check_output(output or from_folder)
    check_summary(summary)
    if beside and output == STDOUT:
        raise CommandError("--beside writes a page and a folder: give --output a path")
    try:
        found = runs.load(folder)
        if output == STDOUT:
            sinks.say_file(page.make(found))
            path = None
        elif beside:
            path = Path(output or folder / page.FILE_NAME)
            sinks.say(*page_beside.write(page.make(found), path))
        else:
            path = page.write(folder, None if output is None else Path(output), run=found)
            sinks.say(path)
    except OSError as error:
        raise CommandError(f"{output or from_folder} cannot be written: {error.strerror}") from None
    summarise(found, summary, "" if path is None else messages.relative(str(path)), err=path is None)
    return 0
