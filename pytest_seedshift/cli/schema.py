"""`seedshift schema NAME`: the JSON Schema of a file, for editors and validators."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_seedshift.cli import CommandError
from pytest_seedshift.cli.options import Choice, Output, check_output, output_option
from pytest_seedshift.cli.parser import Command
from pytest_seedshift.core import atomic_files
from pytest_seedshift.core import output as sinks

NAMES = ("thresholds", "catalogue", "verdicts", "costs", "run")
"""Those of `json_schemas.SCHEMAS`, which is loaded where one is wanted."""


@click.command(
    "schema",
    cls=Command,
    help="Print the JSON Schema (draft 7) of a file. NAME is thresholds (thresholds.toml), catalogue (tables of models "
    "by name), or verdicts, costs or run (.json files of a run folder). With it, an editor completes and explains keys "
    "and marks mistakes. Editors of TOML take `#:schema thresholds.schema.json` as the file's first line.",
    examples=(
        "schema thresholds --output thresholds.schema.json",
        "schema verdicts",
    ),
)
@click.argument("name", type=Choice(NAMES), metavar="NAME")
@output_option("-")
def command(name: str, output: Output) -> int:
    """What click calls."""
    return run(name, output=output)


def run(name: str, *, output: Output = None) -> int:
    """Write a schema.

    Args:
        name: one of `NAMES`.
        output: the file; None to print it.

    Raises:
        CommandError: the file cannot be written.
        UnwritableError: see `atomic_files.check_writable`.
    """
    import json

    from pytest_seedshift.models import json_schemas

    check_output(output, parents=False)
    made = json.dumps(json_schemas.SCHEMAS[name](), indent=1, ensure_ascii=False) + "\n"
    if not isinstance(output, Path):
        sinks.say_file(made)
        return 0
    try:
        atomic_files.write(output, made)
    except OSError as error:
        raise CommandError(f"--output {output}: cannot be written: {error.strerror}") from None
    sinks.say(output)
    return 0
