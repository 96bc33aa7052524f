"""What `seedshift` does with a command line: run it, and say what goes wrong with an exit status of pytest's kind."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence

import click
from click.shell_completion import get_completion_class

from pytest_seedshift.cli.parser import explain, group
from pytest_seedshift.core import output
from pytest_seedshift.core.errors import SeedshiftError
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.test_names import PROGRAM, USAGE_ERROR

INTERRUPTED = 2
"""pytest's own status for it."""

_COMPLETE = f"_{PROGRAM.upper()}_COMPLETE"
"""The variable by which a shell asks for completions, as click names it."""

_SHELLS = ("bash", "zsh", "fish")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what it returns is the exit status.

    Raises:
        SystemExit: help was asked for, or the command line cannot be read, which has been said.
    """
    output.begin()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a log in ASCII is no reason to fail
    asked = os.environ.get(_COMPLETE)
    if arguments is None and asked:
        return output.end(_complete(asked))
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return output.end(_run(given))
    except click.exceptions.Exit as ending:
        raise SystemExit(output.end(ending.exit_code)) from None
    except click.UsageError as error:
        _refuse(error)
        raise SystemExit(output.end(USAGE_ERROR)) from None
    except (KeyboardInterrupt, click.Abort):
        output.say("interrupted", err=True)
        return INTERRUPTED


def _run(given: Sequence[str]) -> int:
    with group.make_context(PROGRAM, list(given), obj=shlex.join([PROGRAM, *given])) as context:
        try:
            return int(group.invoke(context) or 0)
        except BrokenPipeError as error:  # of what pytest or a library has printed
            output.fail(error)
            return 0
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            said = f"{where}{error.strerror or error}"
        except SeedshiftError as error:
            said = str(error)
        name = context.invoked_subcommand or ""
        output.say(f"{PROGRAM} {name}: error: {_by_its_options(said, group.get_command(context, name))}", err=True)
        return USAGE_ERROR


def _by_its_options(said: str, command: click.Command | None) -> str:
    """An error with the options of pytest in it that the command has too, by their names there: `--device`."""
    options = {option for each in command.params for option in each.opts} if command is not None else set()

    def named(found: re.Match[str]) -> str:
        if re.search(r"\bpytest [^.;:]*$", said[: found.start()]):  # a command line of pytest
            return found[0]
        own = found[1].removeprefix(f"{command.name}-") if command is not None else found[1]
        return next((short for short in (f"--{found[1]}", f"--{own}") if short in options), found[0])

    return re.sub(r"--seedshift-([a-z][a-z-]*[a-z])", named, said)


def _refuse(error: click.UsageError) -> None:
    """Say what is wrong with a command line, and where to read what is right."""
    path = PROGRAM if error.ctx is None else error.ctx.command_path
    if error.ctx is not None:
        output.say_document(f"{error.ctx.get_usage()}\n", err=True)
    output.say(f"{path}: error: {explain(error)}", f"See {path} --help", err=True)


def _complete(asked: str) -> int:
    """Answer a shell: `bash_source` asks for the script that sets completion up, `bash_complete` for completions."""
    shell, _, what = asked.partition("_")
    found = get_completion_class(shell) if shell in _SHELLS else None
    if found is None or what not in ("source", "complete"):
        known = [f"{each}_{part}" for each in _SHELLS for part in ("source", "complete")]
        output.say(f"{PROGRAM}: error: {_COMPLETE}: {unknown('value', asked, known)}", err=True)
        return USAGE_ERROR
    answers = found(group, {}, PROGRAM, _COMPLETE)
    try:
        output.say_document(f"{answers.source() if what == 'source' else answers.complete()}\n")
    except KeyError as error:  # of the environment
        output.say(f"{PROGRAM}: error: {_COMPLETE}={asked}: {error.args[0]} is not set: a shell sets it", err=True)
        return USAGE_ERROR
    return 0
