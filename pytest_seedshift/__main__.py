"""The command `seedshift COMMAND …`, also as `python -m pytest_seedshift COMMAND …`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from pytest_seedshift import safepath

    safepath.leave_out_working_directory()  # before anything else is looked for there

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from pytest_seedshift import output
from pytest_seedshift.cli import COMMANDS, PROGRAM, USAGE_ERROR, CommandError
from pytest_seedshift.whole import UnwritableError

INTERRUPTED = 2
"""pytest's own status for it."""


class _Parser(argparse.ArgumentParser):
    """One that says what it says as commands do."""

    def print_help(self, file: object = None) -> None:
        output.say_document(self.format_help())

    def error(self, message: str) -> NoReturn:
        output.say_document(self.format_usage(), err=True)
        output.say(f"{self.prog}: error: {message}", err=True)
        self.exit(USAGE_ERROR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what it returns is the exit status."""
    output.begin()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a log in ASCII is no reason to fail
    try:
        return output.end(_run(list(sys.argv[1:] if arguments is None else arguments)))
    except SystemExit as ending:  # of argparse, which has said why
        raise SystemExit(output.end(int(ending.code or 0))) from None
    except KeyboardInterrupt:
        output.say("interrupted", err=True)
        return INTERRUPTED


def _run(given: list[str]) -> int:
    parser = _Parser(prog=PROGRAM, description="What is done with runs of pytest-seedshift.")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = parsers.add_parser(name, help=summary, description=summary)
        if name in given:  # loads only what is asked for
            import_module(f"pytest_seedshift.cli.{name}").add_arguments(command)
    options = parser.parse_args(given)
    try:
        status: int = import_module(f"pytest_seedshift.cli.{options.command}").run(options)
    except BrokenPipeError as error:  # of what pytest or a library has printed
        output.fail(error)
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        said = f"{where}{error.strerror or error}"
    except (CommandError, UnwritableError) as error:
        said = str(error)
    else:
        return status
    output.say(f"{parser.prog} {options.command}: error: {said}", err=True)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
