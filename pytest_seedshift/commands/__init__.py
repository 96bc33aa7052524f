"""The subcommands of `python -m pytest_seedshift`, each a module with `add_arguments(parser)` and `run(options)`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module


class CommandError(Exception):
    """What was asked cannot be done; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: its name, what it is for, and its module, which is loaded only when it is asked for."""

    name: str
    help: str
    module: str


COMMANDS = (Command("report", "make the report of a run folder again", "pytest_seedshift.commands.report"),)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        arguments: those of the command line; None for this process's own.

    Returns:
        The exit status: 0, 1 where the command could not do what was asked, 2 where it could not be understood.
    """
    parser = argparse.ArgumentParser(prog="python -m pytest_seedshift", description=__doc__.partition(",")[0] + ".")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    given = list(sys.argv[1:] if arguments is None else arguments)
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.help, description=f"{command.help.capitalize()}.")
        if command.name in given[:1]:
            import_module(command.module).add_arguments(sub)
    options = parser.parse_args(given)
    module = import_module(next(command.module for command in COMMANDS if command.name == options.command))
    try:
        status: int = module.run(options)
    except CommandError as error:
        print(f"{parser.prog} {options.command}: {error}", file=sys.stderr)
        return 1
    return status
