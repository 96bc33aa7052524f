"""`python -m pytest_seedshift COMMAND …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from pytest_seedshift.commands import COMMANDS, CommandError

USAGE_ERROR = 4
"""pytest's own status for a mistake of the user's."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what it returns is the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(prog="python -m pytest_seedshift", description="What is done with runs of pytest-seedshift.")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = parsers.add_parser(name, help=summary, description=summary)
        if name in given:  # loads only what is asked for
            import_module(f"pytest_seedshift.commands.{name}").add_arguments(command)
    options = parser.parse_args(given)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a log in ASCII is no reason to fail
    try:
        status: int = import_module(f"pytest_seedshift.commands.{options.command}").run(options)
    except CommandError as error:
        print(f"{parser.prog} {options.command}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return status


if __name__ == "__main__":
    sys.exit(main())
