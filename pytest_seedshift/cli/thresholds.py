"""`seedshift thresholds RUN`: bounds by what a run has measured, also of merged runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_seedshift import output
from pytest_seedshift.cli import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the run folder, such as .seedshift")
    parser.add_argument(
        "--out",
        metavar="PATH",
        type=Path,
        default=Path("thresholds.toml"),
        help="the thresholds file to write, or to write into (default: thresholds.toml)",
    )
    parser.add_argument(
        "--margin",
        metavar="PART",
        type=float,
        help="how far below the lower end of its interval a bound lies, as a part of the score's range (default: so "
        "that another draw of the whole grid meets all bounds at the certainty)",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the change, and write nothing")
    parser.add_argument("--in-ci", action="store_true", help="write where CI is set, too")


def run(options: argparse.Namespace) -> int:
    """Show what changes, then write it.

    Raises:
        CommandError: the run cannot be read or has measured nothing, or the file must not, or cannot, be written.
    """
    from pytest_seedshift import calibration, thresholds_file
    from pytest_seedshift.extensions import scores_known
    from pytest_seedshift.folder import RunFolder, VerdictsError
    from pytest_seedshift.scores import recorded

    if options.margin is not None and not 0 <= options.margin < 1:
        raise CommandError(f"--margin {options.margin}: give a number from 0 to below 1, such as 0.02")
    try:
        document = RunFolder(options.run).read_document()
        records = document["cases"]
        _check(options.run, records)
        if not options.dry_run:
            thresholds_file.check_not_ci(options.in_ci, "--in-ci")
            thresholds_file.check_target(options.out)
        text = thresholds_file.read(options.out, None)
        with scores_known(recorded(document)):
            proposal = calibration.propose(text, str(options.out), records, options.margin)
            told = proposal.summary
        changes = thresholds_file.difference(options.out, proposal.text)
        output.say(*changes, *told)
        if changes and not options.dry_run:
            thresholds_file.write(options.out, proposal.text)
            output.say(f"written: {options.out}")
    except VerdictsError as error:
        raise CommandError(f"{options.run}: {error}") from None
    except calibration.CalibrationError as error:
        raise CommandError(str(error)) from None
    if not changes:
        output.say(f"{options.out} says so already")
    return 0


def _check(run: Path, records: Iterable[Mapping[str, Any]]) -> None:
    from pytest_seedshift.run import form

    for place, record in enumerate(records):
        try:
            form.read(form.Measurement, record)
        except ValueError as error:
            raise CommandError(f"{run}: its verdicts.json is damaged: cases.{place}.{error}") from None
