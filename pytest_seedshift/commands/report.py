"""`python -m pytest_seedshift report RUN [--out PATH]`: make the report of a run folder, or of merged ones, again."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from pytest_seedshift.commands import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the run folder, such as .seedshift")
    parser.add_argument("--out", metavar="PATH", type=Path, help="the file to write (default: report.html in RUN)")


def run(options: argparse.Namespace) -> int:
    """Make the report.

    Raises:
        CommandError: the folder holds no run, or the file cannot be written.
    """
    from pytest_seedshift.report import page

    try:
        path = page.write(options.run, options.out)
    except page.RunError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        target = options.out or options.run / page.FILE_NAME
        raise CommandError(f"{target} cannot be written: {error.strerror}") from None
    print(path)
    return 0


def command(folder: str, out: str | None = None) -> str:
    """The command line that makes a folder's report."""
    words = ["python", "-m", "pytest_seedshift", "report", folder]
    return shlex.join([*words, "--out", out] if out is not None else words)
