"""`seedshift thresholds RUN`: bounds by what a run has measured, also of merged runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import NUMBER, STDOUT, Output, check_output, json_option, output_option, run_argument
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import output as sinks
from pytest_seedshift.core.errors import DataError

if TYPE_CHECKING:
    from pytest_seedshift.results.proposal import Proposal
    from pytest_seedshift.results.schema import Measurement

VERSION = 1
"""Of what `--json` prints."""

_FILE = Path("thresholds.toml")


@click.command(
    "thresholds",
    cls=Command,
    help="Write thresholds from what a run, or all runs of a history, measured. The change is shown first. Bounds that "
    "were set by hand stay as they are.",
    examples=(
        "thresholds .seedshift --dry-run",
        "thresholds merged --output thresholds.toml",
        "thresholds history --from-history",
    ),
)
@run_argument
@click.option(
    "--from-history",
    is_flag=True,
    help="RUN is a history (--seedshift-history): write bounds that another version meets, by how its runs vary.",
)
@output_option(str(_FILE))
@click.option(
    "--margin",
    metavar="PART",
    type=NUMBER,
    help="How far a bound lies below the lower end of its interval, as a part of the score's range. Default: so far "
    "that another draw of the whole grid meets all bounds at the certainty.",
)
@click.option("--dry-run", is_flag=True, help="Show the change, and write nothing.")
@click.option("--in-ci", is_flag=True, help="Write even if CI is set.")
@json_option
def command(
    run_folder: Path,
    from_history: bool,
    output: Output,
    margin: float | None,
    dry_run: bool,
    in_ci: bool,
    as_json: bool,
) -> int:
    """What click calls."""
    return run(
        run_folder,
        from_history=from_history,
        output=output,
        margin=margin,
        dry_run=dry_run,
        in_ci=in_ci,
        as_json=as_json,
    )


def run(
    folder: Path,
    *,
    from_history: bool = False,
    output: Output = None,
    margin: float | None = None,
    dry_run: bool = False,
    in_ci: bool = False,
    as_json: bool = False,
) -> int:
    """Show what changes, then write it.

    Args:
        folder: of the run, or of a history.
        from_history: whether it is a history.
        output: the file to write into; None for thresholds.toml, `-` to print what that file would be.
        margin: from 0 to below 1, see `calibration.bound`.
        dry_run: whether nothing is written.
        in_ci: whether it is written where CI is set, too.
        as_json: whether the result is printed as JSON.

    Raises:
        CommandError: the run cannot be read or has measured nothing, or the file must not, or cannot, be written.
    """
    from pytest_seedshift.results import thresholds_file
    from pytest_seedshift.results.run_folder import VerdictsError

    if margin is not None and from_history:
        raise CommandError("--margin is of the interval of one run: leave it or --from-history out")
    if margin is not None and not 0 <= margin < 1:
        raise CommandError(f"--margin {margin}: give a number from 0 to below 1, such as 0.02")
    if output == STDOUT:
        check_output(output, as_json=as_json)
    file = output if isinstance(output, Path) else _FILE
    writes, aside = not dry_run and output != STDOUT, as_json or output == STDOUT
    try:
        if writes:
            thresholds_file.check_not_ci(in_ci, "--in-ci")
            thresholds_file.check_target(file)
        text = thresholds_file.read(file, None)
        proposal = _by_history(text, file, folder) if from_history else _by_run(text, file, folder, margin)
        told = proposal.summary
        changes = thresholds_file.difference(file, proposal.text)
        sinks.say(*changes, *told, err=aside)
        written = bool(changes) and writes
        if written:
            thresholds_file.write(file, proposal.text)
            sinks.say(f"written: {file}", err=aside)
    except VerdictsError as error:
        raise CommandError(f"{folder}: {error}") from None
    if not changes:
        sinks.say(f"{file} says so already", err=aside)
    if output == STDOUT:
        sinks.say_file(proposal.text)
    if as_json:
        sinks.say_json({**_document(proposal), "file": str(file), "changes": changes, "written": written})
    return 0


def _by_run(text: str, file: Path, folder: Path, margin: float | None) -> Proposal:
    from pytest_seedshift.core.score_registry import recorded
    from pytest_seedshift.core.scores import AvailableScores
    from pytest_seedshift.results import calibration
    from pytest_seedshift.results.run_folder import RunFolder

    document = RunFolder(folder).read_document()
    if (shard := document.get("shard")) is not None:
        raise CommandError(
            f"{folder}: shard {shard['number']}/{shard['of']} of a run: its bounds are not the run's. Join all "
            "shards by 'seedshift merge SHARD… --output MERGED', then give MERGED"
        )
    records = [_measurement(folder, place, each) for place, each in enumerate(document["cases"])]
    return calibration.propose(text, str(file), records, margin, scores=AvailableScores(recorded(document)))


def _by_history(text: str, file: Path, folder: Path) -> Proposal:
    from pytest_seedshift.results import history, history_bounds

    found = history.load(history.file_of(folder))
    sinks.say(*(f"warning: {note}" for note in found.notes), err=True)
    return history_bounds.propose(text, str(file), found)


def _document(proposal: Proposal) -> dict[str, Any]:
    """What is proposed, in built-in types."""
    return {
        "version": VERSION,
        "bounds": proposal.bounds,
        "cases": proposal.cases,
        "certainty": proposal.certainty,
        "looser": list(proposal.looser),
        "set_by_hand": list(proposal.kept),
        "not_measured": list(proposal.unmeasured),
        "text": proposal.text,
    }


def _measurement(run: Path, place: int, record: Mapping[str, Any]) -> Measurement:
    from pytest_seedshift.results import schema

    try:
        return schema.read_record(schema.Measurement, record)
    except DataError as error:
        raise CommandError(f"{run}: its verdicts.json is damaged: cases.{place}.{error}") from None
