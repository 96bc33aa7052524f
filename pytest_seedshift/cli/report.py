"""`seedshift report RUN`: make the report of a run folder, or of merged ones, again."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_seedshift import output, whole
from pytest_seedshift.cli import PROGRAM, CommandError

if TYPE_CHECKING:
    from pytest_seedshift.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the run folder, such as .seedshift")
    parser.add_argument("--out", metavar="PATH", type=Path, help="the file to write (default: report.html in RUN)")
    add_summary(parser)


def add_summary(parser: argparse.ArgumentParser) -> None:
    """Declare `--summary`, which every command has that reports on a run."""
    parser.add_argument(
        "--summary",
        metavar="PATH",
        help="file of a summary in Markdown, besides $GITHUB_STEP_SUMMARY where that is set; 'none': no summary at all",
    )


def check_outputs(out: Path | None, summary: str | None) -> None:
    """Make sure that what is asked for by `--out` and `--summary` can be written.

    Raises:
        UnwritableError: it cannot.
    """
    from pytest_seedshift.report import publish

    file = publish.target(summary).file
    for path, option in ((out, "--out"), (file, "--summary")):
        if path is not None:
            whole.check_writable(path, option, parents=True)


def summarise(run: Run, given: str | None, report: str) -> None:
    """Write the summary that is asked for by `--summary`, and say so.

    Raises:
        CommandError: it cannot be written.
    """
    from pytest_seedshift.report import publish

    target = publish.target(given)
    try:
        for warning in publish.publish(run, target, report):
            output.say(f"warning: {warning}", err=True)
    except OSError as error:
        raise CommandError(f"the summary cannot be written: {error.strerror} ({error.filename})") from None
    if target.file is not None:
        output.say(target.file)


def run(options: argparse.Namespace) -> int:
    """Make the report.

    Raises:
        CommandError: the folder holds no run, or the file cannot be written.
    """
    from pytest_seedshift import run as runs
    from pytest_seedshift.extensions import scores_known
    from pytest_seedshift.report import page, words
    from pytest_seedshift.scores import recorded

    from_folder = options.run / page.FILE_NAME if options.run.is_dir() else None
    check_outputs(options.out or from_folder, options.summary)
    with scores_known(recorded(runs.head(options.run))):
        try:
            found = runs.load(options.run)
            path = page.write(options.run, options.out, run=found)
        except page.RunError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            target = options.out or options.run / page.FILE_NAME
            raise CommandError(f"{target} cannot be written: {error.strerror}") from None
        output.say(path)
        summarise(found, options.summary, words.relative(str(path)))
    return 0


def command(folder: str, out: str | None = None) -> str:
    """The command line that makes a folder's report."""
    words = [PROGRAM, "report", folder]
    return shlex.join([*words, "--out", out] if out is not None else words)
