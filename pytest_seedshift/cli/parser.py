"""How a command line is read: click, with commands that are loaded when they are called, and help in our words."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from pytest_seedshift.cli import COMMANDS
from pytest_seedshift.core import output
from pytest_seedshift.core.messages import unknown
from pytest_seedshift.core.test_names import PROGRAM

_WIDTH = 100
"""Columns of a help page at most; of a narrower terminal those that it has."""


def _help(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        output.say_document(f"{context.get_help()}\n")
        context.exit()


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from pytest_seedshift import __version__

        output.say(f"pytest-seedshift {__version__}")
        context.exit()


def _flag(names: tuple[str, ...], callback: Callable[..., None], text: str) -> click.Option:
    return click.Option(names, is_flag=True, is_eager=True, expose_value=False, callback=callback, help=text)


class _Explained(click.Command):
    """One whose every mistake knows where it was made."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options and arguments.

        Raises:
            click.UsageError: they cannot be read.
        """
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


class Command(_Explained):
    """A command of ours: its help page goes where all output goes, and ends with an example."""

    def __init__(self, name: str, *, examples: tuple[str, ...] = (), **settings: Any) -> None:
        """`examples` are command lines without the program's name."""
        lines = "\n".join(f"  {PROGRAM} {each}" for each in examples)
        epilog = f"\b\nExample{'s' if len(examples) > 1 else ''}:\n{lines}"
        super().__init__(name, add_help_option=False, epilog=epilog, short_help=COMMANDS[name], **settings)
        self.params.append(_flag(("-h", "--help"), _help, "Show this page and exit."))


class Group(_Explained, click.Group):
    """All commands, none of which is loaded before it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"pytest_seedshift.cli.{cmd_name.replace('-', '_')}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        """Complete a command's name."""
        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line up to the command.

        Raises:
            click.UsageError: there is none.
        """
        rest = super().parse_args(ctx, args)
        if not args and not rest and not ctx.resilient_parsing:
            raise click.UsageError(f"no COMMAND is given. Known: {', '.join(COMMANDS)}", ctx)
        return rest

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant.

        Raises:
            click.UsageError: no such command.
        """
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(unknown("command", args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)


group = Group(
    PROGRAM,
    help="Work with runs of pytest-seedshift, and do experiments. pytest itself makes the runs: "
    "`pytest --seedshift-model=MODEL`.",
    epilog="`seedshift COMMAND --help` explains a command and shows an example.",
    add_help_option=False,
    no_args_is_help=False,
    context_settings={"max_content_width": _WIDTH},
    params=[
        _flag(("--version",), _version, "Show the version and exit."),
        _flag(("-h", "--help"), _help, "Show this page and exit."),
    ],
)


def explain(error: click.UsageError) -> str:
    """What is wrong with a command line, on one line, with the name that was meant where there is one near."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [name for each in error.ctx.command.params for name in each.opts if each.param_type_name == "option"]
        return unknown("option", error.option_name, [name for name in known if name.startswith("--")])
    return error.format_message()
