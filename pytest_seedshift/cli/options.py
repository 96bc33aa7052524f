"""What the commands have in common: paths, the option `--output`, `--json`, `--summary`, and where output goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

import click
from click.shell_completion import CompletionItem

from pytest_seedshift.cli import CommandError
from pytest_seedshift.core import atomic_files, typed_values
from pytest_seedshift.core.messages import unknown

STDOUT: Final = "-"

Output: TypeAlias = Path | str | None
"""What `--output` gives: a path, `STDOUT` for the standard output, None for the command's own default."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class PathType(click.ParamType):  # type: ignore[type-arg]  # it takes none before click 8.5
    """Any path. Whether something is there, and what, is for the command to say."""

    name = "path"

    def __init__(self, *, folder: bool = False, stdout: bool = False) -> None:
        """Of a `folder` only folders are completed; with `stdout`, `-` stands for the standard output."""
        self._kind, self._stdout = "dir" if folder else "file", stdout

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """The path that was given."""
        return STDOUT if self._stdout and value == STDOUT else Path(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        """Let the shell complete it."""
        return [CompletionItem(incomplete, type=self._kind)]


class Number(click.ParamType):  # type: ignore[type-arg]  # likewise
    """A number as people write it; see `typed_values.number`."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number that was given."""
        if isinstance(value, str) and math.isnan(typed_values.number(value)) and value.strip().lower() != "nan":
            self.fail(f"{value!r} is not a valid float.", param, ctx)
        return float(value)


class Whole(click.ParamType):  # type: ignore[type-arg]  # likewise
    """A whole number, likewise."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number that was given."""
        if isinstance(value, str) and typed_values.whole(value) is None:
            self.fail(f"{value!r} is not a valid integer.", param, ctx)
        return int(value)


class Choice(click.Choice[str]):
    """One of some words; of another one it is said which may have been meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word that was given."""
        if value not in self.choices:
            self.fail(unknown("value", str(value), self.choices), param, ctx)
        return str(value)


FOLDER = PathType(folder=True)
NUMBER, WHOLE = Number(), Whole()
FILE = PathType()


def run_argument(function: _Function) -> _Function:
    """Take `RUN`."""
    return click.argument("run_folder", metavar="RUN", type=FOLDER)(function)


def output_option(default: str, *, folder: bool = False, required: bool = False) -> Callable[[_Function], _Function]:
    """Take `--output`: the path of the file or folder that the command writes.

    Args:
        default: what is written where it is not given.
        folder: whether it is a folder, which the standard output cannot be.
        required: whether it has to be given.
    """
    what = "Folder to write" if folder else "File to write; - is the standard output"
    return click.option(
        "-o",
        "--output",
        metavar="PATH",
        type=PathType(folder=folder, stdout=not folder),
        required=required,
        help=f"{what}." if required else f"{what}. Default: {default}.",
    )


def json_option(function: _Function) -> _Function:
    """Take `--json`."""
    text = "Print the result as JSON, and all else to the standard error."
    return click.option("--json", "as_json", is_flag=True, help=text)(function)


def summary_option(function: _Function) -> _Function:
    """Take `--summary`, which every command has that reports on a run."""
    text = (
        "File for a summary in Markdown, besides $GITHUB_STEP_SUMMARY if that is set. 'none' writes no summary at all."
    )
    return click.option("--summary", metavar="PATH", help=text)(function)


def invocation() -> str:
    """The command line that is run, for a page to say how it was made."""
    return str(click.get_current_context().find_root().obj)


def check_output(given: Output, *, as_json: bool = False, parents: bool = True) -> None:
    """Make sure that what `--output` names can be written.

    Raises:
        CommandError: it is the standard output, which JSON takes.
        UnwritableError: it cannot be written.
    """
    if given == STDOUT and as_json:
        raise CommandError("--json and --output - both write to the standard output: leave one of them out")
    if isinstance(given, Path):
        atomic_files.check_writable(given, "--output", parents=parents)


def check_beside(page: Path, keys: Sequence[str], what: str) -> Path:
    """The file of figures beside a page, which the user has not named, if it is none of somebody else's.

    Args:
        page: `--output`.
        keys: what the figures of such an experiment have.
        what: the command's name, for an example.

    Raises:
        CommandError: it is, or `page` is no name for a page.
        UnwritableError: it cannot be written.
    """
    from pytest_seedshift.core import files

    if page.suffix == ".json":
        raise CommandError(f"--output {page}: it is a page: give a name such as {what}.html")
    data = page.with_suffix(".json")
    atomic_files.check_writable(data, "--output", parents=True)
    try:
        found = files.read_json(data)
    except files.MissingFileError:
        return data
    except files.FileError:
        found = None
    if not isinstance(found, dict) or not set(keys) <= found.keys():
        raise CommandError(
            f"--output {page}: the figures would be written to {data}, which is another file. Give another name"
        )
    return data


@contextmanager
def writing() -> Iterator[None]:
    """What cannot be written in its body is a mistake of the user's: a full disk, or a folder that is not theirs.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from None


def write_with_figures(page: str, figures: dict[str, Any], output: Output, default: Path) -> list[Path]:
    """Write a page and its figures as JSON beside it; or the page alone to the standard output.

    Args:
        page: as HTML.
        figures: in built-in types.
        output: where `--output` says; None for `default`.
        default: the page's path.

    Returns:
        What was written.

    Raises:
        OSError: it cannot be written.
    """
    import json

    from pytest_seedshift.core import output as sinks

    if output == STDOUT:
        sinks.say_file(page)
        return []
    path = Path(output or default)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.write(path, page)
    data = path.with_suffix(".json")
    atomic_files.write(data, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    return [path, data]
